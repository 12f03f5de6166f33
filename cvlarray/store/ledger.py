"""Which units of work are done: one SQLite row each, written after the unit's data.

The protocol that makes a kill at any moment harmless: `Ledger.forget` the units about to be
computed again, write their data, then `Ledger.record` each. A row therefore always speaks of the
data that are there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cvlarray.errors import StoreError
from cvlarray.store.atomic import make_folder
from cvlarray.store.sqlite import prepare, transaction

_BUSY_TIMEOUT_S = 60.0
_SCHEMA = """
CREATE TABLE unit (
    stage TEXT NOT NULL,
    unit TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    status TEXT NOT NULL,
    written_at TEXT NOT NULL,
    wall_s REAL NOT NULL,
    cpu_s REAL NOT NULL,
    bytes_read INTEGER NOT NULL,
    bytes_written INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (stage, unit)
) WITHOUT ROWID
"""
_HASHES = "CREATE INDEX unit_hashes ON unit (stage, unit, status, input_hash)"
"""What is asked of a hundred thousand units at a time, without their details of some kB each."""
_RECORD = """
INSERT OR REPLACE INTO unit VALUES (
    :stage, :unit, :input_hash, :status, :written_at,
    :wall_s, :cpu_s, :bytes_read, :bytes_written, :detail
)
"""


class UnitStatus(StrEnum):
    """How a unit ended."""

    DONE = "done"
    PARTIAL = "partial"
    """Written, but some assets could not be read: the next run computes it again."""


@dataclass(frozen=True)
class LedgerRow:
    """One finished unit of work."""

    stage: str
    """Stage, such as ``ingest``."""
    unit: str
    """Key of the unit within the stage, such as ``r003c012/2020-01-03_2020-02-11``."""
    input_hash: str
    """`input_hash` of all that the unit's data depend on."""
    status: UnitStatus = UnitStatus.DONE
    """Whether anything is missing."""
    written_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the data were written, with a time zone."""
    wall_s: float = 0.0
    """Elapsed time [s]."""
    cpu_s: float = 0.0
    """CPU time [s]."""
    bytes_read: int = 0
    """Bytes read from assets or stores."""
    bytes_written: int = 0
    """Bytes written to stores."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """More, as JSON: the unread assets of a partial unit, for example."""


@dataclass(frozen=True)
class StageSummary:
    """All units of a stage together."""

    stage: str
    done: int
    partial: int
    last_written_at: datetime
    wall_s: float
    """Sum of the units' elapsed times [s]; units run side by side."""
    cpu_s: float
    bytes_read: int
    bytes_written: int


class Ledger:
    """The ledger of a workspace; use it as a context manager, in one thread.

    Every change is on the disk when the method returns. Other processes may read meanwhile.
    The folder must be on a local disk: SQLite's write-ahead log needs shared memory.

    Parameters
    ----------
    path
        SQLite file; made if absent.

    Raises
    ------
    StoreError
        If the file is no ledger, was written by a newer version, or can't be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path.parent)
        with self._explained():
            # Autocommit: each statement is a transaction of its own.
            self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            with self._explained():
                prepare(self._connection, [[_SCHEMA], [_HASHES]], path=path, kind="ledger")
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
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._explained():
            self._connection.close()

    def record(self, row: LedgerRow) -> None:
        """Write or replace the row of a unit. Call it after the unit's data are on the disk."""
        values = {
            **{item.name: getattr(row, item.name) for item in fields(row)},
            "written_at": row.written_at.astimezone(UTC).isoformat(),
            "detail": json.dumps(row.detail),
        }
        with self._explained():
            self._connection.execute(_RECORD, values)

    def forget(self, stage: str, units: Iterable[str]) -> None:
        """Remove the rows of units, all or none. Call it before their data are written again."""
        keys = [(stage, unit) for unit in units]
        with self._explained(), transaction(self._connection):
            self._connection.executemany("DELETE FROM unit WHERE stage = ? AND unit = ?", keys)

    def done(self, stage: str) -> dict[str, str]:
        """Return the input hash of each unit of a stage that has all its data."""
        query = "SELECT unit, input_hash FROM unit WHERE stage = ? AND status = ?"
        with self._explained():
            return dict(self._connection.execute(query, (stage, UnitStatus.DONE)))

    def hashes(self, stage: str) -> dict[str, str]:
        """Return the input hash of each unit of a stage, of partial ones too, by unit in order."""
        query = "SELECT unit, input_hash FROM unit WHERE stage = ? ORDER BY unit"
        with self._explained():
            return dict(self._connection.execute(query, (stage,)))

    def row(self, stage: str, unit: str) -> LedgerRow | None:
        """Return the row of a unit, None if there is none."""
        query = "SELECT * FROM unit WHERE stage = ? AND unit = ?"
        with self._explained():
            found = self._connection.execute(query, (stage, unit)).fetchone()
        return None if found is None else _row(found)

    def tally(self, stage: str, name: str) -> dict[tuple[str, str], int]:
        """Count the entries of a mapping that the details of a stage's units have.

        Returns
        -------
        How many units have an entry, by its key and value.
        """
        query = """
            SELECT entry.key, entry.value, COUNT(*) FROM unit, json_each(detail, ?) AS entry
            WHERE stage = ? GROUP BY entry.key, entry.value
        """
        with self._explained():
            found = self._connection.execute(query, (f"$.{name}", stage))
            return {(key, value): count for key, value, count in found}

    def rows(self, stage: str | None = None) -> list[LedgerRow]:
        """Return the rows of a stage, or of all, by stage and unit."""
        query = "SELECT * FROM unit WHERE ?1 IS NULL OR stage = ?1 ORDER BY stage, unit"
        with self._explained():
            return [_row(values) for values in self._connection.execute(query, (stage,))]

    def summary(self) -> dict[str, StageSummary]:
        """Return the sums of each stage, by its name."""
        query = """
            SELECT stage, SUM(status = 'done'), SUM(status = 'partial'), MAX(written_at),
                   SUM(wall_s), SUM(cpu_s), SUM(bytes_read), SUM(bytes_written)
            FROM unit GROUP BY stage ORDER BY stage
        """
        with self._explained():
            found = self._connection.execute(query).fetchall()
        return {
            stage: StageSummary(stage, done, partial, datetime.fromisoformat(last), *sums)
            for stage, done, partial, last, *sums in found
        }

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot use the ledger {self.path}: {error}; "
                "check that the file is a ledger and that its disk is writable and not full"
            ) from error


def _row(values: tuple[Any, ...]) -> LedgerRow:
    named = dict(zip((item.name for item in fields(LedgerRow)), values, strict=True))
    return LedgerRow(
        **named
        | {
            "status": UnitStatus(named["status"]),
            "written_at": datetime.fromisoformat(named["written_at"]),
            "detail": json.loads(named["detail"]),
        }
    )
