"""The lazy cube: a Dataset whose blocks are read when they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
import pystac
import xarray as xr
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from cvlarray.cube.block import Block, Loader, read_block
from cvlarray.cube.days import Day, group_by_day, times
from cvlarray.cube.raster import read_asset
from cvlarray.cube.variables import cube_variables
from cvlarray.names import Variable
from cvlarray.sensors import Scene, read_item

Item = pystac.Item | Mapping[str, Any]


def load_cube(
    scenes: Sequence[Scene | Item],
    geobox: GeoBox,
    *,
    bands: Sequence[str],
    time_block: int = 24,
    block_px: int = 2048,
    loader: Loader = read_asset,
) -> xr.Dataset:
    """Return scenes as one lazy cube.

    Parameters
    ----------
    scenes
        Scenes or STAC Items of one sensor, in the order in which they win where they overlap.
    geobox
        North-up grid of the cube, for example from `grid.region_geobox`.
    bands
        Names such as ``["red", "nir", "scl"]``.
    time_block, block_px
        Days in a chunk and pixels along its side. Each chunk is one task (``ingest``), which reads
        all bands: few and large is what keeps Dask's share small.
    loader
        How a file is read: `raster.read_asset`, or `stackstac_loader.read_asset`.

    Returns
    -------
    Dataset (time, y, x) of raw values, with CF attributes: reflectance int16 DN, -32768 where
    missing; ``scl`` uint8, 0 where missing; ``read_status`` uint8, 0 not covered, 1 read, 2 unread.
    ``time`` is midnight of the solar day. ``xr.decode_cf`` turns DN into reflectance with NaN.
    Nothing is read.

    Raises
    ------
    ItemError
        If an Item doesn't fit a sensor profile.
    ValueError
        If there are no scenes, scenes of several sensors, bands that none of them has, or a grid
        that is rotated or without CRS.
    """
    _check(geobox, time_block, block_px)
    read = [scene if isinstance(scene, Scene) else read_item(scene) for scene in scenes]
    days = group_by_day(read)
    variables = cube_variables(read, bands)
    chunks = tuple(
        _chunks(size, length)
        for size, length in zip(
            (len(days), *geobox.shape), (time_block, block_px, block_px), strict=True
        )
    )
    arrays = _lazy_arrays(days, geobox, variables, chunks, loader)
    return _dataset(arrays, days, geobox, variables)


def block_dataset(
    block: Block, days: Sequence[Day], geobox: GeoBox, variables: Sequence[Variable]
) -> xr.Dataset:
    """Return a block with the labels and attributes that the lazy cube has.

    Parameters
    ----------
    block
        From `read_block`.
    days, geobox, variables
        What it was read with.

    Returns
    -------
    NumPy-backed Dataset (time, y, x).
    """
    return _dataset(block.arrays, days, geobox, variables)


def _check(geobox: GeoBox, time_block: int, block_px: int) -> None:
    if time_block < 1 or block_px < 1:
        raise ValueError(
            f"time_block and block_px must be at least 1, got {time_block} and {block_px}"
        )
    affine = geobox.affine
    if geobox.crs is None or affine.b or affine.d or affine.a <= 0 or affine.e >= 0:
        raise ValueError(f"a cube needs a north-up grid with a CRS, got {geobox!r}")


def _dataset(
    arrays: Mapping[str, Any],
    days: Sequence[Day],
    geobox: GeoBox,
    variables: Sequence[Variable],
) -> xr.Dataset:
    """Put names, coordinates and attributes to arrays."""
    attrs = {"standard_name": "time", "long_name": "solar day", "axis": "T"}
    coords = {"time": xr.Variable("time", times(days), attrs), **_grid_coords(geobox)}
    data = {v.name: xr.Variable(v.dims, arrays[v.name], _attrs(v)) for v in variables}
    return xr.Dataset(data, coords=coords)


@lru_cache(maxsize=64)
def _grid_coords(geobox: GeoBox) -> dict[str, xr.DataArray]:
    """Return y, x (pixel centres) and spatial_ref; not to be changed, but xarray copies them."""
    return {str(name): coord for name, coord in xr_coords(geobox, dims=("y", "x")).items()}


def _attrs(variable: Variable) -> dict[str, Any]:
    """Return a variable's attributes as they stand in a store."""
    fill = {} if variable.fill_value is None else {"_FillValue": variable.fill_value}
    return {**variable.attrs, **fill, "grid_mapping": "spatial_ref"}


def _chunks(size: int, length: int) -> tuple[int, ...]:
    """Return the lengths of the chunks of one dimension."""
    return tuple(min(length, size - start) for start in range(0, size, length))


def _lazy_arrays(
    days: Sequence[Day],
    geobox: GeoBox,
    variables: Sequence[Variable],
    chunks: tuple[tuple[int, ...], ...],
    loader: Loader,
) -> dict[str, da.Array]:
    """Return an array a variable; they share one reading task a block."""
    token = tokenize(days, geobox, variables, chunks, loader)
    parts = [_slices(lengths) for lengths in chunks]
    read = partial(_ingest, loader, tuple(variables))
    # Days are keys of their own, which blocks share instead of carrying them.
    tasks: dict[Any, Any] = {
        (f"days-{token}", i): _Days(days[part]) for i, part in enumerate(parts[0])
    }
    blocks = list(product(*(range(len(part)) for part in parts)))
    for i, j, k in blocks:
        part = geobox[parts[1][j], parts[2][k]]
        tasks[f"ingest-{token}", i, j, k] = (read, (f"days-{token}", i), part)
    return {
        variable.name: _pick(variable, f"ingest-{token}", tasks, blocks, chunks)
        for variable in variables
    }


def _pick(
    variable: Variable,
    ingest: str,
    tasks: Mapping[Any, Any],
    blocks: Sequence[tuple[int, ...]],
    chunks: tuple[tuple[int, ...], ...],
) -> da.Array:
    """Return the lazy array of one variable out of the blocks that hold all of them."""
    name = ingest.replace("ingest", variable.name, 1)
    make_array: Any = da.Array  # Dask doesn't annotate it
    picks: dict[Any, Any] = {
        (name, *block): (getitem, (ingest, *block), variable.name) for block in blocks
    }
    graph = HighLevelGraph({ingest: tasks, name: picks}, {ingest: set(), name: {ingest}})
    array: da.Array = make_array(graph, name, chunks, dtype=variable.dtype)
    return array


@dataclass(frozen=True)
class _Days:
    """Days as one value: in a plain list Dask would look for tasks."""

    days: Sequence[Day]


def _ingest(
    loader: Loader, variables: Sequence[Variable], days: _Days, geobox: GeoBox
) -> Mapping[str, NDArray[Any]]:
    """Read a block within a task."""
    return read_block(days.days, geobox, variables, loader).arrays


def _slices(lengths: Sequence[int]) -> list[slice]:
    """Return the bounds of the chunks of one dimension."""
    stops = np.cumsum(lengths).tolist()
    return [slice(stop - length, stop) for stop, length in zip(stops, lengths, strict=True)]
