"""One request over HTTP, within a time, of which nothing is retried here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3

from cvlarray.alerts.deliver.channel import SendError

__all__ = ["Answer", "post"]

MAX_ANSWER_BYTES = 65_536
CLOCK_TOLERANCE_S = 120.0


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content: bytes
    """At most 64 kB of it."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> Answer:
    """Post ``body`` and return the answer of 200 to 299.

    Redirects aren't followed: what is signed for one receiver is for nobody else.

    Raises
    ------
    SendError
        If the receiver can't be reached, takes too long, drops the connection, or answers with
        another status. The text doesn't repeat the receiver's words, which may hold anything.
    """
    started = time.monotonic()
    try:
        with urllib3.PoolManager(retries=False) as http:
            response = http.request(
                "POST",
                url,
                body=body,
                headers=dict(headers),
                timeout=urllib3.Timeout(timeout_s),
                redirect=False,
                preload_content=False,
            )
            content = b""
            if 200 <= response.status < 300:
                content = _read(response, started + timeout_s)
            response.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise SendError(f"no answer within {timeout_s:g} s: {_words(error)}") from error
    if 200 <= response.status < 300:
        return Answer(response.status, content)
    raise _refusal(response)


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """Return an answer's beginning; that it arrived is told by the status alone."""
    content = b""
    try:
        for part in response.stream(4096):
            content += part
            if len(content) >= MAX_ANSWER_BYTES or time.monotonic() > deadline:
                break
    except urllib3.exceptions.HTTPError:
        pass  # cut in its answer, but it has answered
    return content[:MAX_ANSWER_BYTES]


def _refusal(response: urllib3.BaseHTTPResponse) -> SendError:
    status = response.status
    difference = _clock_difference_s(response.headers.get("Date"))
    skew = ""
    if difference is not None and abs(difference) > CLOCK_TOLERANCE_S:
        skew = f"; its clock is {difference:+.0f} s from ours, set the wrong one"
    return SendError(
        f"the receiver answered {status}{skew}",
        is_refusal=400 <= status < 500 and status not in {408, 425, 429},
        retry_after_s=_retry_after_s(response.headers.get("Retry-After")),
    )


def _clock_difference_s(date: str | None) -> float | None:
    moment = _moment(date)
    return None if moment is None else (moment - datetime.now(UTC)).total_seconds()


def _retry_after_s(value: str | None) -> float | None:
    if value is not None and value.strip().isdecimal():
        return float(value)
    moment = _moment(value)
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _moment(date: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _words(error: Exception) -> str:
    """Return the kind of a failure and its cause, without the URL that urllib3 repeats."""
    cause = getattr(error, "reason", None) or error.__cause__ or error.__context__
    kinds = [type(each).__name__ for each in (error, cause) if isinstance(each, BaseException)]
    return ": ".join(dict.fromkeys(kinds))
