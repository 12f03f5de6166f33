"""Integer rasters of any size as polygons."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import accumulate, pairwise
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import ODCExtensionDa

from cvlarray.kernels.boundaries import Boundaries, trace_boundaries
from cvlarray.kernels.rings import close_rings
from cvlarray.vectorize.blocks import Block, Chunks, ReadBlock, block_rows, regular_chunks
from cvlarray.vectorize.lines import Lines, gather
from cvlarray.vectorize.merging import NOTHING_OPEN, Patches, merge_row

__all__ = [
    "Connectivity",
    "drop_small",
    "patch_polygons",
    "raster_blocks",
    "raster_chunks",
    "raster_geobox",
    "read_block",
    "split_touching",
    "trace_patches",
    "vectorize",
]

Connectivity = Literal[4, 8]
"""Whether pixels that touch in a corner only belong together (8) or not (4)."""

KeyArray = npt.NDArray[np.int64]

BLOCK_PX = 512
"""Side of the blocks in which a raster without Dask chunks is read."""


def vectorize(
    values: xr.DataArray,
    *,
    connectivity: Connectivity = 4,
    min_pixels: int = 1,
    simplify_tolerance: float | None = None,
    max_workers: int = 1,
) -> gpd.GeoDataFrame:
    """Turn patches of equal values into polygons, as if the raster were one array.

    The raster is read block by block, each block once: Dask chunks as they are, anything else in
    windows of 512 pixels. The result doesn't depend on the blocks.

    Parameters
    ----------
    values
        Integers, dims (y, x), on a regular grid with a CRS; 0 is nothing. May be lazy.
    connectivity
        4: pixels that share an edge belong together. 8: those that share a corner, too.
    min_pixels
        Minimum mapping unit: smaller patches are left out [pixels].
    simplify_tolerance
        None keeps every pixel corner. Otherwise the boundaries shared by neighbours are simplified
        together (Visvalingam-Whyatt), so that no gaps, overlaps or crossings arise: corners go
        whose triangle is smaller than this value squared [units of the CRS].
    max_workers
        Threads that trace blocks.

    Returns
    -------
    Columns ``value``, ``n_pixels`` and ``geometry``, in the CRS of the grid, ordered by the first
    pixel from the top left. Geometries are valid: polygons, or with 8-connectivity multipolygons
    where parts touch in a corner.

    Raises
    ------
    ValueError
        If the raster isn't (y, x), has no CRS or regular grid, or values exceed 32 bits.
    TypeError
        If the values aren't integers.
    """
    geobox = raster_geobox(values)
    geometry, columns = [np.empty(0, object)], [np.empty((0, 3), np.int64)]
    for batch in trace_patches(
        partial(read_block, values),
        raster_chunks(values),
        connectivity=connectivity,
        share_vertices=simplify_tolerance is not None,
        max_workers=max_workers,
    ):
        patches = drop_small(batch, min_pixels)
        geometry.append(patch_polygons(patches, geobox.affine))
        first = _first_vertices(patches, geobox.shape[1])
        columns.append(np.column_stack((patches.values, patches.n_pixels, first)))
    polygons = np.concatenate(geometry)
    if connectivity == 8:
        polygons = split_touching(polygons)
    if simplify_tolerance is not None:
        polygons = shapely.coverage_simplify(polygons, simplify_tolerance)
    value, n_pixels, first = np.concatenate(columns).T
    order = np.argsort(first)
    return gpd.GeoDataFrame(
        {"value": value[order].astype(np.int32), "n_pixels": n_pixels[order]},
        geometry=polygons[order],
        crs=geobox.crs,
    )


def trace_patches(
    read: ReadBlock,
    chunks: Chunks,
    *,
    connectivity: Connectivity = 4,
    share_vertices: bool = False,
    max_workers: int = 1,
) -> Iterator[Patches]:
    """Yield patches of equal values on the vertex grid, each as soon as it is complete.

    Parameters
    ----------
    read
        Returns the integer pixels of a slice of rows and a slice of columns; called once a block,
        row by row from the top left, in the caller's thread.
    chunks
        Heights and widths of the blocks [pixels].
    connectivity
        4 or 8.
    share_vertices
        Whether patches that share a boundary share all its vertices, for work on the coverage as a
        whole; otherwise straight boundaries have no vertices between their ends.
    max_workers
        Threads that trace blocks, at least 1.

    Yields
    ------
    The patches completed by each row of blocks, about a quarter of a million vertices at once. A
    ring may touch itself in a corner if ``connectivity`` is 8, as in GDAL's polygonize.

    Raises
    ------
    TypeError, ValueError
        As `vectorize`.
    """
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity must be 4 or 8, got {connectivity}")
    trace = partial(
        _trace, width=sum(chunks[1]), is_eight=connectivity == 8, junctions=share_vertices
    )
    still_open = NOTHING_OPEN
    with ThreadPoolExecutor(max_workers, thread_name_prefix="trace") as pool:
        for row in block_rows(read, chunks):
            blocks = list(_map_bounded(pool, trace, row, 2 * max_workers))
            complete, still_open = merge_row(still_open, blocks)
            del blocks
            yield from complete.batches()


def patch_polygons(patches: Patches, transform: Affine) -> npt.NDArray[np.object_]:
    """Return patches as shapely polygons.

    Parameters
    ----------
    patches
        Rings on the vertex grid.
    transform
        From (column, row) of vertices to coordinates.
    """
    closed, ring_offsets = close_rings(patches.points, patches.ring_offsets)
    row, col = closed.T.astype(np.float64)
    # In NumPy and not in a kernel: every machine then rounds alike, and as GDAL does.
    x = transform.a * col + transform.b * row + transform.c
    y = transform.d * col + transform.e * row + transform.f
    offsets = ring_offsets, patches.polygon_offsets
    polygons: npt.NDArray[np.object_] = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, np.column_stack((x, y)), offsets
    )
    return polygons


def raster_blocks(values: xr.DataArray) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of the blocks in which to read a raster (y, x), row by row.

    They are its Dask chunks, or windows of 512 pixels.
    """
    rows, cols = raster_chunks(values)
    for y0, y1 in pairwise(accumulate(rows, initial=0)):
        for x0, x1 in pairwise(accumulate(cols, initial=0)):
            yield slice(y0, y1), slice(x0, x1)


def split_touching(polygons: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return polygons whose rings touch themselves in corners as valid multipolygons.

    Only 8-connected patches have such rings.
    """
    touches = ~shapely.is_valid(polygons)
    valid = polygons.copy()
    valid[touches] = shapely.make_valid(polygons[touches])
    return valid


def _trace(block: Block, *, width: int, is_eight: bool, junctions: bool) -> Boundaries:
    """Trace one block of a raster of ``width`` pixels."""
    return trace_boundaries(
        block.pixels,
        row=block.row,
        col=block.col,
        mosaic_width=width,
        is_eight=is_eight,
        junctions=junctions,
    )


def _map_bounded(
    pool: ThreadPoolExecutor,
    function: Callable[[Block], Boundaries],
    blocks: Iterator[Block],
    max_ahead: int,
) -> Iterator[Boundaries]:
    """Map in order, with at most ``max_ahead`` blocks in memory."""
    waiting: deque[Future[Boundaries]] = deque()
    for block in blocks:
        waiting.append(pool.submit(function, block))
        if len(waiting) >= max_ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def raster_geobox(values: xr.DataArray) -> GeoBox:
    """Return the grid of a raster.

    Raises
    ------
    ValueError
        If its dims aren't (y, x), or it has no regular grid or CRS.
    """
    if values.dims != ("y", "x"):
        raise ValueError(f"values must have dims (y, x), got {values.dims}; select one time")
    geobox = ODCExtensionDa(values).geobox
    if not isinstance(geobox, GeoBox) or geobox.crs is None:
        raise ValueError(
            "values must lie on a regular grid with a CRS, got none; "
            "set it with values.odc.assign_crs(...)"
        )
    return geobox


def raster_chunks(values: xr.DataArray) -> Chunks:
    """Return the blocks in which to read a raster."""
    if values.chunks is not None:
        rows, cols = values.chunks
        return rows, cols
    height, width = values.shape
    return regular_chunks((height, width), BLOCK_PX)


def read_block(values: xr.DataArray, y: slice, x: slice) -> npt.NDArray[np.integer | np.bool_]:
    """Return pixels of a raster (y, x), which may be lazy."""
    return values[y, x].to_numpy()


def drop_small(patches: Patches, min_pixels: int) -> Patches:
    """Return the patches of at least ``min_pixels``."""
    keep = np.flatnonzero(patches.n_pixels >= min_pixels)
    if keep.size == patches.n_pixels.size:
        return patches
    n_rings = np.diff(patches.polygon_offsets)[keep]
    rings = _ranges(patches.polygon_offsets[keep], n_rings)
    points, ring_offsets = gather([Lines(patches.points, patches.ring_offsets)], rings)
    return Patches(
        points=points,
        ring_offsets=ring_offsets,
        polygon_offsets=np.concatenate(([0], np.cumsum(n_rings))),
        values=patches.values[keep],
        n_pixels=patches.n_pixels[keep],
    )


def _ranges(starts: KeyArray, lengths: KeyArray) -> KeyArray:
    """Return the integers of all ranges, one after the other."""
    before = np.cumsum(lengths) - lengths
    integers: KeyArray = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return integers


def _first_vertices(patches: Patches, width: int) -> KeyArray:
    """Return a number that orders patches by their first pixel from the top left."""
    first = patches.points[patches.ring_offsets[patches.polygon_offsets[:-1]]]
    numbers: KeyArray = first.astype(np.int64) @ np.array([width + 1, 1])
    return numbers
