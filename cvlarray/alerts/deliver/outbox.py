"""What is to be delivered and what was: one SQLite row a message, its content in a file beside.

The content is on the disk before the row, the row before the first attempt, and the receipt after
the receiver's answer. A process killed at any moment therefore loses nothing, and sends again only
what may not have arrived, under the same key and with the same bytes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from cvlarray.alerts.deliver.backoff import LONGEST_DELAY_S, delay_s
from cvlarray.alerts.deliver.message import AlertVersion, Message
from cvlarray.alerts.package import read_package
from cvlarray.errors import DeliveryError, PackageError
from cvlarray.store import write_atomic
from cvlarray.store.lock import exclusive_lock
from cvlarray.store.sqlite import prepare, transaction

__all__ = ["Entry", "Outbox"]

_BUSY_TIMEOUT_S = 60.0
_SCHEMA = """
CREATE TABLE message (
    key TEXT PRIMARY KEY,
    destination TEXT NOT NULL,
    partner TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at TEXT NOT NULL,
    n_attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    last_error TEXT,
    sent_at TEXT,
    receipt TEXT
);
CREATE TABLE message_alert (
    destination TEXT NOT NULL,
    event_id TEXT NOT NULL,
    version TEXT NOT NULL,
    key TEXT NOT NULL REFERENCES message (key),
    PRIMARY KEY (destination, event_id, version)
) WITHOUT ROWID;
CREATE INDEX pending ON message (not_before) WHERE sent_at IS NULL;
"""


@dataclass(frozen=True)
class Entry:
    """A message as the outbox knows it."""

    key: str
    destination: str
    partner: str
    kind: str
    subject: str
    created_at: datetime
    n_attempts: int
    not_before: float
    """Seconds since 1970: when it may be tried again."""
    last_error: str | None
    sent_at: datetime | None
    receipt: str | None


class Outbox:
    """The outbox of a workspace; use it as a context manager, in one thread.

    Parameters
    ----------
    path
        SQLite file; made if absent. The contents lie in a folder of the same name beside it.

    Raises
    ------
    DeliveryError
        If the file is no outbox, or its disk can't be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.with_suffix("")
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            with self._explained():
                prepare(
                    self._connection,
                    [_SCHEMA.split(";")],
                    path=path,
                    kind="outbox",
                    error=DeliveryError,
                )
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    @contextmanager
    def delivering(self) -> Iterator[None]:
        """Hold the outbox for this process: only one delivers at a time.

        Raises
        ------
        WorkspaceBusyError
            If another process delivers.
        """
        with exclusive_lock(self.path.with_suffix(".lock"), "wait until that delivery ends"):
            self._remove_orphans()
            yield

    def put(self, message: Message, *, destination: str, partner: str) -> bool:
        """Take a message in, unless one of its alerts was taken in for the destination before.

        Returns
        -------
        Whether it was taken in.
        """
        write_atomic(self._content(message.key), message.to_bytes())
        alerts = [(destination, *alert, message.key) for alert in message.alerts]
        row = (
            message.key,
            destination,
            partner,
            message.kind.value,
            message.subject,
            message.created_at.astimezone(UTC).isoformat(),
        )
        with self._explained():
            try:
                with transaction(self._connection):
                    self._connection.execute(
                        "INSERT INTO message (key, destination, partner, kind, subject, created_at)"
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        row,
                    )
                    self._connection.executemany(
                        "INSERT INTO message_alert VALUES (?, ?, ?, ?)", alerts
                    )
            except sqlite3.IntegrityError:
                return False
        return True

    def taken(self, destination: str) -> set[AlertVersion]:
        """Return the alert versions that were taken in for a destination, sent or not."""
        query = "SELECT event_id, version FROM message_alert WHERE destination = ?"
        with self._explained():
            return {AlertVersion(*row) for row in self._connection.execute(query, (destination,))}

    def due(self, *, now: float | None = None) -> list[Entry]:
        """Return what is to be tried now, the longest due first.

        What was put off further than ever is meant was put off by a clock that has gone back since:
        it is due, too.
        """
        now = time.time() if now is None else now
        return self._entries(
            "sent_at IS NULL AND (not_before <= ? OR not_before > ?) ORDER BY not_before, rowid",
            (now, now + LONGEST_DELAY_S),
        )

    def pending(self) -> list[Entry]:
        """Return all that wasn't sent yet."""
        return self._entries("sent_at IS NULL ORDER BY not_before, rowid", ())

    def sent(self) -> list[Entry]:
        """Return all that was sent, in the order in which it was."""
        return self._entries("sent_at IS NOT NULL ORDER BY sent_at, rowid", ())

    def message(self, key: str) -> Message:
        """Return the content of a message.

        Raises
        ------
        DeliveryError
            If its file is gone or isn't what it was.
        """
        try:
            return Message.from_files(read_package(self._content(key)))
        except PackageError as error:
            raise DeliveryError(str(error)) from error

    def record_sent(self, key: str, receipt: str, *, at: datetime) -> None:
        """Write down that a message has arrived."""
        with self._explained():
            self._connection.execute(
                "UPDATE message SET sent_at = ?, receipt = ?, last_error = NULL,"
                " n_attempts = n_attempts + 1 WHERE key = ?",
                (at.astimezone(UTC).isoformat(), receipt, key),
            )

    def record_failure(
        self, entry: Entry, reason: str, *, retry_after_s: float | None, now: float | None = None
    ) -> None:
        """Write down why a message didn't get through, and put it off."""
        now = time.time() if now is None else now
        delay = delay_s(entry.key, entry.n_attempts + 1)
        if retry_after_s is not None:
            delay = min(max(delay, retry_after_s), LONGEST_DELAY_S)
        with self._explained():
            self._connection.execute(
                "UPDATE message SET n_attempts = n_attempts + 1, not_before = ?, last_error = ?"
                " WHERE key = ?",
                (now + delay, reason, entry.key),
            )

    def try_all_now(self) -> None:
        """Let all that wasn't sent be due."""
        with self._explained():
            self._connection.execute("UPDATE message SET not_before = 0 WHERE sent_at IS NULL")

    def first_sent(self) -> dict[AlertVersion, datetime]:
        """Return when each alert version first reached anybody."""
        query = """
            SELECT event_id, version, MIN(sent_at) FROM message_alert JOIN message USING (key)
            WHERE sent_at IS NOT NULL GROUP BY event_id, version
        """
        with self._explained():
            found = self._connection.execute(query).fetchall()
        return {AlertVersion(*alert): datetime.fromisoformat(at) for *alert, at in found}

    def reached(self) -> dict[str, set[str]]:
        """Return the alerts, any version of them, that each partner was sent."""
        query = """
            SELECT DISTINCT partner, event_id FROM message_alert JOIN message USING (key)
            WHERE sent_at IS NOT NULL
        """
        found: dict[str, set[str]] = {}
        with self._explained():
            for partner, event_id in self._connection.execute(query):
                found.setdefault(partner, set()).add(event_id)
        return found

    def _content(self, key: str) -> Path:
        return self.folder / f"{key}.zip"

    def _remove_orphans(self) -> None:
        """Remove contents whose row was never written: the process was killed between them."""
        if self.folder.is_dir():
            known = {row[0] for row in self._connection.execute("SELECT key FROM message")}
            for path in self.folder.iterdir():
                if path.stem not in known:
                    path.unlink(missing_ok=True)

    def _entries(self, condition: str, values: Collection[float]) -> list[Entry]:
        columns = ", ".join(Entry.__dataclass_fields__)
        query = f"SELECT {columns} FROM message WHERE {condition}"  # noqa: S608 (our own words)
        with self._explained():
            found = self._connection.execute(query, tuple(values)).fetchall()
        return [_entry(row) for row in found]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise DeliveryError(
                f"cannot use the outbox {self.path}: {error}; "
                "check that the file is an outbox and that its disk is writable and not full"
            ) from error


def _entry(row: tuple[str | float | None, ...]) -> Entry:
    named = dict(zip(Entry.__dataclass_fields__, row, strict=True))
    for name in ("created_at", "sent_at"):
        named[name] = datetime.fromisoformat(named[name]) if named[name] else None  # type: ignore[assignment, arg-type]
    return Entry(**named)  # type: ignore[arg-type]
