"""Add dates to a store without writing the earlier ones anew."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cvlarray.errors import StoreError
from cvlarray.store.metadata import consolidated, read_metadata, to_json
from cvlarray.store.place import Place
from cvlarray.store.template import time_files

# Units whose rows outlive their data would count as done.
WAYS_OUT = "Give this run a workspace of its own, or delete {} and the ledger to make both anew"


def add_times(place: Place, times: np.ndarray[Any, Any]) -> None:
    """Make the store's dates `times`, which may only go on after its last date."""
    stored = read_metadata(place).coords["time"]
    shared = min(len(stored), len(times))
    same = int(np.argmin(np.append(stored[:shared] == times[:shared], False)))
    if same < len(stored):
        found = _date(times[same]) if same < len(times) else "no more dates"
        raise StoreError(
            f"{place} holds {_date(stored[same])} as date {same + 1} of {len(stored)}, this run "
            f"has {found}: dates can only be added after the last, {_date(stored[-1])}. "
            + WAYS_OUT.format(place)
        )
    if len(times) > len(stored):
        _extend(place, times)


def _date(time: np.datetime64) -> str:
    return str(time).removesuffix("T00:00:00")


def _extend(place: Place, times: np.ndarray[Any, Any]) -> None:
    """Lengthen the time dimension.

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
