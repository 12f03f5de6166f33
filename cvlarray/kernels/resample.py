"""Resample a raster through a lattice of source coordinates, the same for every block size.

A warp usually approximates the map projection within the window it is given, so that the result
depends on how the work was cut. Here the source coordinates are known at the nodes of a lattice
that is fixed in the target's reference system, and are bilinear in between: a pixel gets the same
bits whatever block it is computed in. Between two UTM zones and with nodes 32 pixels of 10 m apart
the coordinates are off by less than a millimetre.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit

LATTICE_PX = 32
"""Target pixels between two nodes of the lattice."""


@jit
def _lattice_at(lattice: NDArray[np.float64], row: float, col: float) -> float:
    """Return the lattice's value at a position counted in target pixels from its first node."""
    p, q = row / LATTICE_PX, col / LATTICE_PX
    i, j = int(p), int(q)
    a, b = p - i, q - j
    upper = (1 - b) * lattice[i, j] + b * lattice[i, j + 1]
    lower = (1 - b) * lattice[i + 1, j] + b * lattice[i + 1, j + 1]
    value: float = (1 - a) * upper + a * lower
    return value


@jit
def inside(
    lattice_rows: NDArray[np.float64],
    lattice_cols: NDArray[np.float64],
    first: tuple[int, int],
    source_shape: tuple[float, float],
    out: NDArray[np.bool_],
) -> None:
    """Mark the target pixels whose centre lies within the source.

    Parameters
    ----------
    lattice_rows, lattice_cols
        Source row and column (0 = outer edge of the first pixel) at the nodes, (nodes_y, nodes_x);
        NaN or infinite where the projection isn't defined.
    first
        Row and column of ``out[0, 0]``, in target pixels from the first node.
    source_shape
        Rows and columns of the source.
    out
        (y, x), written.
    """
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            row = _lattice_at(lattice_rows, first[0] + r + 0.5, first[1] + c + 0.5)
            col = _lattice_at(lattice_cols, first[0] + r + 0.5, first[1] + c + 0.5)
            out[r, c] = 0 <= row < source_shape[0] and 0 <= col < source_shape[1]


@jit
def nearest(
    source: NDArray[Any],
    origin: tuple[int, int],
    lattice_rows: NDArray[np.float64],
    lattice_cols: NDArray[np.float64],
    first: tuple[int, int],
    fill: Any,
    out: NDArray[Any],
) -> None:
    """Give each target pixel the source pixel that holds its centre.

    Parameters
    ----------
    source
        Window of the source (y, x), any dtype.
    origin
        Row and column of ``source[0, 0]`` in the coordinates of the lattice.
    lattice_rows, lattice_cols, first
        As in `inside`.
    fill
        Value where there is no source pixel.
    out
        (y, x), dtype of ``source``, written.
    """
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            row = _lattice_at(lattice_rows, first[0] + r + 0.5, first[1] + c + 0.5)
            col = _lattice_at(lattice_cols, first[0] + r + 0.5, first[1] + c + 0.5)
            if not (math.isfinite(row) and math.isfinite(col)):
                out[r, c] = fill
                continue
            i, j = math.floor(row) - origin[0], math.floor(col) - origin[1]
            if 0 <= i < source.shape[0] and 0 <= j < source.shape[1]:
                out[r, c] = source[i, j]
            else:
                out[r, c] = fill


@jit
def bilinear(
    source: NDArray[Any],
    origin: tuple[int, int],
    lattice_rows: NDArray[np.float64],
    lattice_cols: NDArray[np.float64],
    first: tuple[int, int],
    fill: Any,
    out: NDArray[np.float32],
) -> None:
    """Interpolate between the four source pixels around each target pixel's centre.

    Pixels without data are left out and the others weighted anew; where less than half of the
    weight has data, the result has none.

    Parameters
    ----------
    source
        Window of the source (y, x); ``fill`` and NaN are no data.
    origin, lattice_rows, lattice_cols, first
        As in `nearest`.
    fill
        Source value that means no data.
    out
        (y, x), written; NaN where there is no data.
    """
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            row = _lattice_at(lattice_rows, first[0] + r + 0.5, first[1] + c + 0.5) - 0.5
            col = _lattice_at(lattice_cols, first[0] + r + 0.5, first[1] + c + 0.5) - 0.5
            out[r, c] = np.nan
            if not (math.isfinite(row) and math.isfinite(col)):
                continue
            i, j = math.floor(row), math.floor(col)
            a, b = row - i, col - j
            total, weights = 0.0, 0.0
            for di in range(2):
                for dj in range(2):
                    y, x = i + di - origin[0], j + dj - origin[1]
                    if 0 <= y < source.shape[0] and 0 <= x < source.shape[1]:
                        value = source[y, x]
                        weight = (a if di else 1 - a) * (b if dj else 1 - b)
                        if value == value and value != fill:  # noqa: PLR0124 - NaN isn't itself
                            total += weight * value
                            weights += weight
            if weights >= 0.5:
                out[r, c] = total / weights
