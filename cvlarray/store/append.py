"""Add dates to a store without writing the earlier ones anew."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cvlarray.errors import StoreError
from cvlarray.store.location import StoreLocation, place_of
from cvlarray.store.metadata import consolidated, read_metadata, to_json
from cvlarray.store.place import Place
from cvlarray.store.template import time_files

# Units whose rows outlive their data would count as done.
WAYS_OUT = "Give this run a workspace of its own, or delete {} and the ledger to make both anew"


def n_shared_dates(location: StoreLocation, times: np.ndarray[Any, Any]) -> int | None:
    """Return how many of the first dates of a store are the first of ``times`` (datetime64).

    None if there is no store, if all of its dates are so that nothing need be written again, or if
    it has dates that ``times`` lack so that it is another run's.
    """
    place = place_of(location)
    if not place.exists():
        return None
    stored, wanted = read_metadata(place).coords["time"], times.astype("datetime64[s]")
    same = _n_same(stored, wanted)
    return None if same == len(stored) or not np.isin(stored, wanted).all() else same


def add_times(place: Place, times: np.ndarray[Any, Any], n_kept: int | None = None) -> None:
    """Make the store's dates `times`, which may only go on after those that are kept, or all."""
    stored = read_metadata(place).coords["time"]
    same = _n_same(stored, times)
    if same < (len(stored) if n_kept is None else n_kept):
        found = _date(times[same]) if same < len(times) else "no more dates"
        raise StoreError(
            f"{place} holds {_date(stored[same])} as date {same + 1} of {len(stored)}, this run "
            f"has {found}: dates can only be added after the last, {_date(stored[-1])}. "
            + WAYS_OUT.format(place)
        )
    if len(times) != len(stored) or same < len(stored):
        _extend(place, times)


def _n_same(stored: np.ndarray[Any, Any], times: np.ndarray[Any, Any]) -> int:
    shared = min(len(stored), len(times))
    return int(np.argmin(np.append(stored[:shared] == times[:shared], False)))


def _date(time: np.datetime64) -> str:
    return str(time).removesuffix("T00:00:00")


def _extend(place: Place, times: np.ndarray[Any, Any]) -> None:
    """Give the time dimension other dates.

    Readers of a folder or a bucket go by the root's copy of the metadata, so the dates appear with
    the last write, all at once; a crash before leaves the store as it was, and the next call
    starts over. In a repository all of it is one commit.
    """
    names = read_metadata(place).names
    members = {
        name: _resized(json.loads(place.read(f"{name}/zarr.json")), len(times)) for name in names
    }
    root = json.loads(place.read("zarr.json"))
    if place.is_consolidated:
        root = consolidated(root, members)
    with place.changing(f"{len(times)} dates") as changes:
        for name, metadata in members.items():
            changes.write(f"{name}/zarr.json", [to_json(metadata)])
        for key, content in time_files(times).items():
            changes.write(key, [content])
        changes.write("zarr.json", [to_json(root)])


def _resized(metadata: dict[str, Any], length: int) -> dict[str, Any]:
    """Return an array's metadata with as many dates."""
    dims = metadata.get("dimension_names") or []  # spatial_ref has none
    if "time" not in dims:
        return metadata
    shape = list(metadata["shape"])
    shape[dims.index("time")] = length
    return {**metadata, "shape": shape}
