"""Who may see what: links that are signed, expire, and open one session each."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from cvlarray.errors import CvlarrayError, StoreError
from cvlarray.review.database import ReviewDatabase
from cvlarray.store.atomic import make_folder

__all__ = [
    "KEY_VARIABLE",
    "LinkRefusedError",
    "Refusal",
    "Visitor",
    "csrf_token",
    "open_link",
    "read_key",
    "read_session",
    "sign_link",
    "sign_session",
]

KEY_VARIABLE = "CVLARRAY_REVIEW_KEY"
"""Environment variable with the secret that signs links and sessions."""

_MIN_KEY_LENGTH = 32
_SESSION_HOURS = 12


class Refusal(StrEnum):
    """Why a link opens nothing, as the page's words name it."""

    FORGED = "link_forged"
    EXPIRED = "link_expired"
    USED = "link_used"


class LinkRefusedError(CvlarrayError):
    """A link opens nothing; the message is one of `Refusal`."""


@dataclass(frozen=True)
class Visitor:
    """Who somebody is once a link has let them in."""

    session_id: str
    partner: str
    """Name of the partner; '' is the operator."""
    reviewer: str
    """The person, as the log names them."""
    event_id: str | None
    """The one alert that may be seen; None: all of the partner's."""
    expires_at: str
    """ISO 8601, UTC."""


def read_key(workspace_review: Path) -> str:
    """Return the secret: from the environment, or from a file that only its owner reads.

    Raises
    ------
    CvlarrayError
        If the variable is set but too short to be a secret.
    StoreError
        If there is none and none can be written.
    """
    key = os.environ.get(KEY_VARIABLE)
    if key is None:
        return _kept_key(workspace_review / "key")
    if len(key) < _MIN_KEY_LENGTH:
        raise CvlarrayError(
            f"{KEY_VARIABLE} must have {_MIN_KEY_LENGTH} characters or more, got {len(key)}; "
            "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return key


def _kept_key(path: Path) -> str:
    try:
        make_folder(path.parent)
        if not path.exists():
            with NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:  # mode 0600
                file.write(secrets.token_urlsafe(32))
                file.flush()
                with suppress(FileExistsError):  # another process was first: its key is the key
                    os.link(file.name, path)
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise StoreError(
            f"cannot keep the key of the review page in {path}: {error}; set {KEY_VARIABLE}"
        ) from error


def sign_link(
    key: str,
    *,
    partner: str,
    reviewer: str | None = None,
    event_id: str | None = None,
    valid: timedelta,
) -> str:
    """Return the token of a link: ``<public URL>/link/<token>``.

    Parameters
    ----------
    key
        What `read_key` returned.
    partner
        Whose alerts it opens; '' those of everybody.
    reviewer
        The person it is for, as the log will name them; None: the partner.
    event_id
        The one alert it opens; None: all of the partner's.
    valid
        For how long it can be opened.
    """
    link = _signer(key, "link").dumps(
        {
            "id": secrets.token_urlsafe(12),
            "partner": partner,
            "reviewer": reviewer or partner or "operator",
            "event_id": event_id,
            "expires_at": (datetime.now(UTC) + valid).isoformat(timespec="seconds"),
        }
    )
    return str(link)


def open_link(database: ReviewDatabase, key: str, token: str, session: Visitor | None) -> Visitor:
    """Let the bearer of a link in, once; whoever it has let in may come back through it.

    Raises
    ------
    LinkRefusedError
        With one of `Refusal`.
    """
    link = _loads(key, "link", token)
    if link is None:
        raise LinkRefusedError(Refusal.FORGED)
    if _is_past(link["expires_at"]):
        raise LinkRefusedError(Refusal.EXPIRED)
    visitor = Visitor(
        session_id=secrets.token_urlsafe(16),
        partner=link["partner"],
        reviewer=link["reviewer"],
        event_id=link["event_id"],
        expires_at=(datetime.now(UTC) + timedelta(hours=_SESSION_HOURS)).isoformat(
            timespec="seconds"
        ),
    )
    with database.transaction() as connection:
        opened = connection.execute(
            "SELECT session_id FROM link WHERE link_id = ?", (link["id"],)
        ).fetchone()
        if opened is None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            connection.execute(
                "INSERT INTO link VALUES (?, ?, ?)", (link["id"], visitor.session_id, now)
            )
            return visitor
    if session and session.session_id == opened["session_id"]:
        return session
    raise LinkRefusedError(Refusal.USED)


def sign_session(key: str, visitor: Visitor) -> str:
    """Return the cookie of a session."""
    return str(_signer(key, "session").dumps(asdict(visitor)))


def read_session(key: str, cookie: str | None) -> Visitor | None:
    """Return who a cookie says it is; None if it is forged, too old or not there.

    One that would be good for longer than any session is of a time that a clock which was set back
    has before it: it was too old once, or may have been.
    """
    values = _loads(key, "session", cookie) if cookie else None
    if values is None or _is_past(values["expires_at"]):
        return None
    if not _is_past(values["expires_at"], ahead=timedelta(hours=_SESSION_HOURS, minutes=1)):
        return None
    return Visitor(**values)


def csrf_token(key: str, visitor: Visitor) -> str:
    """Return what a page of this session, and no other page, can say with its requests."""
    return str(_signer(key, "csrf").dumps(visitor.session_id))


def _signer(key: str, purpose: str) -> URLSafeSerializer:
    """Return what signs for one purpose: a session's cookie opens no link."""
    kwargs = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return URLSafeSerializer(key, salt=f"cvlarray.review.{purpose}", signer_kwargs=kwargs)


def _loads(key: str, salt: str, token: str) -> dict[str, Any] | None:
    try:
        values: dict[str, Any] = _signer(key, salt).loads(token)
    except BadSignature:
        return None
    return values


def _is_past(moment: str, *, ahead: timedelta = timedelta(0)) -> bool:
    return datetime.now(UTC) + ahead >= datetime.fromisoformat(moment)
