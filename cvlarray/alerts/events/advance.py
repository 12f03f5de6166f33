"""One acquisition further: which patches there are now, and which of the events of before they are.

Nothing here reads or writes: the same patches and the same acquisition give the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from cvlarray.alerts.events.observed import SENSORS, Acquisition, number_of
from cvlarray.alerts.events.patches import TRACKED, Patch, places
from cvlarray.alerts.events.state import Change
from cvlarray.alerts.identity import event_id
from cvlarray.kernels.components import label_pixels
from cvlarray.kernels.sightings import CLEARED, CONFIRMED
from cvlarray.names import NO_DATE
from cvlarray.vectorize import Connectivity

__all__ = ["Advance", "Closed", "EventRules", "Shown", "advance"]

KeyArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Table = npt.NDArray[np.void]


@dataclass(frozen=True)
class EventRules:
    """What makes pixels one event, and a patch of them an event at all."""

    min_pixels: int = 1
    """Minimum mapping unit; smaller patches are watched, but aren't events."""
    connectivity: Connectivity = 4
    max_gap_days: int = 120
    """Neighbours first flagged further apart are different events [days]."""


class Shown(NamedTuple):
    """An event that the acquisition changed."""

    patch: Patch
    pixels: Table
    """The pixels that the version is about: confirmed ones, or all while it is pending."""
    change: Change


class Closed(NamedTuple):
    """An event that ended: all its pixels were cleared, or another one took it in."""

    event_id: str
    change: Change
    children: tuple[str, ...]
    parents: tuple[str, ...]


class Advance(NamedTuple):
    """What became of the patches."""

    patches: list[Patch]
    """Those that are new or changed."""
    gone: list[int]
    """Keys of those that are no more."""
    shown: list[Shown]
    """Sorted by event id."""
    closed: list[Closed]
    """Sorted by event id."""


class _Pixels(NamedTuple):
    """All pixels of the patches that the acquisition may change."""

    table: Table
    """`TRACKED`, by place and sensor."""
    owner: KeyArray
    """Position of the patch each was in, -1 for new ones."""
    is_touched: BoolArray
    """Whether the acquisition says anything about it."""
    lost: KeyArray
    """Positions of the patches that lost a pixel."""


class _Labels(NamedTuple):
    """Which patch each pixel is in now, and what it inherits."""

    label: KeyArray
    """(pixels,)"""
    keeper: KeyArray
    """(labels,) position of the patch whose name goes on, -1 if none."""
    pairs: KeyArray
    """(n, 2) positions of earlier patches and labels that share pixels."""


def advance(
    patches: Sequence[Patch], acquisition: Acquisition, rules: EventRules, geobox: GeoBox
) -> Advance:
    """Take in one acquisition.

    Pixels are one patch if they are connected and were first flagged within ``max_gap_days`` of
    their neighbours. A patch goes on in the one that holds the pixel its name was made of, or the
    most of its pixels once that pixel is cleared. Where several go on in one, the confirmed and
    oldest of them gives the name and takes the others in; what comes off an event gets a name of
    its own.

    Parameters
    ----------
    patches
        At least all that hold a pixel of the acquisition or a neighbour of one.
    acquisition
        Later than all that the patches have seen; another sensor may be of the same day.
    rules
        The same for all acquisitions.
    geobox
        Grid of the pixels, for the names.
    """
    pixels = _observe(patches, acquisition)
    labels = _label(patches, pixels, rules)
    return _Step(patches, pixels, labels, acquisition, rules, geobox).result()


def _observe(patches: Sequence[Patch], acquisition: Acquisition) -> _Pixels:
    """Return the pixels after the acquisition."""
    table = np.concatenate([np.empty(0, TRACKED), *(patch.pixels for patch in patches)])
    owner = np.repeat(np.arange(len(patches)), [patch.pixels.size for patch in patches])
    sensor = SENSORS.index(acquisition.sensor)
    seen = acquisition.pixels
    day = number_of(acquisition.date)

    of_sensor = np.flatnonzero(table["sensor"] == sensor)
    of_sensor = of_sensor[np.argsort(places(table[of_sensor]))]
    known, wanted = places(table[of_sensor]), places(seen)
    at = np.minimum(np.searchsorted(known, wanted), max(known.size - 1, 0))
    is_known = known[at] == wanted if known.size else np.zeros(wanted.size, np.bool_)
    is_cleared = seen["status"] == CLEARED

    is_touched = np.zeros(table.size, np.bool_)
    updated = of_sensor[at[is_known]] if known.size else np.empty(0, np.int64)
    is_touched[updated] = True
    for name in ("status", "first_flagged", "interval_start", "confidence", "magnitude"):
        table[name][updated] = seen[name][is_known]
    is_new_confirmation = (table["status"] == CONFIRMED) & (table["confirmed"] == NO_DATE)
    table["confirmed"][is_new_confirmation] = day
    kept = np.ones(table.size, np.bool_)
    kept[updated[is_cleared[is_known]]] = False

    added = seen[~is_known & ~is_cleared]
    new = np.zeros(added.size, TRACKED)
    for name in ("row", "col", "status", "first_flagged", "interval_start", "confidence"):
        new[name] = added[name]
    new["magnitude"], new["sensor"] = added["magnitude"], sensor
    new["confirmed"] = np.where(added["status"] == CONFIRMED, day, NO_DATE)

    joined = np.concatenate((table[kept], new))
    order = np.lexsort((joined["sensor"], places(joined)))
    return _Pixels(
        joined[order],
        np.concatenate((owner[kept], np.full(new.size, -1)))[order],
        np.concatenate((is_touched[kept], np.ones(new.size, np.bool_)))[order],
        np.unique(owner[~kept]),
    )


def _label(patches: Sequence[Patch], pixels: _Pixels, rules: EventRules) -> _Labels:
    """Return the patches that the pixels make now."""
    where, first, place_of = np.unique(places(pixels.table), return_index=True, return_inverse=True)
    days = np.full(where.size, np.iinfo(np.int64).max)
    np.minimum.at(days, place_of, pixels.table["first_flagged"].astype(np.int64))
    row, col = (pixels.table[name][first] for name in ("row", "col"))
    label = label_pixels(row, col, days, rules.max_gap_days, rules.connectivity == 8)[place_of]
    n_labels = int(label.max(initial=-1)) + 1

    old = np.flatnonzero(pixels.owner >= 0)
    pairs, counts = np.unique(
        np.column_stack((pixels.owner[old], label[old])), axis=0, return_counts=True
    )
    owners, labels = pairs.reshape(-1, 2).T
    heir = np.full(len(patches), -1)
    by_count = np.lexsort((-labels, counts))  # the most pixels, of equals the first, come last
    heir[owners[by_count]] = labels[by_count]
    anchors = np.array([patch.anchor for patch in patches], np.int64).reshape(-1, 2)
    anchor_places = (anchors[:, 0] << 31) | anchors[:, 1]
    is_anchor = places(pixels.table[old]) == anchor_places[pixels.owner[old]]
    heir[pixels.owner[old[is_anchor]]] = label[old[is_anchor]]

    keeper = np.full(n_labels, -1)
    for position in sorted(range(len(patches)), key=lambda k: patches[k].rank, reverse=True):
        if heir[position] >= 0:
            keeper[heir[position]] = position
    return _Labels(label, keeper, pairs.reshape(-1, 2))


@dataclass(frozen=True)
class _Step:
    """The bookkeeping of names and lineage."""

    patches: Sequence[Patch]
    pixels: _Pixels
    labels: _Labels
    acquisition: Acquisition
    rules: EventRules
    geobox: GeoBox

    def result(self) -> Advance:
        """Return what became of every patch."""
        now = self._named(self._current())
        children: dict[int, set[str]] = {}
        parents: dict[int, set[str]] = {}
        for position, label in self.labels.pairs.tolist():
            was, became = self.patches[position].event_id, now[label].event_id
            if was is not None and became != was:
                parents.setdefault(label, set()).add(was)
                if became is not None:
                    children.setdefault(position, set()).add(became)
        keepers = self.labels.keeper.tolist()
        result = Advance([], [], [], [])
        touched = self._touched(parents, children)
        for label, patch in enumerate(now):
            if not touched[label]:
                continue
            given = children.get(keepers[label], set()) if keepers[label] >= 0 else set()
            current = replace(
                patch,
                parents=_with(patch.parents, parents.get(label, set())),
                children=_with(patch.children, given),
            )
            self._show(current, keepers[label], parents.get(label, set()), result)
        self._close(children, result)
        result.shown.sort(key=lambda one: one.patch.event_id or "")
        result.closed.sort(key=lambda one: one.event_id)
        return result

    def _current(self) -> list[Patch]:
        """Return the patches with their pixels as they are now."""
        order = np.argsort(self.labels.label, kind="stable")
        bounds = np.searchsorted(self.labels.label[order], np.arange(1, self.labels.keeper.size))
        parts = np.split(self.pixels.table[order], bounds) if order.size else []
        return [
            replace(self.patches[keeper], pixels=part) if keeper >= 0 else Patch(None, part)
            for keeper, part in zip(self.labels.keeper.tolist(), parts, strict=True)
        ]

    def _named(self, patches: list[Patch]) -> list[Patch]:
        """Return the patches; those that are events as of now have their name."""
        came_off = {
            label
            for position, label in self.labels.pairs.tolist()
            if self.labels.keeper[label] < 0 and self.patches[position].event_id is not None
        }
        named = []
        for label, patch in enumerate(patches):
            if patch.event_id is None and _n_places(patch.pixels) >= self.rules.min_pixels:
                is_split = label in came_off or bool(patch.parents)
                named.append(self._name(patch, is_split=is_split))
            else:
                named.append(patch)
        return named

    def _name(self, patch: Patch, *, is_split: bool) -> Patch:
        pixels = patch.pixels
        first = pixels[np.lexsort((pixels["col"], pixels["row"], pixels["first_flagged"]))[0]]
        row, col, day = (int(first[name]) for name in ("row", "col", "first_flagged"))
        split_on = np.datetime64(self.acquisition.date, "D") if is_split else None
        name = event_id(self.geobox, row, col, np.datetime64(day, "D"), split_on)
        return replace(patch, event_id=name, anchor=(row, col), born=day)

    def _touched(self, parents: dict[int, set[str]], children: dict[int, set[str]]) -> BoolArray:
        """Return which patches aren't as they were."""
        touched = np.zeros(self.labels.keeper.size, np.bool_)
        touched[self.labels.label[self.pixels.is_touched]] = True
        touched[self.labels.keeper < 0] = True
        touched[list(parents)] = True
        changed = np.zeros(len(self.patches) + 1, np.bool_)
        changed[self.pixels.lost] = True
        changed[list(children)] = True
        owners, labels = self.labels.pairs.T
        several = np.bincount(owners, minlength=len(self.patches)) > 1  # it came apart
        changed[: len(self.patches)] |= several
        touched |= changed[self.labels.keeper]
        is_foreign = self.labels.keeper[labels] != owners  # it took pixels of another one in
        touched[labels[is_foreign]] = True
        return touched

    def _show(self, patch: Patch, keeper: int, new_parents: set[str], result: Advance) -> None:
        """Add a patch to the result, and its version if it is an event."""
        was = self.patches[keeper] if keeper >= 0 else None
        confirmed = patch.pixels[patch.pixels["status"] == CONFIRMED]
        is_confirmed = _n_places(confirmed) >= self.rules.min_pixels
        shown = confirmed if is_confirmed else patch.pixels
        if patch.event_id is not None:
            patch = replace(patch, is_confirmed=is_confirmed, n_shown=_n_places(shown))
            change = _change(was, patch, new_parents)
            result.shown.append(Shown(patch, shown, change))
        result.patches.append(patch)

    def _close(self, children: dict[int, set[str]], result: Advance) -> None:
        """End the patches whose name doesn't go on."""
        going_on = set(self.labels.keeper.tolist())
        for position, patch in enumerate(self.patches):
            if position in going_on:
                continue
            if patch.key is not None:
                result.gone.append(patch.key)
            if patch.event_id is not None:
                into = children.get(position, set())
                change = Change.MERGED if into else Change.WITHDRAWN
                result.closed.append(
                    Closed(patch.event_id, change, _with(patch.children, into), patch.parents)
                )


def _change(was: Patch | None, now: Patch, new_parents: set[str]) -> Change:
    """Return what is new of an event, the weightiest first."""
    if was is None or was.event_id is None:
        return Change.SPLIT_OFF if now.parents else Change.NEW
    if now.is_confirmed and not was.is_confirmed:
        return Change.CONFIRMED
    if new_parents:
        return Change.MERGED_IN
    if now.n_shown != was.n_shown:
        return Change.GROWN if now.n_shown > was.n_shown else Change.SHRUNK
    return Change.SEEN


def _with(names: tuple[str, ...], more: set[str]) -> tuple[str, ...]:
    return tuple(sorted({*names, *more}))


def _n_places(pixels: Table) -> int:
    """Return the number of places of pixels that are ordered by place."""
    numbers = places(pixels)
    return int(np.count_nonzero(numbers[1:] != numbers[:-1])) + 1 if numbers.size else 0
