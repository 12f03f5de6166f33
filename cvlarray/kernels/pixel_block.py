"""A block of pixels at work: scratch that stays in the cache, filled from the series.

Every inner loop runs over the `BLOCK_PIXELS` pixels of a block, a vector lane each, with the same
instructions for all: a pixel's result can't depend on its neighbours, on the chunk it came in, or
on the thread. Scratch is allocated once a call and stays in the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.accelerate import aligned_zeros, jit_inline
from cvlarray.kernels.ranked_sigma import sigma_factors
from cvlarray.kernels.season import TimeAxis, design_matrix, moment_table
from cvlarray.kernels.selection import ROW_TILE
from cvlarray.kernels.subset_sums import n_groups, subset_sums
from cvlarray.kernels.vector import LANES

BLOCK_PIXELS = 512

NODATA = -32_768
"""A missing observation of the input."""

MISSING = np.float32(1e30)
"""Residual of a missing observation."""

MISSING_ABOVE = np.float32(1e29)

GRADIENT_TILE = 6
"""Coefficients whose gradient is summed at once: all of a model with two harmonics."""

MOMENT_TILE = 3
"""Moments summed at once: with `WEIGHT_ROWS` dates they fill, but don't spill, the registers."""

WEIGHT_ROWS = 4
"""Dates whose weights are held at once."""


class Tables(NamedTuple):
    """Everything about the dates, the same for all pixels."""

    moments: NDArray[np.float32]
    """(moment, time)"""
    basis: NDArray[np.float32]
    """(coefficient, time), padded with empty rows to a multiple of the tile. Both end with one
    date more, where they are 0."""
    entries: NDArray[np.int64]
    factors: NDArray[np.float32]
    """How moments make the Gram matrix: `season.MomentTable`."""
    subset_moments: NDArray[np.float32]
    """The moments of every set of neighbouring dates: `subset_sums.subset_sums`."""
    sigma_factor: NDArray[np.float32]
    """(n_dates + 1,): `ranked_sigma.sigma_factors`."""
    prior_mean: NDArray[np.float32]
    prior_strength: NDArray[np.float32]
    """(coefficient,): where the coefficients are drawn to, and with how many observations."""


class Block(NamedTuple):
    """Scratch of one block; the last axis is the pixel."""

    seen: NDArray[np.int16]
    """(group of dates, pixel): a bit for each date that is valid, as `sum_seen` takes them."""
    seen_moments: NDArray[np.float32]
    """(part, pixel, `LANES`): sums over the valid dates, not yet turned into rows of moments."""
    center: NDArray[np.float32]
    """(pixel,): about the mean of the series, a whole number."""
    residual: NDArray[np.float32]
    """(row, pixel): observation less the model at hand; only the last few rows, if it has no more
    of them."""
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
    """(tile of coefficients, pixel): sum of the squares at the start, once for each tile, then in
    the first what remains of it."""
    scale: NDArray[np.float32]
    sigma: NDArray[np.float32]
    """(pixel,): whole numbers per DN; standard deviation."""
    n_valid: NDArray[np.int16]
    rank: NDArray[np.int16]
    below: NDArray[np.int16]
    """(pixel,): valid observations, and what `select_ranked` needs."""
    n_within: NDArray[np.float32]
    """(tile of coefficients, pixel): observations with Huber's full weight, once for each tile."""
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
    n_dates = basis.shape[1]
    return Tables(
        np.pad(table.moments, ((0, 0), (0, 1))).astype(np.float32),
        np.pad(basis, ((0, tiled(len(basis)) - len(basis)), (0, 1))).astype(np.float32),
        table.entries,
        table.factors.astype(np.float32),
        subset_sums(table.moments),
        sigma_factors(n_dates, len(basis)),
        np.full(len(basis), prior_mean, np.float32),
        np.full(len(basis), prior_strength, np.float32),
    )


def make_block(n_dates: int, harmonic_order: int, n_rows: int | None = None) -> Block:
    """Allocate one block's scratch, with as many rows of residuals as dates, or as told."""
    n_rows = -(-(n_rows or n_dates) // ROW_TILE) * ROW_TILE
    n, n_moments = 2 + 2 * harmonic_order, 3 + 6 * harmonic_order
    pixels = (BLOCK_PIXELS,)
    return Block(
        seen=aligned_zeros((n_groups(n_dates), *pixels), np.int16),
        seen_moments=aligned_zeros((-(-n_moments // LANES), *pixels, LANES), np.float32),
        center=aligned_zeros(pixels, np.float32),
        residual=aligned_zeros((n_rows, *pixels), np.float32),
        digits=aligned_zeros((2, n_rows, *pixels), np.int8),
        weight=aligned_zeros((WEIGHT_ROWS, *pixels), np.float32),
        weighted=aligned_zeros((WEIGHT_ROWS, *pixels), np.float32),
        moments=aligned_zeros((n_moments, *pixels), np.float32),
        gradient=aligned_zeros((tiled(n), *pixels), np.float32),
        cholesky=aligned_zeros((n, n, *pixels), np.float32),
        change=aligned_zeros((tiled(n), *pixels), np.float32),
        coefficients=aligned_zeros((n, *pixels), np.float32),
        squares=aligned_zeros((tiled(n) // GRADIENT_TILE, *pixels), np.float32),
        scale=aligned_zeros(pixels, np.float32),
        sigma=aligned_zeros(pixels, np.float32),
        n_valid=aligned_zeros(pixels, np.int16),
        rank=aligned_zeros(pixels, np.int16),
        below=aligned_zeros(pixels, np.int16),
        n_within=aligned_zeros((tiled(n) // GRADIENT_TILE, *pixels), np.float32),
        bytes=aligned_zeros((2, *pixels), np.int8),
        selected=aligned_zeros((2, *pixels), np.int8),
        sigma_factor=aligned_zeros(pixels, np.float32),
        rows=np.zeros(-(-n_dates // ROW_TILE) * ROW_TILE, np.int64),
    )


def tiled(n_coefficients: int) -> int:
    """Return a number of coefficients rounded up to a multiple of the tile."""
    return -(-n_coefficients // GRADIENT_TILE) * GRADIENT_TILE


@jit_inline
def column(first: int, p: int) -> np.uint64:
    """Return the position of a block's pixel in the series.

    Unsigned, because an index that could be negative is checked for it, pixel by pixel.
    """
    return np.uint64(first) + np.uint64(p)
