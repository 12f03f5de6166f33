"""The log of verdicts: only ever added to, and which of them stands."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from cvlarray.alerts.feedback import VERDICT_DTYPES, Decision, Reason
from cvlarray.errors import StoreError
from cvlarray.review.database import ReviewDatabase

__all__ = ["Judgement", "UndoRefusedError", "check_log", "give_verdict", "read_verdicts", "undo"]

_COLUMNS = (
    "event_id",
    "alert_hash",
    "partner",
    "reviewer",
    "decision",
    "reason",
    "note",
    "undoes",
    "request_id",
    "decided_at",
)
"""What `chain` covers, in this order."""

_STANDING = """
    SELECT decision FROM verdict AS given
    WHERE event_id = ? AND decision <> 'undone'
        AND NOT EXISTS (SELECT 1 FROM verdict WHERE undoes = given.verdict_id)
    ORDER BY verdict_id DESC LIMIT 1
"""


class UndoRefusedError(ValueError):
    """A verdict isn't there, isn't one's own, or was taken back before."""


@dataclass(frozen=True)
class Judgement:
    """What a reviewer says."""

    event_id: str
    partner: str
    reviewer: str
    decision: Decision
    request_id: str
    """One for each click, whatever the network makes of it: said twice it counts once."""
    reason: Reason | None = None
    note: str = ""


def give_verdict(database: ReviewDatabase, judgement: Judgement) -> int:
    """Add a verdict to the log; it stands until it is undone or another one follows.

    A double click (the same request, or the same reviewer saying again what stands) adds nothing.

    Returns
    -------
    Its ``verdict_id``, or that of the one that says it already.

    Raises
    ------
    LookupError
        If there is no such alert.
    StoreError
        If it can't be written; then it wasn't said.
    """
    with database.transaction() as connection:
        known = connection.execute(
            "SELECT verdict_id FROM verdict WHERE request_id = ?", (judgement.request_id,)
        ).fetchone() or _same_again(connection, judgement)
        if known:
            return int(known["verdict_id"])
        alert = connection.execute(
            "SELECT alert_hash FROM alert WHERE event_id = ?", (judgement.event_id,)
        ).fetchone()
        if alert is None:
            raise LookupError(f"there is no alert {judgement.event_id}")
        verdict_id = _append(
            connection,
            event_id=judgement.event_id,
            alert_hash=alert["alert_hash"],
            partner=judgement.partner,
            reviewer=judgement.reviewer,
            decision=judgement.decision.value,
            reason=judgement.reason.value if judgement.reason else None,
            note=judgement.note,
            undoes=None,
            request_id=judgement.request_id,
        )
        _move(connection, judgement.event_id)
        return verdict_id


def undo(
    database: ReviewDatabase,
    verdict_id: int,
    *,
    event_id: str,
    partner: str,
    reviewer: str,
    request_id: str,
) -> int:
    """Take a verdict of one's own back; both stay in the log, and what stood before stands again.

    Raises
    ------
    UndoRefusedError
        If there is no such verdict of this partner on this event, or another request undid it.
    StoreError
        If it can't be written.
    """
    with database.transaction() as connection:
        known = connection.execute(
            "SELECT verdict_id FROM verdict WHERE request_id = ?", (request_id,)
        ).fetchone()
        if known:
            return int(known["verdict_id"])
        given = connection.execute(
            "SELECT * FROM verdict WHERE verdict_id = ? AND event_id = ? AND partner = ? "
            "AND decision <> 'undone'",
            (verdict_id, event_id, partner),
        ).fetchone()
        if given is None:
            raise UndoRefusedError(f"there is no verdict {verdict_id} of yours")
        try:
            added = _append(
                connection,
                event_id=given["event_id"],
                alert_hash=given["alert_hash"],
                partner=partner,
                reviewer=reviewer,
                decision=Decision.UNDONE.value,
                reason=None,
                note="",
                undoes=verdict_id,
                request_id=request_id,
            )
        except sqlite3.IntegrityError as error:
            raise UndoRefusedError(f"verdict {verdict_id} was undone already") from error
        _move(connection, given["event_id"])
        return added


def read_verdicts(database: ReviewDatabase, event_id: str | None = None) -> pd.DataFrame:
    """Return the log, of one event or all, as `cvlarray.alerts.feedback.VERDICT_DTYPES`."""
    columns = list(VERDICT_DTYPES)
    with database.explained():
        rows = database.connection.execute(
            f"SELECT {', '.join(columns)} FROM verdict "  # noqa: S608 (our own names)
            "WHERE ?1 IS NULL OR event_id = ?1 ORDER BY verdict_id",
            (event_id,),
        ).fetchall()
    table = pd.DataFrame([tuple(row) for row in rows], columns=columns)
    table["decided_at"] = pd.to_datetime(table["decided_at"], utc=True, format="ISO8601")
    return table.astype(VERDICT_DTYPES)


def check_log(database: ReviewDatabase) -> None:
    """Make sure that no verdict was changed or removed behind the log's back.

    Raises
    ------
    StoreError
        If one was; it names the first verdict that doesn't fit.
    """
    chain = ""
    with database.explained():
        rows = database.connection.execute("SELECT * FROM verdict ORDER BY verdict_id")
        for number, row in enumerate(rows, start=1):
            chain = _chained(chain, [row[name] for name in _COLUMNS])
            if row["verdict_id"] != number or row["chain"] != chain:
                raise StoreError(
                    f"the log of verdicts in {database.path} was tampered with: verdict {number} "
                    "does not follow from those before it; restore the file from a copy"
                )


def _same_again(connection: sqlite3.Connection, judgement: Judgement) -> Any:
    """Return the latest row of the event if it says the same and is the same reviewer's."""
    last = connection.execute(
        "SELECT * FROM verdict WHERE event_id = ? ORDER BY verdict_id DESC LIMIT 1",
        (judgement.event_id,),
    ).fetchone()
    said = judgement.partner, judgement.reviewer, judgement.decision, judgement.reason
    names = "partner", "reviewer", "decision", "reason"
    return last if last and tuple(last[name] for name in names) == said else None


def _append(connection: sqlite3.Connection, **values: Any) -> int:
    last = connection.execute("SELECT chain FROM verdict ORDER BY verdict_id DESC LIMIT 1")
    before = last.fetchone()
    values["decided_at"] = datetime.now(UTC).isoformat(timespec="microseconds")
    row = [values[name] for name in _COLUMNS]
    marks = ", ".join("?" * (len(row) + 1))
    cursor = connection.execute(
        f"INSERT INTO verdict ({', '.join(_COLUMNS)}, chain) VALUES ({marks})",  # noqa: S608
        [*row, _chained(before["chain"] if before else "", row)],
    )
    return int(cursor.lastrowid or 0)


def _chained(before: str, row: Sequence[Any]) -> str:
    return hashlib.sha256(f"{before}{json.dumps(row)}".encode()).hexdigest()


def _move(connection: sqlite3.Connection, event_id: str) -> None:
    """Put the alert where its standing verdict says, for everybody who sees it."""
    standing = connection.execute(_STANDING, (event_id,)).fetchone()
    rows = connection.execute(
        "DELETE FROM queue WHERE event_id = ? "
        "RETURNING audience, urgency, worth, event_id, cell_x, cell_y",
        (event_id,),
    ).fetchall()
    state = standing["decision"] if standing else "open"
    connection.executemany(
        "INSERT INTO queue (audience, urgency, worth, event_id, cell_x, cell_y, state) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*row, state) for row in rows],
    )
