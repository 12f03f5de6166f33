"""Write whole shards of a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from cvlarray.errors import StoreError
from cvlarray.names import TILE
from cvlarray.store.location import StoreLocation, place_of
from cvlarray.store.metadata import StoredArray, StoreMetadata, read_metadata
from cvlarray.store.place import Changes, Place
from cvlarray.store.shard import encode_shard

Region = Mapping[str, slice]
"""Start and stop along each dimension, in elements of the store."""


def write_region(
    path: StoreLocation,
    dataset: xr.Dataset,
    *,
    y: slice,
    x: slice,
    time: slice | None = None,
    tile: slice | None = None,
) -> int:
    """Write variables into a region of a store, whole shards only.

    Each shard is encoded in the calling thread and replaced in one step, so a reader sees its old
    or its new values. None is replaced before all are on the disk; when this returns, so are the
    names that they go by.
    Any number of processes may write, as long as no two have a shard in common.

    Parameters
    ----------
    path
        Store made by `create_store`.
    dataset
        Raw values (not scaled, not masked) of one or more of the store's variables, NumPy-backed,
        with the store's dims in order, its dtypes and the region's shape. Coordinates of `dataset`
        are compared with the store's.
    y, x, time, tile
        Region in elements. `time` None is all dates, `tile` None all tiles; variables without them
        take no notice. Each bound lies on a border of a shard, or at the end of the store.

    Returns
    -------
    Bytes written.

    Raises
    ------
    StoreError
        If the region isn't made of whole shards, `dataset` has coordinates of another place, or
        the disk doesn't take it (is full, for example).
    TypeError
        If a variable isn't NumPy-backed or has another dtype.
    ValueError
        If a variable isn't in the store or has another shape.
    """
    names = [str(name) for name in dataset.data_vars]
    with open_region(path, names, y=y, x=x, time=time, tile=tile) as region:
        region.write(dataset)
    return region.n_bytes_written


@contextmanager
def open_region(
    path: StoreLocation,
    names: Sequence[str],
    *,
    y: slice,
    x: slice,
    time: slice | None = None,
    tile: slice | None = None,
) -> Iterator[OpenRegion]:
    """Yield a region of a store to which variables are written one after the other.

    What `write_region` says of several variables at once holds: none is replaced before all are on
    the disk, and none at all if the block ends with an error.

    Parameters
    ----------
    path
        Store made by `create_store`.
    names
        Variables that may be written.
    y, x, time, tile
        As of `write_region`.

    Raises
    ------
    StoreError
        If the region isn't made of whole shards, or the disk doesn't take what is written.
    ValueError
        If a variable isn't in the store.
    """
    place = place_of(path)
    metadata = read_metadata(place)
    every = slice(None)
    given = {"y": y, "x": x, "time": every if time is None else time, TILE: tile or every}
    targets = {name: _target(place, metadata, name) for name in names}
    regions = {name: _region(place, target, given) for name, target in targets.items()}
    with place.changing(_message(names, given)) as changes:
        yield OpenRegion(place, metadata, targets, regions, changes)


@dataclass
class OpenRegion:
    """A region that is being written."""

    place: Place
    metadata: StoreMetadata
    targets: Mapping[str, StoredArray]
    regions: Mapping[str, Region]
    changes: Changes
    written: dict[str, int] = field(default_factory=dict)
    """Bytes by variable."""

    @property
    def n_bytes_written(self) -> int:
        """Bytes of all variables."""
        return sum(self.written.values())

    def write(self, dataset: xr.Dataset) -> None:
        """Encode variables and put them on the disk; what was written of them before is dropped.

        Raises
        ------
        StoreError
            If `dataset` has coordinates of another place, or the disk doesn't take it.
        TypeError
            If a variable isn't NumPy-backed or has another dtype.
        ValueError
            If a variable has another shape.
        """
        names = [str(name) for name in dataset.data_vars]
        for name in names:
            _check_values(dataset[name].variable, self.targets[name], self.regions[name])
            _check_coords(self.place, dataset, self.metadata, self.regions[name])
        for name in names:
            values = dataset[name].to_numpy()
            self.written[name] = _write_variable(
                self.changes, self.targets[name], self.regions[name], values
            )


def _message(names: Sequence[str], region: Region) -> str:
    """Say what is written, for places that keep a history."""
    bounds = (f"{dim} {part.start}:{part.stop}" for dim, part in region.items() if part.stop)
    return f"{', '.join(names)} at {', '.join(bounds)}"


def _target(place: Place, metadata: StoreMetadata, name: str) -> StoredArray:
    if name not in metadata.arrays:
        raise ValueError(f"{place} has no variable {name}; it has {', '.join(metadata.arrays)}")
    return metadata.arrays[name]


def _region(place: Place, target: StoredArray, given: Region) -> Region:
    """Return the bounds along each dimension of a variable, if they enclose whole shards."""
    sizes = dict(zip(target.dims, target.shape, strict=True))
    region = {dim: _bounds(given.get(dim, slice(None)), size) for dim, size in sizes.items()}
    for dim, bounds in region.items():
        shard, size = target.shard[dim], sizes[dim]
        inside = 0 <= bounds.start < bounds.stop <= size
        aligned = bounds.start % shard == 0 and (bounds.stop % shard == 0 or bounds.stop == size)
        if not (inside and aligned):
            raise StoreError(
                f"cannot write {target.name} of {place} at {dim}={bounds.start}:{bounds.stop}: "
                f"shards are {shard} long in {dim} and are written whole; start at a multiple of "
                f"{shard} and stop at one or at the end, {size}"
            )
    return region


def _bounds(given: slice, size: int) -> slice:
    if given.step not in {None, 1}:
        raise ValueError(f"a region has no step, got {given}")
    start = 0 if given.start is None else int(given.start)
    return slice(start, size if given.stop is None else int(given.stop))


def _check_values(variable: xr.Variable, target: StoredArray, region: Region) -> None:
    if variable.chunks is not None:
        raise TypeError(f"{target.name} must be NumPy-backed to be written; compute it first")
    if variable.dtype != target.format.dtype:
        raise TypeError(
            f"{target.name} must be raw {target.format.dtype}, got {variable.dtype}; "
            "write stored values, neither scaled nor masked"
        )
    expected = {dim: bounds.stop - bounds.start for dim, bounds in region.items()}
    if tuple(variable.sizes.items()) != tuple(expected.items()):
        raise ValueError(
            f"{target.name} must have the region's shape {expected}, got {dict(variable.sizes)}"
        )


def _check_coords(
    place: Place, dataset: xr.Dataset, metadata: StoreMetadata, region: Region
) -> None:
    """Refuse values of another place or date: their shape alone doesn't tell."""
    for dim, bounds in region.items():
        if dim not in dataset.coords or dim not in metadata.coords:
            continue
        stored = metadata.coords[dim]
        given, expected = dataset[dim].to_numpy(), stored[bounds]
        if not _equal(given, expected, stored):
            raise StoreError(
                f"cannot write to {place}: {dim} of the region is {expected[0]} to {expected[-1]}, "
                f"of the values {given[0]} to {given[-1]}; give the region that the values cover"
            )


def _equal(
    given: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], stored: np.ndarray[Any, Any]
) -> bool:
    if stored.dtype.kind != "f":
        return bool(np.array_equal(given, expected))
    # A tile's own coordinates may be rounded in another way than the whole grid's.
    spacing = abs(stored[1] - stored[0]) if len(stored) > 1 else 1.0
    return bool(np.allclose(given, expected, rtol=0, atol=spacing / 100))


def _write_variable(
    changes: Changes, target: StoredArray, region: Region, values: np.ndarray[Any, Any]
) -> int:
    """Write each shard of a region. The region's own shards are counted from its start."""
    shard = target.format.shard
    starts = tuple(bounds.start // n for bounds, n in zip(region.values(), shard, strict=True))
    counts = tuple(-(-size // n) for size, n in zip(values.shape, shard, strict=True))
    written = 0
    for position in np.ndindex(*counts):
        window = tuple(slice(p * n, (p + 1) * n) for p, n in zip(position, shard, strict=True))
        place = [str(p + start) for p, start in zip(position, starts, strict=True)]
        key = "/".join([target.name, "c", *place])
        if parts := encode_shard(values[window], target.format):
            changes.write(key, parts)
            written += sum(map(len, parts))
        else:
            changes.remove(key)  # a shard of nothing but fill has none
    return written
