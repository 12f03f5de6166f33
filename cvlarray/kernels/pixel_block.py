"""A block of pixels at work: scratch that stays in the cache, filled from the series.

Every inner loop runs over the `BLOCK_PIXELS` pixels of a block, a vector lane each, with the same
instructions for all: a pixel's result can't depend on its neighbours, on the chunk it came in, or
on the thread. Scratch is allocated once a call and stays in the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.accelerate import aligned_zeros, jit, jit_inline
from cvlarray.kernels.ranked_sigma import median_rank, sigma_factors
from cvlarray.kernels.season import TimeAxis, design_matrix, moment_table
from cvlarray.kernels.selection import ROW_TILE

BLOCK_PIXELS = 256

NODATA = -32_768
"""A missing observation of the input."""

MISSING = np.float32(1e30)
"""Residual of a missing observation."""

MISSING_ABOVE = np.float32(1e29)

MOMENT_TILE = 3
"""Moments summed at once: with `WEIGHT_ROWS` dates they fill, but don't spill, the registers."""

WEIGHT_ROWS = 4
"""Dates whose weights are held at once."""


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
    """(n_dates + 1,): `ranked_sigma.sigma_factors`."""
    prior_mean: NDArray[np.float32]
    prior_strength: NDArray[np.float32]
    """(coefficient,): where the coefficients are drawn to, and with how many observations."""


class Block(NamedTuple):
    """Scratch of one block; the last axis is the pixel."""

    residual: NDArray[np.float32]
    """(row, pixel): observation less the model at hand."""
    digits: NDArray[np.int8]
    """(2, row, pixel): the residual's size as a whole number of 14 bits, seven each."""
    weight: NDArray[np.float32]
    weighted: NDArray[np.float32]
    """(`WEIGHT_ROWS`, pixel): weight, and weight × residual, of the rows being summed."""
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


def make_tables(
    days: ArrayLike,
    axis: TimeAxis,
    harmonic_order: int,
    prior_mean: ArrayLike = 0,
    prior_strength: ArrayLike = 0,
) -> Tables:
    """Return the tables of dates ``days`` [days since 1970-01-01]."""
    table = moment_table(days, axis, harmonic_order=harmonic_order)
    basis = design_matrix(days, axis, harmonic_order=harmonic_order)
    padded = np.zeros((tiled(len(basis)), basis.shape[1]), np.float32)
    padded[: len(basis)] = basis
    return Tables(
        table.moments.astype(np.float32),
        padded,
        table.entries,
        table.factors.astype(np.float32),
        sigma_factors(basis.shape[1], len(basis)),
        np.full(len(basis), prior_mean, np.float32),
        np.full(len(basis), prior_strength, np.float32),
    )


def make_block(n_dates: int, harmonic_order: int) -> Block:
    """Allocate one block's scratch."""
    n_rows = -(-n_dates // ROW_TILE) * ROW_TILE
    n, n_moments = 2 + 2 * harmonic_order, 3 + 6 * harmonic_order
    pixels = (BLOCK_PIXELS,)
    return Block(
        residual=aligned_zeros((n_rows, *pixels), np.float32),
        digits=aligned_zeros((2, n_rows, *pixels), np.int8),
        weight=aligned_zeros((WEIGHT_ROWS, *pixels), np.float32),
        weighted=aligned_zeros((WEIGHT_ROWS, *pixels), np.float32),
        moments=aligned_zeros((n_moments, *pixels), np.float32),
        gradient=aligned_zeros((tiled(n), *pixels), np.float32),
        cholesky=aligned_zeros((n, n, *pixels), np.float32),
        change=aligned_zeros((tiled(n), *pixels), np.float32),
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


def tiled(n_rows: int) -> int:
    """Return a number of rows rounded up to a multiple of the tile."""
    return -(-n_rows // MOMENT_TILE) * MOMENT_TILE


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
        block.rank[p] = median_rank(n_valid)
        block.sigma_factor[p] = tables.sigma_factor[n_valid]
    for k in range(1, n):
        for p in range(BLOCK_PIXELS):
            block.coefficients[k, p] = 0
