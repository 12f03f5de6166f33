"""Pixels of a file on another grid, interpolated; the result doesn't depend on the block's size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cvlarray.cube.align import Extent
from cvlarray.cube.variables import is_missing
from cvlarray.grid import transformer
from cvlarray.kernels.resample import LATTICE_PX, bilinear, inside, nearest
from cvlarray.names import Variable
from cvlarray.sensors import Asset

Floats = NDArray[np.float64]

_HALO_PX = 2
"""Source pixels around those under the block: bilinear needs one, rounding another."""


@dataclass(frozen=True)
class Lattice:
    """Where a coarse lattice of a block's pixels lies in a file."""

    rows: Floats
    """Row in the file, from its outer edge (nodes_y, nodes_x)."""
    cols: Floats
    """Column in the file (nodes_y, nodes_x)."""
    first: tuple[int, int]
    """Row and column of the block's first pixel, in block pixels from the first node."""

    def part(self, extent: Extent) -> tuple[int, int]:
        """Return ``first`` of a part of the block."""
        return self.first[0] + extent[0].start, self.first[1] + extent[1].start

    def source(self, extent: Extent, shape: tuple[int, int]) -> Extent:
        """Return the rows and columns of the file that a part of the block may need."""
        nodes = tuple(
            slice(start // LATTICE_PX, (start + part.stop - part.start - 1) // LATTICE_PX + 2)
            for start, part in zip(self.part(extent), extent, strict=True)
        )
        return _span(self.rows[nodes], shape[0]), _span(self.cols[nodes], shape[1])


@lru_cache(maxsize=64)
def lattice(source_crs: str, source_transform: Affine, geobox: GeoBox) -> Lattice:
    """Return where the pixels of a block lie in a file.

    Parameters
    ----------
    source_crs, source_transform
        Of the file.
    geobox
        North-up grid of the block.

    Returns
    -------
    Lattice whose nodes are fixed in the block's CRS; infinite where the CRS isn't defined.
    """
    block = geobox.affine
    height, width = geobox.shape
    row, rows = _nodes(block.f / block.e, height)
    col, cols = _nodes(block.c / block.a, width)
    ys = block.f + (rows - row) * block.e
    xs = block.c + (cols - col) * block.a
    x, y = transformer(str(geobox.crs), source_crs)(*np.meshgrid(xs, ys))
    inverse = ~source_transform
    first = row - int(rows[0]), col - int(cols[0])
    return Lattice(
        rows=inverse.d * x + inverse.e * y + inverse.f,
        cols=inverse.a * x + inverse.b * y + inverse.c,
        first=first,
    )


def covered(lattice: Lattice, shape: tuple[float, float], extent: Extent) -> NDArray[np.bool_]:
    """Return which pixels of a part of the block have their centre in the file."""
    out = np.empty(_size(extent), bool)
    inside(lattice.rows, lattice.cols, lattice.part(extent), shape, out)
    return out


def resample(
    source: NDArray[Any],
    origin: tuple[int, int],
    lattice: Lattice,
    extent: Extent,
    asset: Asset,
    variable: Variable,
) -> NDArray[Any]:
    """Interpolate a part of a block from a window of a file.

    Parameters
    ----------
    source
        Canonical values of the window (rows, columns); the variable's fill where missing.
    origin
        Row and column of the window in the file.
    lattice
        Where the block lies in the file.
    extent
        Part of the block.
    asset
        Says how: classes take the nearest pixel, measurements bilinear.
    variable
        Dtype and fill of the result.

    Returns
    -------
    Values of the variable's dtype (y, x).
    """
    grid = lattice.rows, lattice.cols, lattice.part(extent)
    fill = source.dtype.type(variable.fill_value)
    if asset.resampling == "nearest":
        out = np.empty(_size(extent), source.dtype)
        nearest(source, origin, *grid, fill, out)
        return out
    values = np.empty(_size(extent), np.float32)
    bilinear(source, origin, *grid, fill, values)
    return _rounded(values, variable)


def shrink(values: NDArray[Any], factor: int, asset: Asset, variable: Variable) -> NDArray[Any]:
    """Merge squares of pixels into one.

    Parameters
    ----------
    values
        Canonical values (rows, columns), both multiples of ``factor``.
    factor
        Pixels along the side of a square.
    asset
        Says how: classes take the pixel at the centre, measurements the mean of those with data.
    variable
        Dtype and fill of the result, which is missing where less than half of the pixels has data.

    Returns
    -------
    Values of the variable's dtype.
    """
    if asset.resampling == "nearest":
        return values[factor // 2 :: factor, factor // 2 :: factor]
    height, width = values.shape
    squares = values.reshape(height // factor, factor, width // factor, factor)
    has_data = ~is_missing(squares, variable)
    count = has_data.sum(axis=(1, 3))
    total = np.where(has_data, squares, 0).sum(axis=(1, 3), dtype=np.float64)
    enough = 2 * count >= factor * factor
    mean = np.where(enough, total / np.maximum(count, 1), np.nan)
    return _rounded(mean.astype(np.float32), variable)


def _nodes(origin_px: float, length: int) -> tuple[int, Floats]:
    """Return a block's first pixel and the lattice nodes around it, counted from the CRS origin."""
    first = math.floor(origin_px + 1e-6)
    start, stop = first // LATTICE_PX, -(-(first + length) // LATTICE_PX)
    return first, np.arange(start, stop + 1, dtype=np.float64) * LATTICE_PX


def _span(coordinates: Floats, length: int) -> slice:
    """Return the pixels that finite coordinates span, within a file."""
    finite = coordinates[np.isfinite(coordinates)]
    if finite.size == 0:
        return slice(0, 0)
    start = max(0, math.floor(finite.min()) - _HALO_PX)
    return slice(start, max(start, min(length, math.ceil(finite.max()) + _HALO_PX)))


def _rounded(values: NDArray[np.float32], variable: Variable) -> NDArray[Any]:
    """Return interpolated values in the variable's dtype; NaN becomes its fill."""
    if np.dtype(variable.dtype).kind == "f":
        return values.astype(variable.dtype, copy=False)
    filled = np.where(np.isnan(values), np.float32(variable.fill_value), np.rint(values))
    return filled.astype(variable.dtype)


def _size(extent: Extent) -> tuple[int, int]:
    rows, cols = extent
    return rows.stop - rows.start, cols.stop - cols.start
