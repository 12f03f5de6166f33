"""The events of a run: their versions for ever, and what the next acquisition goes on from.

One GeoPackage: SQLite's transactions leave nothing half done when an update is killed, an update
costs what it changes and not what is stored, and any GIS reads the file.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from odc.geo.geobox import GeoBox

from cvlarray.alerts.events.advance import Advance, Closed, EventRules, advance
from cvlarray.alerts.events.geopackage import (
    Row,
    connect,
    explained,
    rows_of,
)
from cvlarray.alerts.events.observed import OBSERVED, Acquisition, Key
from cvlarray.alerts.events.revise import (
    chains_of,
    inherited_names,
    renamed_patch,
    renamed_row,
    revised,
)
from cvlarray.alerts.events.state import Change, State
from cvlarray.alerts.events.tables import PLACE, Tables, with_values
from cvlarray.alerts.events.version import describe
from cvlarray.errors import StoreError
from cvlarray.store.sqlite import transaction

__all__ = ["EventStore"]

NEWS = [
    place
    for name, place in PLACE.items()
    if name not in {"version", "revision", "acquisition", "change"}
]
"""Where two versions differ if the later one says anything new."""


class EventStore:
    """The events of one grid; use it as a context manager, one at a time.

    Parameters
    ----------
    path
        GeoPackage, made if absent; ":memory:" for one that is gone when closed.
    geobox
        Grid of the run.
    rules
        What makes pixels an event. Other rules than before make all events anew at the next update.
    class_name
        Class of all events.

    Raises
    ------
    StoreError
        If the file can't be used, or was made for another grid.
    """

    def __init__(
        self,
        path: Path | str,
        geobox: GeoBox,
        rules: EventRules = EventRules(),  # noqa: B008  frozen
        *,
        class_name: str = "forest_disturbance",
    ) -> None:
        self.path = path
        self.geobox = geobox
        self.rules = rules
        self.class_name = class_name
        self._tables = Tables(connect(path))
        try:
            self._check_grid()
        except BaseException:
            self._tables.connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tables.connection.close()

    def __len__(self) -> int:
        """Return the number of events, in whatever state."""
        with explained(self.path):
            return self._tables.n_events()

    def update(
        self,
        acquisitions: Iterable[Acquisition],
        *,
        since: dt.date = dt.date.min,
        until: dt.date = dt.date.max,
    ) -> None:
        """Take in what is new, each acquisition whole or not at all.

        Acquisitions that go on from what is known are taken in one after the other; how many come
        with one call makes no difference. If one is changed, missing, or of a date before the last
        one known, all events are made anew: those that come out different get further versions,
        those that are no more are withdrawn, and one that only has another first date keeps its
        name. Nothing that was written is changed.

        Parameters
        ----------
        acquisitions
            All that is known of the time from ``since`` to ``until``.
        since, until
            First and last day of it; what is known of other days stays as it is.

        Raises
        ------
        StoreError
            If the file can't be written.
        ValueError
            If an acquisition is of another time.
        """
        given = {one.key: one for one in acquisitions if one.pixels.size}
        outside = [day for day, _ in given if not str(since) <= day <= str(until)]
        if outside:
            raise ValueError(f"acquisitions must be of {since} to {until}, got {outside[0]}")
        with explained(self.path):
            known = {
                key: digest
                for key, digest in self._tables.digests().items()
                if digest and str(since) <= key[0] <= str(until)
            }
            new = [given[key] for key in sorted(given.keys() - known.keys())]
            is_kept = all(key in given and given[key].digest == known[key] for key in known)
            last = max(self._tables.digests(), default=("", ""))
            if is_kept and all(one.key > last for one in new) and self._has_same_rules():
                for one in new:
                    self._take_in(one)
            else:
                self._make_anew(given, known)

    def _check_grid(self) -> None:
        """Remember the grid, or check that it is the one remembered."""
        box = self.geobox
        values = {"crs": str(box.crs), "transform": [*box.affine][:6], "shape": [*box.shape]}
        grid = json.dumps(values)
        with explained(self.path):
            known = self._tables.setting("grid")
            if known is None:
                with transaction(self._tables.connection):
                    self._tables.set("grid", grid)
                    self._tables.set("rules", self._rules())
        if known not in {None, grid}:
            raise StoreError(
                f"the events {self.path} are of another grid: {known}, not {grid}; "
                "give this run another workspace"
            )

    def _rules(self) -> str:
        return json.dumps({**asdict(self.rules), "class": self.class_name})

    def _has_same_rules(self) -> bool:
        return self._tables.setting("rules") == self._rules()

    def _take_in(self, acquisition: Acquisition) -> None:
        """Advance by one acquisition."""
        near = self._tables.patches_near(acquisition)
        step = advance(near, acquisition, self.rules, self.geobox)
        date = acquisition.date.isoformat()
        rows = [*self._described(step, date), *self._endings(step.closed, date)]
        with transaction(self._tables.connection):
            revision = self._tables.revision()
            self._tables.log(acquisition.key, acquisition.digest, acquisition.pixels, revision)
            self._tables.go_on(rows)
            self._tables.drop(step.gone)
            self._tables.keep(step.patches)

    def _described(self, step: Advance, date: str) -> list[Row]:
        """Return the rows of the events of which an acquisition says something new."""
        if not step.shown:
            return []
        table = describe(
            step.shown,
            self.geobox,
            class_name=self.class_name,
            connectivity=self.rules.connectivity,
        )
        acquired = np.datetime64(date, "ms")
        rows = rows_of(table.assign(acquisition=acquired, version=0, revision=0))
        return [row for row in rows if not self._is_known(row)]

    def _is_known(self, row: Row) -> bool:
        if row[PLACE["change"]] != Change.SEEN:
            return False
        before = self._tables.head(row[PLACE["event_id"]])
        return all(row[place] == before[place] for place in NEWS)

    def _endings(self, closed: Sequence[Closed], date: str) -> list[Row]:
        """Return the last rows of events that ended: as they were, with their new state."""
        return [
            with_values(
                self._tables.head(one.event_id),
                acquisition=date,
                state=str(State.MERGED if one.change is Change.MERGED else State.WITHDRAWN),
                change=str(one.change),
                parents=json.dumps(list(one.parents)),
                children=json.dumps(list(one.children)),
            )
            for one in closed
        ]

    def _make_anew(self, given: Mapping[Key, Acquisition], known: Mapping[Key, str]) -> None:
        """Make all events from what is given and what else is stored; write what is different."""
        stored = {one.key: one for one in self._tables.acquisitions() if one.key not in known}
        every = {**stored, **given}
        with EventStore(":memory:", self.geobox, self.rules, class_name=self.class_name) as anew:
            for key in sorted(every):
                anew._take_in(every[key])
            with transaction(self._tables.connection):
                revision = self._tables.revision() + 1
                for key in sorted(known.keys() - given.keys()):
                    self._tables.log(key, "", np.empty(0, OBSERVED), revision)
                for key, one in sorted(given.items()):
                    if known.get(key) != one.digest:
                        self._tables.log(key, one.digest, one.pixels, revision)
                self._revise(anew._tables, revision)
                self._tables.set("rules", self._rules())

    def _revise(self, anew: Tables, revision: int) -> None:
        """Append what other tables have different, and go on from their patches."""
        before, after = chains_of(self._tables.chains()), chains_of(anew.chains())
        was, now = self._tables.patches(), anew.patches()
        names = inherited_names(was, now, before.keys(), after.keys())
        renamed = chains_of(renamed_row(row, names) for chain in after.values() for row in chain)
        self._tables.append(list(revised(before, renamed)), revision)
        self._tables.drop(patch.key for patch in was if patch.key is not None)
        self._tables.keep(renamed_patch(patch, names) for patch in now)
