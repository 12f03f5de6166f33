"""The tables of a store of events, read and written."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cvlarray.alerts.events.geopackage import VERSION_COLUMNS, Row
from cvlarray.alerts.events.observed import OBSERVED, Acquisition, Key
from cvlarray.alerts.events.patches import TRACKED, Patch
from cvlarray.kernels.components import label_pixels

__all__ = ["PLACE", "Tables", "with_values"]

PLACE = {name: position for position, name in enumerate(VERSION_COLUMNS)}
COLUMNS = ", ".join(f"v.{name}" for name in VERSION_COLUMNS)
PATCH_COLUMNS = (
    "key, event_id, anchor_row, anchor_col, born, is_confirmed, n_shown, parents, children, pixels"
)
BOX_OF = "SELECT first_row, last_row, first_col, last_col FROM patch_box WHERE key = ?"
ROWS_AT_ONCE = 500


class Tables:
    """Statements on an open connection; the caller has the transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def setting(self, name: str) -> str | None:
        """Return what was set, None if nothing was."""
        found = self._execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def set(self, name: str, value: str) -> None:
        """Set a setting."""
        self._execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def digests(self) -> dict[Key, str]:
        """Return the digest of each acquisition as it is known now, "" of one that is no more."""
        query = "SELECT date, sensor, digest FROM acquisition ORDER BY revision"
        return {(date, sensor): digest for date, sensor, digest in self._execute(query)}

    def revision(self) -> int:
        """Return how often observations of before were read anew."""
        query = "SELECT coalesce(max(revision), 0) FROM acquisition"
        return int(self._execute(query).fetchone()[0])

    def acquisitions(self) -> list[Acquisition]:
        """Return what is known, as it was last read."""
        query = "SELECT date, sensor, pixels FROM acquisition ORDER BY revision"
        latest = {(date, sensor): blob for date, sensor, blob in self._execute(query)}
        read = [
            Acquisition(dt.date.fromisoformat(date), sensor, _unpacked(blob))
            for (date, sensor), blob in sorted(latest.items())
        ]
        return [one for one in read if one.pixels.size]

    def log(self, key: Key, digest: str, pixels: npt.NDArray[np.void], revision: int) -> None:
        """Write what an acquisition says, or that it is no more: no digest and no pixels."""
        packed = zlib.compress(pixels.tobytes(), 1)
        values = (*key, revision, digest, packed)
        self._execute("INSERT INTO acquisition VALUES (NULL, ?, ?, ?, ?, ?)", values)

    def n_events(self) -> int:
        """Return how many events there are, in whatever state."""
        return int(self._execute("SELECT count(*) FROM event_head").fetchone()[0])

    def head(self, event_id: str) -> Row:
        """Return the last version of an event."""
        query = f"SELECT {COLUMNS} FROM event v WHERE event_id = ?"  # noqa: S608
        row: Row = self._execute(query, (event_id,)).fetchone()
        return row

    def chains(self) -> list[Row]:
        """Return the versions that count now, in the order written."""
        query = (
            f"SELECT {COLUMNS} FROM event_version v JOIN event_head h "  # noqa: S608
            "ON v.event_id = h.event_id AND v.revision = h.revision ORDER BY v.fid"
        )
        return self._execute(query).fetchall()

    def append(self, rows: Iterable[Row], revision: int) -> None:
        """Write further versions of events, numbered on from their last ones."""
        marks = ", ".join("?" * len(VERSION_COLUMNS))
        insert = f"INSERT INTO event_version ({', '.join(VERSION_COLUMNS)}) VALUES ({marks})"  # noqa: S608
        last = "SELECT version FROM event_head WHERE event_id = ?"
        for row in rows:
            name = row[PLACE["event_id"]]
            found = self._execute(last, (name,)).fetchone()
            version = 1 if found is None else found[0] + 1
            cursor = self._execute(insert, with_values(row, version=version, revision=revision))
            head = (name, cursor.lastrowid, version, revision)
            self._execute("INSERT OR REPLACE INTO event_head VALUES (?, ?, ?, ?)", head)

    def go_on(self, rows: Iterable[Row]) -> None:
        """Write further versions of events, each in the chain that counts of its event.

        An event that observations read anew left as it was is still in its first chain.
        """
        chain = "SELECT revision FROM event_head WHERE event_id = ?"
        latest = self.revision()
        for row in rows:
            found = self._execute(chain, (row[PLACE["event_id"]],)).fetchone()
            self.append([row], latest if found is None else found[0])

    def patches_near(self, acquisition: Acquisition) -> list[Patch]:
        """Return the patches that hold pixels of an acquisition or neighbours of them."""
        row, col = acquisition.pixels["row"], acquisition.pixels["col"]
        label = label_pixels(row, col, np.zeros(row.size, np.int64), 0, True)
        order = np.argsort(label, kind="stable")
        firsts = np.searchsorted(label[order], np.arange(int(label.max(initial=-1)) + 1))
        row, col = row[order], col[order]
        boxes = np.column_stack(
            [
                np.maximum.reduceat(row, firsts) + 1,
                np.minimum.reduceat(row, firsts) - 1,
                np.maximum.reduceat(col, firsts) + 1,
                np.minimum.reduceat(col, firsts) - 1,
            ]
        )
        query = (
            "SELECT key FROM patch_box WHERE first_row <= ? AND last_row >= ? "
            "AND first_col <= ? AND last_col >= ?"
        )
        keys = sorted({key for box in boxes.tolist() for (key,) in self._execute(query, box)})
        parts = (keys[first : first + ROWS_AT_ONCE] for first in range(0, len(keys), ROWS_AT_ONCE))
        return [patch for part in parts for patch in self._patches_of(part)]

    def patches(self) -> list[Patch]:
        """Return all patches."""
        query = f"SELECT {PATCH_COLUMNS} FROM patch ORDER BY key"  # noqa: S608
        return [_patch(row) for row in self._execute(query)]

    def keep(self, patches: Iterable[Patch]) -> None:
        """Write patches; those with a key replace what is there."""
        marks = ", ".join("?" * 10)
        insert = f"INSERT OR REPLACE INTO patch ({PATCH_COLUMNS}) VALUES ({marks})"  # noqa: S608
        for patch in patches:
            cursor = self._execute(insert, _row(patch))
            key, bounds = patch.key or cursor.lastrowid, patch.bounds
            # Most patches are only seen again; to find a box costs a tenth of replacing it.
            if self._execute(BOX_OF, (key,)).fetchone() != bounds:
                self._execute(
                    "INSERT OR REPLACE INTO patch_box VALUES (?, ?, ?, ?, ?)", (key, *bounds)
                )

    def drop(self, keys: Iterable[int]) -> None:
        """Remove patches that are no more."""
        one = [(key,) for key in keys]
        self.connection.executemany("DELETE FROM patch WHERE key = ?", one)
        self.connection.executemany("DELETE FROM patch_box WHERE key = ?", one)

    def _patches_of(self, keys: Sequence[int]) -> list[Patch]:
        marks = ", ".join("?" * len(keys))
        query = f"SELECT {PATCH_COLUMNS} FROM patch WHERE key IN ({marks}) ORDER BY key"  # noqa: S608
        return [_patch(row) for row in self._execute(query, keys)]

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(statement, values)


def with_values(row: Row, **values: Any) -> Row:
    """Return a row of `VERSION_COLUMNS` with other values."""
    return tuple(values.get(name, row[place]) for name, place in PLACE.items())


def _unpacked(blob: bytes) -> npt.NDArray[np.void]:
    return np.frombuffer(zlib.decompress(blob), OBSERVED)


def _patch(row: Row) -> Patch:
    key, name, anchor_row, anchor_col, born, is_confirmed, n_shown, parents, children, blob = row
    return Patch(
        key=key,
        pixels=np.frombuffer(blob, TRACKED),
        event_id=name,
        anchor=(anchor_row, anchor_col),
        born=born,
        is_confirmed=bool(is_confirmed),
        n_shown=n_shown,
        parents=tuple(json.loads(parents)),
        children=tuple(json.loads(children)),
    )


def _row(patch: Patch) -> Row:
    return (
        patch.key,
        patch.event_id,
        *patch.anchor,
        patch.born,
        patch.is_confirmed,
        patch.n_shown,
        json.dumps(patch.parents),
        json.dumps(patch.children),
        patch.pixels.tobytes(),
    )
