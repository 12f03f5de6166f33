"""Take a block of pixels out of the series: its unweighted normal equations, and its residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit, jit_inline
from cvlarray.kernels.normal_equations import add_dates, subtract_from_rows
from cvlarray.kernels.pixel_block import (
    BLOCK_PIXELS,
    MISSING,
    NODATA,
    WEIGHT_ROWS,
    Block,
    Tables,
    column,
)
from cvlarray.kernels.ranked_sigma import median_rank
from cvlarray.kernels.residual_scale import quantise
from cvlarray.kernels.selection import ROW_TILE
from cvlarray.kernels.subset_sums import GROUP, sum_seen
from cvlarray.kernels.vector import prefetch

_LINE = 32
"""Observations in a cache line."""


@jit
def load(series: NDArray[np.int16], first: int, block: Block, tables: Tables) -> int:
    """Sum a block's unweighted normal equations about each pixel's mean, which becomes the level.

    Dates without any valid pixel are left out; the number of rows in use is returned, rounded up
    to a multiple of the tiles, with missing ones at the end.
    """
    n_rows = _copy(series, first, block)
    sum_seen(block.seen, tables.subset_moments, block.seen_moments, block.moments)
    _start_from_mean(block, tables)
    _sum_gradient(block, tables, n_rows)
    return n_rows


@jit
def _copy(series: NDArray[np.int16], first: int, block: Block) -> int:
    """Copy the observations, note who is valid when, and list the dates with anyone valid.

    Copied because the rows of a cube of 512² pixels lie a power of two apart: a block of them would
    fall on a few sets of the caches and push itself out again.
    """
    n_dates = series.shape[0]
    n_rows = 0
    for p in range(BLOCK_PIXELS):
        block.total[p] = 0
    for group in range(block.seen.shape[0]):
        start = group * GROUP
        end = min(start + GROUP, n_dates)
        for t in range(start, end):
            _copy_date(series, t, first, block)
        seen = _see_group(block, group)
        for t in range(start, end):
            if seen >> (t - start) & 1:
                block.rows[n_rows] = t
                n_rows += 1
    end = -(-n_rows // ROW_TILE) * ROW_TILE
    for row in range(n_rows, end):
        block.rows[row] = block.series.shape[0] - 1  # never an observation
    return end


@jit_inline
def _copy_date(series: NDArray[np.int16], t: int, first: int, block: Block) -> None:
    """Copy a date and ask for a later one."""
    for p in range(BLOCK_PIXELS):
        block.series[t, p] = series[t, column(first, p)]
    if t + GROUP < series.shape[0]:
        for p in range(0, BLOCK_PIXELS, _LINE):
            prefetch(series, np.uint64(t + GROUP), column(first, p))


@jit_inline
def _see_group(block: Block, group: int) -> np.uint8:
    """Write a bit for each valid date of a group and add the group to the total."""
    none = np.uint8(0)
    t = group * GROUP
    a, b, c = block.series[t], block.series[t + 1], block.series[t + 2]
    d, e, f = block.series[t + 3], block.series[t + 4], block.series[t + 5]
    seen = block.seen[group]
    anyone = none
    for p in range(BLOCK_PIXELS):
        bits = np.uint8(1) if a[p] != NODATA else none
        bits |= np.uint8(2) if b[p] != NODATA else none
        bits |= np.uint8(4) if c[p] != NODATA else none
        bits |= np.uint8(8) if d[p] != NODATA else none
        bits |= np.uint8(16) if e[p] != NODATA else none
        bits |= np.uint8(32) if f[p] != NODATA else none
        seen[p] = bits
        anyone |= bits
    for p in range(BLOCK_PIXELS):
        early = np.int32(a[p]) + np.int32(b[p]) + np.int32(c[p])
        late = np.int32(d[p]) + np.int32(e[p]) + np.int32(f[p])
        block.total[p] += early + late
    return anyone


@jit_inline
def _start_from_mean(block: Block, tables: Tables) -> None:
    """Set the level to the mean, as a whole number so that residuals are exact; the rest to 0."""
    n_dates = block.series.shape[0]
    for p in range(BLOCK_PIXELS):
        block.n_valid[p] = np.int16(block.moments[0, p])
        n_valid = block.n_valid[p]
        total = block.total[p] - np.int32(NODATA) * np.int32(n_dates - n_valid)
        block.center[p] = np.rint(np.float32(total) / np.float32(max(n_valid, 1)))
        block.coefficients[0, p] = block.center[p]
        block.rank[p] = median_rank(n_valid)
        block.sigma_factor[p] = tables.sigma_factor[n_valid]
        block.squares[p] = 0
    for k in range(1, block.coefficients.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.coefficients[k, p] = 0
    for k in range(block.gradient.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.gradient[k, p] = 0


@jit
def _sum_gradient(block: Block, tables: Tables, n_rows: int) -> None:
    """Sum gradient and squares with equal weights."""
    for row in range(0, n_rows, WEIGHT_ROWS):
        for i in range(WEIGHT_ROWS):
            _center_row(block, row + i, i)
        add_dates(tables.basis, block.rows, row, block.weighted, block.gradient)
        _add_squares(block)


@jit_inline
def _center_row(block: Block, row: int, slot: int) -> None:
    """Write a date's observations less the mean, 0 where missing."""
    t = block.rows[row]
    for p in range(BLOCK_PIXELS):
        value = block.series[t, p]
        difference = np.float32(value) - block.center[p]
        block.weighted[slot, p] = difference if value != NODATA else np.float32(0)


@jit_inline
def _add_squares(block: Block) -> None:
    """Add the squares of four dates, one after the other.

    A pixel's sum mustn't depend on which dates its neighbours add to the rows.
    """
    a, b, c, d = block.weighted[0], block.weighted[1], block.weighted[2], block.weighted[3]
    for p in range(BLOCK_PIXELS):
        total = block.squares[p] + a[p] * a[p] + b[p] * b[p]
        block.squares[p] = total + c[p] * c[p] + d[p] * d[p]


@jit
def take_residuals(block: Block, tables: Tables, n_rows: int) -> None:
    """Write the residuals of a loaded block after the first solution, and quantise them."""
    for row in range(0, n_rows, WEIGHT_ROWS):
        for i in range(row, row + WEIGHT_ROWS):
            t = block.rows[i]
            for p in range(BLOCK_PIXELS):
                value = block.series[t, p]
                difference = np.float32(value) - block.center[p]
                block.residual[i, p] = difference if value != NODATA else MISSING
        subtract_from_rows(block, tables, row)
        for i in range(row, row + WEIGHT_ROWS):
            quantise(block, i)
