"""Leases: superblocks of a store that one worker reads, classifies and writes by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from cvlarray.inference.blend import Blend, Crop
from cvlarray.inference.block import classify_block
from cvlarray.inference.inputs import LazyPlane, model_bands, plane_origin
from cvlarray.inference.lattice import Lattice
from cvlarray.inference.maps import PROBABILITY
from cvlarray.inference.rows import NO_CLASS
from cvlarray.models.model import Model
from cvlarray.store import StoreLocation, write_region

__all__ = ["LEASE_PX", "Lease", "LeaseStatistics", "Windows", "run_lease", "superblocks"]

LEASE_PX = 4096
"""Edge of a lease [pixels]: its border's windows cost a tenth, its task next to nothing."""


@dataclass(frozen=True)
class Windows:
    """How a model is led over the pixels."""

    window: int = 512
    """Edge of the square that it sees at once [pixels]."""
    overlap: int = 64
    """What neighbouring squares share [pixels]."""
    blend: Blend = field(default_factory=Crop)
    """How they share it."""
    batch_size: int = 4
    """Squares that go through the model together."""


@dataclass(frozen=True)
class Lease:
    """A rectangle of one date, made of whole shards."""

    y: slice
    """Rows of the store."""
    x: slice
    """Columns of the store."""
    date: int
    """Index along the store's time."""


@dataclass(frozen=True)
class LeaseStatistics:
    """What became of a lease; its maps are written by then."""

    n_pixels: int
    class_counts: Mapping[str, int]
    """Pixels of each class; the others were not seen."""
    n_windows: int
    """That went through the model."""
    n_bytes_written: int
    infer_s: float
    """Elapsed while reading and computing, which go side by side [s]."""
    write_s: float
    """Elapsed while writing [s]."""

    @property
    def pixels_per_s(self) -> float:
        """Pixels of the rectangle in a second, from store to store."""
        return self.n_pixels / (self.infer_s + self.write_s)


def superblocks(
    shape: Sequence[int], *, shard_px: int, size_px: int = LEASE_PX
) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of the squares of whole shards that cover a store, row by row.

    Parameters
    ----------
    shape
        Rows and columns of the store.
    shard_px
        Edge of its shards [pixels].
    size_px
        Largest edge of a square [pixels]; it is rounded down to whole shards, at least one.
    """
    size = max(1, size_px // shard_px) * shard_px
    for top in range(0, shape[0], size):
        for left in range(0, shape[1], size):
            yield (
                slice(top, min(top + size, shape[0])),
                slice(left, min(left + size, shape[1])),
            )


def run_lease(
    cube: xr.Dataset, lease: Lease, store: StoreLocation, model: Model, windows: Windows
) -> LeaseStatistics:
    """Run a model over a lease and write its maps; the same bytes as `infer`.

    A thread reads ahead while the model works. Nothing of the lease is written before all of it is
    computed, and each shard is replaced in one step: a worker that dies leaves old or new shards,
    and whoever takes the lease again writes the same.

    Parameters
    ----------
    cube
        One date of the model's bands (y, x), lazy, on the store's grid; see `infer`.
    lease
        What to do.
    store
        Made by `cvlarray.inference.create_maps`.
    model
        Any `cvlarray.models.Model`.
    windows
        How it is led over the pixels.

    Raises
    ------
    ValueError, TypeError
        If the cube doesn't fit the model.
    InferenceError
        If the model gives numbers that are not finite.
    StoreError
        If the store can't be read or written, or isn't this model's.
    """
    spec = model.spec
    bands = model_bands(cube, spec.bands)
    row, col = plane_origin(bands)
    started = time.perf_counter()
    maps = classify_block(
        LazyPlane(bands),
        slice(lease.y.start + row, lease.y.stop + row),
        slice(lease.x.start + col, lease.x.stop + col),
        model=model,
        lattice=Lattice(windows.window, windows.overlap, spec.stride),
        blend=windows.blend,
        batch_size=windows.batch_size,
    )
    computed = time.perf_counter()
    dims = ("time", "y", "x")
    written = write_region(
        store,
        xr.Dataset(
            {
                spec.output: (dims, maps.classes[None]),
                PROBABILITY: (dims, maps.probability[None]),
            }
        ),
        y=lease.y,
        x=lease.x,
        time=slice(lease.date, lease.date + 1),
    )
    counts = np.bincount(maps.classes.ravel(), minlength=int(NO_CLASS) + 1)
    return LeaseStatistics(
        n_pixels=maps.classes.size,
        class_counts=dict(zip(spec.classes, counts.tolist(), strict=False)),
        n_windows=maps.n_windows,
        n_bytes_written=written,
        infer_s=computed - started,
        write_s=time.perf_counter() - computed,
    )
