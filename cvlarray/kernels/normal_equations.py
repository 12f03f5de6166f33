"""Weighted normal equations of the seasonal model, for a block of pixels at once.

Every inner loop runs over the `BLOCK_PIXELS` pixels of a block, a vector lane each, with the same
instructions for all: a pixel's result can't depend on its neighbours, on the chunk it came in, or
on the thread. Scratch is allocated once a call and stays in the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from cvlarray.kernels.accelerate import aligned_zeros, jit, jit_inline
from cvlarray.kernels.season import TimeAxis, design_matrix, moment_table
from cvlarray.kernels.selection import LARGEST, ROW_TILE, select_ranked

BLOCK_PIXELS = 256

NODATA = -32_768
"""A missing observation of the input."""

MISSING = np.float32(1e30)
"""Residual of a missing observation."""

MISSING_ABOVE = np.float32(1e29)

UNWEIGHTED, HUBER, TUKEY = 0, 1, 2

HUBER_TUNING = np.float32(1.345)
TUKEY_TUNING = np.float32(4.685)
"""95 % efficient for Gaussian residuals (Holland & Welsch 1977, doi:10.1080/03610927708827533)."""

QUANTISATION_SIGMA = np.float32(0.288_675)
"""Standard deviation [DN] of rounding to whole numbers: no residual scale is taken as smaller."""

_SMALLEST_PIVOT = np.float32(1e-5)
"""A pivot below this share of the summed weights means: the dates can't tell this coefficient."""

_QUANTISED_RANGE = np.float32(16_300)
"""What a residual at its upper bound is quantised to; the rest of 14 bits absorbs rounding."""

_TILE = 3
"""Moments summed at once: with `_ROWS` observations they fill, but don't spill, the registers."""

_ROWS = 4
"""Observations whose weights are held at once."""


class Tables(NamedTuple):
    """Everything about the dates, the same for all pixels."""

    moments: NDArray[np.float32]
    """(moment, time)"""
    basis: NDArray[np.float32]
    """(coefficient, time), padded with empty rows to a multiple of the tile."""
    entries: NDArray[np.int64]
    factors: NDArray[np.float32]
    """How moments make the Gram matrix: `season.MomentTable`."""
    sigma_factor: NDArray[np.float32]
    """(n_valid + 1,): `median_factor` for every number of observations."""


class Block(NamedTuple):
    """Scratch of one block; the last axis is the pixel."""

    residual: NDArray[np.float32]
    """(row, pixel): observation less the model at hand."""
    high: NDArray[np.int8]
    low: NDArray[np.int8]
    """(row, pixel): the residual's size as a whole number of 14 bits, seven each."""
    weight: NDArray[np.float32]
    weighted: NDArray[np.float32]
    """(`_ROWS`, pixel): weight, and weight × residual, of the rows being summed."""
    moments: NDArray[np.float32]
    gradient: NDArray[np.float32]
    """(moment | coefficient, pixel): weighted sums."""
    cholesky: NDArray[np.float32]
    """(coefficient, coefficient, pixel): lower triangle, with the pivots' inverses on it."""
    change: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    """(coefficient, pixel); ``change`` with empty rows up to a multiple of the tile."""
    squares: NDArray[np.float32]
    scale: NDArray[np.float32]
    sigma: NDArray[np.float32]
    """(pixel,): residual sum of squares; whole numbers per DN; standard deviation."""
    n_valid: NDArray[np.int16]
    rank: NDArray[np.int16]
    below: NDArray[np.int16]
    """(pixel,): valid observations, and what `select_ranked` needs."""
    bytes: NDArray[np.int8]
    selected: NDArray[np.int8]
    """(2, pixel): what else it needs."""
    sigma_factor: NDArray[np.float32]
    """(pixel,): standard deviation over the ranked residual."""
    rows: NDArray[np.int64]
    """(row,): dates on which any pixel of the block is valid."""


def make_tables(days: ArrayLike, axis: TimeAxis, harmonic_order: int) -> Tables:
    """Return the tables of dates ``days`` [days since 1970-01-01]."""
    table = moment_table(days, axis, harmonic_order=harmonic_order)
    basis = design_matrix(days, axis, harmonic_order=harmonic_order)
    padded = np.zeros((_tiled(len(basis)), basis.shape[1]), np.float32)
    padded[: len(basis)] = basis
    return Tables(
        table.moments.astype(np.float32),
        padded,
        table.entries,
        table.factors.astype(np.float32),
        median_factor(np.arange(basis.shape[1] + 1), len(basis)).astype(np.float32),
    )


def median_rank(n: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the rank of the residual that sigma is taken from: the upper median's."""
    return n // 2 + 1


def median_factor(n: NDArray[np.integer], n_coefficients: int) -> NDArray[np.float64]:
    """Return the standard deviation over the ranked size of ``n`` residuals of a fit.

    1.4826 for many observations, as for any median absolute deviation. For few, the rank's own
    expected quantile counts, and that a fit with so many coefficients leaves residuals smaller by
    the square root of ``(n - n_coefficients) / n``.
    """
    quantile = (median_rank(n) - 0.5) / np.maximum(n, 1)
    freedom = np.maximum(n - n_coefficients, 1)
    normal = ndtri((1 + np.minimum(quantile, 0.99)) / 2)
    factor: NDArray[np.float64] = np.sqrt(np.maximum(n, 1) / freedom) / normal
    return factor


def make_block(n_dates: int, harmonic_order: int) -> Block:
    """Allocate one block's scratch."""
    n_rows = -(-n_dates // ROW_TILE) * ROW_TILE
    n, n_moments = 2 + 2 * harmonic_order, 3 + 6 * harmonic_order
    pixels = (BLOCK_PIXELS,)
    return Block(
        residual=aligned_zeros((n_rows, *pixels), np.float32),
        high=aligned_zeros((n_rows, *pixels), np.int8),
        low=aligned_zeros((n_rows, *pixels), np.int8),
        weight=aligned_zeros((_ROWS, *pixels), np.float32),
        weighted=aligned_zeros((_ROWS, *pixels), np.float32),
        moments=aligned_zeros((n_moments, *pixels), np.float32),
        gradient=aligned_zeros((_tiled(n), *pixels), np.float32),
        cholesky=aligned_zeros((n, n, *pixels), np.float32),
        change=aligned_zeros((_tiled(n), *pixels), np.float32),
        coefficients=aligned_zeros((n, *pixels), np.float32),
        squares=aligned_zeros(pixels, np.float32),
        scale=aligned_zeros(pixels, np.float32),
        sigma=aligned_zeros(pixels, np.float32),
        n_valid=aligned_zeros(pixels, np.int16),
        rank=aligned_zeros(pixels, np.int16),
        below=aligned_zeros(pixels, np.int16),
        bytes=aligned_zeros((2, *pixels), np.int8),
        selected=aligned_zeros((2, *pixels), np.int8),
        sigma_factor=aligned_zeros(pixels, np.float32),
        rows=np.zeros(n_rows, np.int64),
    )


def _tiled(n_rows: int) -> int:
    return -(-n_rows // _TILE) * _TILE


@jit_inline
def column(first: int, p: int) -> np.uint64:
    """Return the position of a block's pixel in the series.

    Unsigned, because an index that could be negative is checked for it, pixel by pixel.
    """
    return np.uint64(first) + np.uint64(p)


@jit
def load(series: NDArray[np.int16], first: int, block: Block, tables: Tables) -> int:
    """Take a block out of the series: residuals from each pixel's mean, which becomes the level.

    Dates without any valid pixel are left out; the number of rows in use is returned, rounded up
    to a multiple of the tiles, with missing ones at the end.
    """
    n_rows = _count_valid(series, first, block)
    _start_from_mean(block, tables)
    for row in range(n_rows):
        t = block.rows[row]
        for p in range(BLOCK_PIXELS):
            value = series[t, column(first, p)]
            difference = np.float32(value) - block.coefficients[0, p]
            block.residual[row, p] = difference if value != NODATA else MISSING
    end = -(-n_rows // ROW_TILE) * ROW_TILE
    for row in range(n_rows, end):
        block.rows[row] = 0
        for p in range(BLOCK_PIXELS):
            block.residual[row, p] = MISSING
    return end


@jit_inline
def _count_valid(series: NDArray[np.int16], first: int, block: Block) -> int:
    """Count and sum each pixel's valid observations; list the dates that have any."""
    for p in range(BLOCK_PIXELS):
        block.n_valid[p] = 0
        block.sigma[p] = 0
    n_rows = 0
    for t in range(series.shape[0]):
        largest = np.int16(NODATA)
        for p in range(BLOCK_PIXELS):
            largest = max(largest, series[t, column(first, p)])
        if largest != NODATA:
            block.rows[n_rows] = t
            n_rows += 1
            for p in range(BLOCK_PIXELS):
                value = series[t, column(first, p)]
                block.n_valid[p] += np.int16(value != NODATA)
                block.sigma[p] += np.float32(value) if value != NODATA else np.float32(0)
    return n_rows


@jit_inline
def _start_from_mean(block: Block, tables: Tables) -> None:
    """Set the level to the mean, as a whole number so that residuals are exact; the rest to 0."""
    n = block.coefficients.shape[0]
    for p in range(BLOCK_PIXELS):
        n_valid = block.n_valid[p]
        block.coefficients[0, p] = np.rint(block.sigma[p] / np.float32(max(n_valid, 1)))
        block.rank[p] = n_valid // 2 + 1
        block.sigma_factor[p] = tables.sigma_factor[n_valid]
    for k in range(1, n):
        for p in range(BLOCK_PIXELS):
            block.coefficients[k, p] = 0


@jit
def sum_moments(block: Block, tables: Tables, n_rows: int, weighting: int) -> None:
    """Sum the moments and the gradient with the weights that the residuals and sigma call for."""
    for k in range(block.moments.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.moments[k, p] = 0
    for k in range(block.gradient.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.gradient[k, p] = 0
    for p in range(BLOCK_PIXELS):
        block.squares[p] = 0
    for row in range(0, n_rows, _ROWS):
        for i in range(_ROWS):
            _weigh(block, row + i, i, weighting)
        _add_rows(tables.moments, block.rows, row, block.weight, block.moments)
        _add_rows(tables.basis, block.rows, row, block.weighted, block.gradient)


@jit_inline
def _weigh(block: Block, row: int, slot: int, weighting: int) -> None:
    """Set the weights of one date's residuals; 0 where missing."""
    zero, one = np.float32(0), np.float32(1)
    if weighting == UNWEIGHTED:
        for p in range(BLOCK_PIXELS):
            residual = block.residual[row, p]
            weight = one if residual < MISSING_ABOVE else zero
            block.weight[slot, p] = weight
            block.weighted[slot, p] = weight * residual
            block.squares[p] += weight * residual * residual
    elif weighting == HUBER:
        for p in range(BLOCK_PIXELS):
            residual = block.residual[row, p]
            size = abs(residual)
            limit = HUBER_TUNING * max(block.sigma[p], QUANTISATION_SIGMA)
            weight = one if size <= limit else limit / size
            weight = weight if size < MISSING_ABOVE else zero
            block.weight[slot, p] = weight
            block.weighted[slot, p] = weight * residual
    else:
        for p in range(BLOCK_PIXELS):
            residual = block.residual[row, p]
            limit = TUKEY_TUNING * max(block.sigma[p], QUANTISATION_SIGMA)
            share = residual / limit
            rest = one - share * share
            weight = rest * rest if rest > zero else zero
            block.weight[slot, p] = weight
            block.weighted[slot, p] = weight * residual


@jit_inline
def _add_rows(
    table: NDArray[np.float32],
    rows: NDArray[np.int64],
    row: int,
    weights: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Add `_ROWS` dates to `_TILE` sums at a time, so that the loop is bound by arithmetic."""
    t0, t1, t2, t3 = rows[row], rows[row + 1], rows[row + 2], rows[row + 3]
    for k in range(0, sums.shape[0], _TILE):
        a0, a1, a2, a3 = table[k, t0], table[k, t1], table[k, t2], table[k, t3]
        b0, b1, b2, b3 = table[k + 1, t0], table[k + 1, t1], table[k + 1, t2], table[k + 1, t3]
        c0, c1, c2, c3 = table[k + 2, t0], table[k + 2, t1], table[k + 2, t2], table[k + 2, t3]
        for p in range(BLOCK_PIXELS):
            w0, w1, w2, w3 = weights[0, p], weights[1, p], weights[2, p], weights[3, p]
            sums[k, p] = sums[k, p] + a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
            sums[k + 1, p] = sums[k + 1, p] + b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
            sums[k + 2, p] = sums[k + 2, p] + c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3


@jit
def solve(block: Block, tables: Tables) -> None:
    """Solve the normal equations for the change of the coefficients, and add it to them."""
    _factorise(block, tables)
    n = block.coefficients.shape[0]
    for i in range(n):
        for p in range(BLOCK_PIXELS):
            block.change[i, p] = block.gradient[i, p]
        for k in range(i):
            for p in range(BLOCK_PIXELS):
                block.change[i, p] -= block.cholesky[i, k, p] * block.change[k, p]
        for p in range(BLOCK_PIXELS):
            block.change[i, p] *= block.cholesky[i, i, p]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            for p in range(BLOCK_PIXELS):
                block.change[i, p] -= block.cholesky[k, i, p] * block.change[k, p]
        for p in range(BLOCK_PIXELS):
            block.change[i, p] *= block.cholesky[i, i, p]
            block.coefficients[i, p] += block.change[i, p]


@jit_inline
def _factorise(block: Block, tables: Tables) -> None:
    """Put the Gram matrix together and factorise it after Cholesky, written out for speed.

    A pivot that vanishes has the inverse 0: its coefficient then doesn't change.
    """
    factor = block.cholesky
    n = block.coefficients.shape[0]
    for j in range(n):
        for i in range(j, n):
            first, second = tables.entries[i, j, 0], tables.entries[i, j, 1]
            a, b = tables.factors[i, j, 0], tables.factors[i, j, 1]
            for p in range(BLOCK_PIXELS):
                factor[i, j, p] = a * block.moments[first, p] + b * block.moments[second, p]
            for k in range(j):
                for p in range(BLOCK_PIXELS):
                    factor[i, j, p] -= factor[i, k, p] * factor[j, k, p]
        for p in range(BLOCK_PIXELS):
            pivot = factor[j, j, p]
            smallest = _SMALLEST_PIVOT * block.moments[0, p]
            factor[j, j, p] = np.float32(1) / np.sqrt(pivot) if pivot > smallest else np.float32(0)
        for i in range(j + 1, n):
            for p in range(BLOCK_PIXELS):
                factor[i, j, p] *= factor[j, j, p]


@jit
def bound_residuals(block: Block) -> None:
    """Scale residuals for quantising after an unweighted fit: the ranked one can't exceed it.

    The squares that remain are those at the start less change·gradient, and at least
    ``count - rank + 1`` residuals are as large as the ranked one.
    """
    n = block.coefficients.shape[0]
    for p in range(BLOCK_PIXELS):
        explained = np.float32(0)
        for k in range(n):
            explained += block.change[k, p] * block.gradient[k, p]
        rest = max(block.squares[p] - explained, np.float32(1e-5) * block.squares[p])
        block.squares[p] = rest
        at_least = np.float32(max(block.n_valid[p] - block.rank[p] + 1, 1))
        bound = max(np.sqrt(rest / at_least), QUANTISATION_SIGMA)
        block.scale[p] = _QUANTISED_RANGE / bound


@jit
def subtract_change(block: Block, tables: Tables, n_rows: int) -> None:
    """Take what the last solution added off the residuals, and quantise them while at hand."""
    basis = tables.basis
    for row in range(0, n_rows, _ROWS):
        t0, t1 = block.rows[row], block.rows[row + 1]
        t2, t3 = block.rows[row + 2], block.rows[row + 3]
        for k in range(0, block.change.shape[0], _TILE):
            a0, a1, a2, a3 = basis[k, t0], basis[k, t1], basis[k, t2], basis[k, t3]
            b0, b1, b2, b3 = basis[k + 1, t0], basis[k + 1, t1], basis[k + 1, t2], basis[k + 1, t3]
            c0, c1, c2, c3 = basis[k + 2, t0], basis[k + 2, t1], basis[k + 2, t2], basis[k + 2, t3]
            for p in range(BLOCK_PIXELS):
                a, b, c = block.change[k, p], block.change[k + 1, p], block.change[k + 2, p]
                old0, old1 = block.residual[row, p], block.residual[row + 1, p]
                old2, old3 = block.residual[row + 2, p], block.residual[row + 3, p]
                block.residual[row, p] = old0 - a0 * a - b0 * b - c0 * c
                block.residual[row + 1, p] = old1 - a1 * a - b1 * b - c1 * c
                block.residual[row + 2, p] = old2 - a2 * a - b2 * b - c2 * c
                block.residual[row + 3, p] = old3 - a3 * a - b3 * b - c3 * c
        for i in range(_ROWS):
            _quantise(block, row + i)


@jit
def estimate_sigma(block: Block, n_rows: int) -> None:
    """Set sigma from the ranked residual, and the next scale to twice that residual."""
    while not _select(block, n_rows):
        for row in range(n_rows):
            _quantise(block, row)
    for p in range(BLOCK_PIXELS):
        whole = np.float32(_ranked(block, p))
        middle = whole + np.float32(0.5) if whole > 0 else whole
        ranked = middle / block.scale[p]
        block.sigma[p] = block.sigma_factor[p] * ranked
        block.scale[p] = _QUANTISED_RANGE / max(np.float32(2) * ranked, QUANTISATION_SIGMA)


@jit_inline
def _select(block: Block, n_rows: int) -> bool:
    """Select the ranked residuals; False where the scale was too fine for one, now coarser."""
    select_ranked(
        block.high, block.low, n_rows, block.rank, block.bytes, block.below, block.selected
    )
    is_found = True
    for p in range(BLOCK_PIXELS):
        if _ranked(block, p) == LARGEST and block.rank[p] <= block.n_valid[p]:
            block.scale[p] /= np.float32(64)
            is_found = False
    return is_found


@jit_inline
def _ranked(block: Block, p: int) -> np.int32:
    """Return the whole number that was selected."""
    return np.int32(block.selected[0, p]) * 128 + np.int32(block.selected[1, p])


@jit_inline
def _quantise(block: Block, row: int) -> None:
    """Write a date's residuals' sizes as whole numbers of 14 bits."""
    for p in range(BLOCK_PIXELS):
        size = abs(block.residual[row, p]) * block.scale[p]
        whole = np.int32(size) if size < np.float32(LARGEST) else np.int32(LARGEST)
        block.high[row, p] = whole >> 7
        block.low[row, p] = whole & 127
