"""What observations read anew change: events that keep their name, and those that differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from cvlarray.alerts.events.geopackage import Row
from cvlarray.alerts.events.patches import Patch, places
from cvlarray.alerts.events.state import Change, State
from cvlarray.alerts.events.tables import PLACE

__all__ = ["Chains", "chains_of", "inherited_names", "renamed_patch", "renamed_row", "revised"]

Chains = Mapping[str, Sequence[Row]]
"""Rows of `VERSION_COLUMNS` of each event, in order."""

BOOKKEEPING = {PLACE["version"], PLACE["revision"]}
"""What two versions that say the same may differ in."""


def chains_of(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each event."""
    chains: dict[str, list[Row]] = {}
    for row in rows:
        chains.setdefault(row[PLACE["event_id"]], []).append(row)
    return chains


def inherited_names(
    before: Iterable[Patch], after: Iterable[Patch], known: Collection[str], found: Collection[str]
) -> dict[str, str]:
    """Return which new name stands for which one of before.

    A scene that comes late may give an event another first date, and so another name. It keeps the
    one that it was told by: that of the event of before with which it shares the most pixels.

    Parameters
    ----------
    before, after
        Patches as they were known, and as made anew.
    known, found
        Names of all events as they were known, and as made anew.
    """
    owner = {
        place: patch.event_id
        for patch in before
        if patch.event_id is not None and patch.event_id not in found
        for place in places(patch.pixels).tolist()
    }
    shared: Counter[tuple[str, str]] = Counter()
    for patch in after:
        if patch.event_id is not None and patch.event_id not in known:
            olds = (owner.get(place) for place in set(places(patch.pixels).tolist()))
            shared.update((patch.event_id, old) for old in olds if old is not None)
    names: dict[str, str] = {}
    for new, old in sorted(shared, key=lambda pair: (-shared[pair], pair)):
        if new not in names and old not in names.values():
            names[new] = old
    return names


def renamed_row(row: Row, names: Mapping[str, str]) -> Row:
    """Return a row of `VERSION_COLUMNS` with the names that go on."""
    if not names:
        return row
    values = list(row)
    values[PLACE["event_id"]] = names.get(row[PLACE["event_id"]], row[PLACE["event_id"]])
    for column in ("parents", "children"):
        listed = json.loads(row[PLACE[column]])
        values[PLACE[column]] = json.dumps(sorted(names.get(name, name) for name in listed))
    return tuple(values)


def renamed_patch(patch: Patch, names: Mapping[str, str]) -> Patch:
    """Return a patch with the names that go on."""
    return replace(
        patch,
        event_id=names.get(patch.event_id or "", patch.event_id),
        parents=tuple(sorted(names.get(name, name) for name in patch.parents)),
        children=tuple(sorted(names.get(name, name) for name in patch.children)),
    )


def revised(before: Chains, after: Chains) -> Iterator[Row]:
    """Yield the rows to append: whole chains that differ, and an end for those that are no more."""
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            last = list(before[name][-1])
            if last[PLACE["change"]] != Change.REPROCESSED:
                last[PLACE["state"]] = str(State.WITHDRAWN)
                last[PLACE["change"]] = str(Change.REPROCESSED)
                yield tuple(last)
        elif name not in before or _said(before[name]) != _said(after[name]):
            yield from after[name]


def _said(chain: Sequence[Row]) -> list[Row]:
    return [
        tuple(value for place, value in enumerate(row) if place not in BOOKKEEPING) for row in chain
    ]
