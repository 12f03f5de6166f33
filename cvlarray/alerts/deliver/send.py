"""Send what is due: destinations beside each other, the messages of one in turn."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue

from cvlarray.alerts.deliver.channel import Channel, SendError
from cvlarray.alerts.deliver.message import Message
from cvlarray.alerts.deliver.outbox import Entry, Outbox
from cvlarray.errors import CvlarrayError

__all__ = ["Attempt", "send_due"]

logger = logging.getLogger(__name__)

MAX_THREADS = 8
FAILURES_IN_A_ROW = 3
"""After so many a destination is left alone until the next delivery: it is down."""


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt to send a message."""

    entry: Entry
    receipt: str | None = None
    error: str | None = None
    retry_after_s: float | None = None


def send_due(
    outbox: Outbox,
    channels: Mapping[str, Channel],
    *,
    hide: Callable[[str], str] = str,
    told: Callable[[Attempt], None] | None = None,
) -> list[Attempt]:
    """Try each due message of the channels' destinations once.

    A destination that is down or slow holds up no other one. The outbox knows of an attempt as soon
    as it has ended.

    Parameters
    ----------
    outbox
        Held by `Outbox.delivering`.
    channels
        By destination; messages for others stay.
    hide
        Takes secrets out of the reasons of failures.
    told
        Told of each attempt.

    Returns
    -------
    The attempts, in the order in which they ended.
    """
    by_destination: dict[str, list[Entry]] = defaultdict(list)
    for entry in outbox.due():
        if entry.destination in channels:
            by_destination[entry.destination].append(entry)
    ended: SimpleQueue[Attempt | None] = SimpleQueue()
    stop = threading.Event()
    attempts = []
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        for destination, entries in by_destination.items():
            line = _Line(channels[destination], outbox.message, ended, stop, hide)
            pool.submit(line.send, entries)
        try:
            for attempt in _until_all_ended(ended, len(by_destination)):
                _record(outbox, attempt)
                attempts.append(attempt)
                if told is not None:
                    told(attempt)
        finally:
            stop.set()
    return attempts


@dataclass(frozen=True)
class _Line:
    """The messages of one destination, sent one after the other in a thread of its own."""

    channel: Channel
    read: Callable[[str], Message]
    ended: SimpleQueue[Attempt | None]
    stop: threading.Event
    hide: Callable[[str], str]

    def send(self, entries: Sequence[Entry]) -> None:
        """Try each entry once, and say at the end that there are no more."""
        n_failed = 0
        try:
            for entry in entries:
                if self.stop.is_set() or n_failed >= FAILURES_IN_A_ROW:
                    return
                attempt, is_away = self._try(entry)
                n_failed = n_failed + 1 if is_away else 0
                self.ended.put(attempt)
        finally:
            self.ended.put(None)

    def _try(self, entry: Entry) -> tuple[Attempt, bool]:
        """Return what became of an entry, and whether the receiver seems to be away."""
        try:
            return Attempt(entry, receipt=self.hide(self.channel.send(self.read(entry.key)))), False
        except SendError as error:
            reason = self.hide(str(error))
            return (
                Attempt(entry, error=reason, retry_after_s=error.retry_after_s),
                not error.is_refusal,
            )
        except CvlarrayError as error:
            return Attempt(entry, error=self.hide(str(error))), True
        except Exception as error:
            # Whatever a library of the channel's raises: the message stays, the others go on.
            logger.exception("sending %s to %s", entry.key, entry.destination)
            return Attempt(entry, error=f"unforeseen {type(error).__name__}"), True


def _until_all_ended(ended: SimpleQueue[Attempt | None], n_lines: int) -> Iterator[Attempt]:
    while n_lines:
        attempt = ended.get()
        if attempt is None:
            n_lines -= 1
        else:
            yield attempt


def _record(outbox: Outbox, attempt: Attempt) -> None:
    if attempt.error is None:
        outbox.record_sent(attempt.entry.key, attempt.receipt or "", at=datetime.now(UTC))
    else:
        outbox.record_failure(attempt.entry, attempt.error, retry_after_s=attempt.retry_after_s)
