"""Take a block of pixels out of the series: its unweighted normal equations, and its residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit_inline, jit_step, variable
from cvlarray.kernels.pixel_block import (
    BLOCK_PIXELS,
    GRADIENT_TILE,
    MISSING,
    NODATA,
    WEIGHT_ROWS,
    Block,
    Tables,
    column,
)
from cvlarray.kernels.ranked_sigma import median_rank
from cvlarray.kernels.selection import ROW_TILE
from cvlarray.kernels.subset_sums import FIRST_BIT, GROUP, sum_seen
from cvlarray.kernels.vector import prefetch

_LINE = 32
"""Observations in a cache line."""

_NONE = variable(0)

_SAMPLED = 4
"""A pixel's first observations, which its center is the mean of."""


@jit_step
def load(series: NDArray[np.int16], first: int, block: Block, tables: Tables) -> int:
    """Take a block's residuals about a center near its mean, and their normal equations.

    The series is read once, from memory that is far away, and all that needs it is done meanwhile.
    Dates without any valid pixel are left out; the number of rows in use is returned, rounded up
    to a multiple of the tiles, with missing ones at the end.
    """
    n_dates = series.shape[0]
    _find_center(series, first, block)
    n_rows = n_added = _NONE
    for group in range(block.seen.shape[0]):
        start = group * GROUP
        for t in range(start + GROUP, min(start + 2 * GROUP, n_dates)):
            for p in range(0, BLOCK_PIXELS, _LINE):
                prefetch(series, np.uint64(t), column(first, p))
        seen = _see_group(series, start, first, block.seen[group])
        for t in range(start, min(start + GROUP, n_dates)):
            if seen & (FIRST_BIT << (t - start)):
                block.rows[n_rows] = t
                n_rows += 1
        while n_added + WEIGHT_ROWS <= n_rows:
            _add_dates(series, first, n_added, block, tables)
            n_added += WEIGHT_ROWS
    for row in range(n_added, n_rows):
        _add_date(series, first, row, block, tables)
    sum_seen(block.seen, tables.subset_moments, block.seen_moments, block.moments)
    for p in range(BLOCK_PIXELS):
        block.n_valid[p] = np.int16(block.moments[0, p])
        block.rank[p] = median_rank(block.n_valid[p])
        block.sigma_factor[p] = tables.sigma_factor[block.n_valid[p]]
    return _fill_rows(block, n_rows, n_dates)


@jit_step
def _find_center(series: NDArray[np.int16], first: int, block: Block) -> None:
    """Start the model at the mean of a few observations, whole so that residuals are exact."""
    # Fours and ones apart, since both sums are int16 then, which the vectors take most of.
    fours, ones, n_seen = block.rank, block.n_valid, block.below
    for p in range(BLOCK_PIXELS):
        fours[p] = ones[p] = n_seen[p] = 0
    fewest = np.int16(0)
    for t in range(series.shape[0]):
        for p in range(BLOCK_PIXELS):
            value = series[t, column(first, p)]
            is_taken = np.int16((value != NODATA) & (n_seen[p] < _SAMPLED))
            fours[p] += is_taken * (value >> 2)
            ones[p] += is_taken * (value & 3)
            n_seen[p] += is_taken
        fewest = np.int16(_SAMPLED)
        for p in range(BLOCK_PIXELS):
            fewest = min(fewest, n_seen[p])
        if fewest == _SAMPLED:
            break
    for p in range(BLOCK_PIXELS):
        total = np.float32(4) * np.float32(fours[p]) + np.float32(ones[p])
        block.center[p] = np.rint(total / np.float32(max(n_seen[p], 1)))
        block.coefficients[0, p] = block.center[p]
    for k in range(1, block.coefficients.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.coefficients[k, p] = 0
    for k in range(block.gradient.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.gradient[k, p] = 0
    for tile in range(block.squares.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.squares[tile, p] = 0


@jit_step
def _see_group(series: NDArray[np.int16], t: int, first: int, seen: NDArray[np.int16]) -> int:
    """Write a bit for each valid date of a group; return those of the dates with anyone valid."""
    none = np.int16(0)
    anyone = none
    if t + GROUP <= series.shape[0]:
        a, b, c = series[t], series[t + 1], series[t + 2]
        d, e, f, g = series[t + 3], series[t + 4], series[t + 5], series[t + 6]
        for p in range(BLOCK_PIXELS):
            q = column(first, p)
            bits = np.int16(FIRST_BIT) if a[q] != NODATA else none
            bits = np.int16(bits + (np.int16(FIRST_BIT * 2) if b[q] != NODATA else none))
            bits = np.int16(bits + (np.int16(FIRST_BIT * 4) if c[q] != NODATA else none))
            bits = np.int16(bits + (np.int16(FIRST_BIT * 8) if d[q] != NODATA else none))
            bits = np.int16(bits + (np.int16(FIRST_BIT * 16) if e[q] != NODATA else none))
            bits = np.int16(bits + (np.int16(FIRST_BIT * 32) if f[q] != NODATA else none))
            bits = np.int16(bits + (np.int16(FIRST_BIT * 64) if g[q] != NODATA else none))
            seen[p] = bits
    else:
        for p in range(BLOCK_PIXELS):
            seen[p] = none
        for i in range(series.shape[0] - t):
            bit = np.int16(FIRST_BIT << i)
            for p in range(BLOCK_PIXELS):
                seen[p] += bit if series[t + i, column(first, p)] != NODATA else none
    for p in range(BLOCK_PIXELS):
        anyone = np.int16(anyone | seen[p])
    return int(anyone)


@jit_step
def _add_dates(
    series: NDArray[np.int16], first: int, row: int, block: Block, tables: Tables
) -> None:
    """Take the residuals of `WEIGHT_ROWS` dates, add them to the gradient and their squares.

    A pixel's sums are those of one date after the other: they mustn't depend on which dates its
    neighbours add to the rows.
    """
    zero = np.float32(0)
    basis, sums = tables.basis, block.gradient
    t0, t1, t2, t3 = block.rows[row], block.rows[row + 1], block.rows[row + 2], block.rows[row + 3]
    slot = row % block.residual.shape[0]
    for k in range(0, sums.shape[0], GRADIENT_TILE):
        a0, a1, a2, a3 = basis[k, t0], basis[k, t1], basis[k, t2], basis[k, t3]
        b0, b1, b2, b3 = basis[k + 1, t0], basis[k + 1, t1], basis[k + 1, t2], basis[k + 1, t3]
        c0, c1, c2, c3 = basis[k + 2, t0], basis[k + 2, t1], basis[k + 2, t2], basis[k + 2, t3]
        d0, d1, d2, d3 = basis[k + 3, t0], basis[k + 3, t1], basis[k + 3, t2], basis[k + 3, t3]
        e0, e1, e2, e3 = basis[k + 4, t0], basis[k + 4, t1], basis[k + 4, t2], basis[k + 4, t3]
        f0, f1, f2, f3 = basis[k + 5, t0], basis[k + 5, t1], basis[k + 5, t2], basis[k + 5, t3]
        squares = block.squares[k // GRADIENT_TILE]
        for p in range(BLOCK_PIXELS):
            q = column(first, p)
            v0, v1, v2, v3 = series[t0, q], series[t1, q], series[t2, q], series[t3, q]
            center = block.center[p]
            x0, x1 = np.float32(v0) - center, np.float32(v1) - center
            x2, x3 = np.float32(v2) - center, np.float32(v3) - center
            block.residual[slot, p] = x0 if v0 != NODATA else MISSING
            block.residual[slot + 1, p] = x1 if v1 != NODATA else MISSING
            block.residual[slot + 2, p] = x2 if v2 != NODATA else MISSING
            block.residual[slot + 3, p] = x3 if v3 != NODATA else MISSING
            x0 = x0 if v0 != NODATA else zero
            x1 = x1 if v1 != NODATA else zero
            x2 = x2 if v2 != NODATA else zero
            x3 = x3 if v3 != NODATA else zero
            squares[p] = squares[p] + x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3
            sums[k, p] = sums[k, p] + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
            sums[k + 1, p] = sums[k + 1, p] + b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
            sums[k + 2, p] = sums[k + 2, p] + c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
            sums[k + 3, p] = sums[k + 3, p] + d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3
            sums[k + 4, p] = sums[k + 4, p] + e0 * x0 + e1 * x1 + e2 * x2 + e3 * x3
            sums[k + 5, p] = sums[k + 5, p] + f0 * x0 + f1 * x1 + f2 * x2 + f3 * x3


@jit_inline
def _add_date(
    series: NDArray[np.int16], first: int, row: int, block: Block, tables: Tables
) -> None:
    """Do for one date what `_add_dates` does for several."""
    t = block.rows[row]
    residual = block.residual[row % block.residual.shape[0]]
    for p in range(BLOCK_PIXELS):
        value = series[t, column(first, p)]
        difference = np.float32(value) - block.center[p]
        residual[p] = difference if value != NODATA else MISSING
        difference = difference if value != NODATA else np.float32(0)
        block.squares[0, p] += difference * difference
    for k in range(block.coefficients.shape[0]):
        for p in range(BLOCK_PIXELS):
            difference = residual[p] if residual[p] != MISSING else np.float32(0)
            block.gradient[k, p] += tables.basis[k, t] * difference


@jit_inline
def _fill_rows(block: Block, n_rows: int, no_date: int) -> int:
    """Add missing rows up to a multiple of the tile; return how many there are."""
    end = -(-n_rows // ROW_TILE) * ROW_TILE
    for row in range(n_rows, end):
        block.rows[row] = no_date
        for p in range(BLOCK_PIXELS):
            block.residual[row % block.residual.shape[0], p] = MISSING
    return end
