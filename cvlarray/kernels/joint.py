"""Robust seasonal fit of several bands at once, with one weight an observation for all of them.

A cloud or its shadow that stands out in one band then counts in none, and the Gram matrix is summed
once for all bands. The schedule is that of `cvlarray.kernels.harmonics`; an observation's size is
the length of its residuals, each in its band's standard deviations. The weights' tuning is set so
that the same share of Gaussian observations lies beyond it as for a single band.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincc, gammainccinv

from cvlarray.kernels.accelerate import aligned_zeros, jit, jit_inline, jit_step
from cvlarray.kernels.harmonics import HUBER_STEPS, HarmonicFit, check_series, store
from cvlarray.kernels.loading import load
from cvlarray.kernels.normal_equations import (
    HALF_WITHIN,
    HUBER_TUNING,
    TUKEY_TUNING,
    add_dates,
    solve,
    solve_huber,
    subtract_change,
)
from cvlarray.kernels.pixel_block import (
    BLOCK_PIXELS,
    NODATA,
    WEIGHT_ROWS,
    Block,
    Tables,
    column,
    make_block,
    make_tables,
)
from cvlarray.kernels.residual_scale import QUANTISATION_SIGMA, bound_residuals, estimate_sigma
from cvlarray.kernels.season import TimeAxis, coefficient_names


def fit_joint(
    series: NDArray[np.int16],
    days: ArrayLike,
    axis: TimeAxis,
    *,
    harmonic_order: int = 2,
    min_observations: int = 6,
) -> HarmonicFit:
    """Fit the seasons of several bands together, outliers of any weighted down in all.

    Parameters
    ----------
    series
        Shape (band, time, ...), int16; -32768 where there is no valid observation. What is missing
        in one band counts in none.
    days, axis, harmonic_order, min_observations
        As for `cvlarray.kernels.harmonics.fit_robust`.

    Returns
    -------
    Coefficients (band, coefficient, ...), sigma (band, ...), and ``n_valid`` (...) of observations
    valid in all bands.

    Raises
    ------
    ValueError
        If ``series`` and ``days`` don't fit, or ``min_observations`` is below the coefficients.
    TypeError
        If ``series`` isn't int16.
    """
    n_coefficients = len(coefficient_names(harmonic_order))
    check_series(series[0], np.asarray(days), n_coefficients, min_observations)
    n_bands, n_dates, *shape = series.shape
    flat = np.ascontiguousarray(series).reshape(n_bands, n_dates, -1)
    n_padded = -(-flat.shape[2] // BLOCK_PIXELS) * BLOCK_PIXELS
    fit = HarmonicFit(
        np.empty((n_bands, n_coefficients, n_padded), np.float32),
        np.empty((n_bands, n_padded), np.float32),
        np.empty((n_bands, n_padded), np.uint16),
    )
    _fit(
        flat,
        make_tables(days, axis, harmonic_order),
        _blocks(n_bands, make_block(n_dates, harmonic_order)),
        np.array(
            [_tuning(float(one), n_bands) for one in (HUBER_TUNING, TUKEY_TUNING)], np.float32
        ),
        min_observations,
        fit,
    )
    n_pixels = flat.shape[2]
    return HarmonicFit(
        fit.coefficients[..., :n_pixels].reshape(n_bands, n_coefficients, *shape),
        fit.sigma[:, :n_pixels].reshape(n_bands, *shape),
        fit.n_valid[0, :n_pixels].reshape(shape),
    )


def _tuning(single: float, n_bands: int) -> float:
    """Return the size beyond which as many Gaussian observations lie as beyond a single band's."""
    # The tail of chi² with k degrees of freedom beyond x is gammaincc(k / 2, x / 2).
    tail = gammaincc(0.5, single**2 / 2)
    return float(np.sqrt(2 * gammainccinv(n_bands / 2, tail)))


def _blocks(n_bands: int, block: Block) -> Block:
    """Return the scratch of as many blocks, the band as first axis."""
    stacked = []
    for array in block:
        several = aligned_zeros((n_bands, *array.shape), array.dtype.type)
        several[:] = array
        stacked.append(several)
    return Block(*stacked)


@jit_inline
def _of_band(blocks: Block, band: int) -> Block:
    return Block(
        blocks.seen[band],
        blocks.seen_moments[band],
        blocks.center[band],
        blocks.residual[band],
        blocks.digits[band],
        blocks.weight[band],
        blocks.weighted[band],
        blocks.moments[band],
        blocks.gradient[band],
        blocks.cholesky[band],
        blocks.change[band],
        blocks.coefficients[band],
        blocks.squares[band],
        blocks.scale[band],
        blocks.sigma[band],
        blocks.n_valid[band],
        blocks.rank[band],
        blocks.below[band],
        blocks.n_within[band],
        blocks.bytes[band],
        blocks.selected[band],
        blocks.sigma_factor[band],
        blocks.rows[band],
    )


@jit
def _fit(
    series: NDArray[np.int16],
    tables: Tables,
    blocks: Block,
    tuning: NDArray[np.float32],
    min_observations: int,
    fit: HarmonicFit,
) -> None:
    n_bands, n_dates, n_pixels = series.shape
    joined = np.empty((n_bands, n_dates, BLOCK_PIXELS), np.int16)
    n_rows = 0
    for first in range(0, n_pixels, BLOCK_PIXELS):
        _join(series, first, joined)
        for band in range(n_bands):
            block = _of_band(blocks, band)
            n_rows = load(joined[band], 0, block, tables)
            solve(block, tables)
            bound_residuals(block, tables)
            subtract_change(block, tables, n_rows)
            estimate_sigma(block, n_rows)
        for _ in range(HUBER_STEPS):
            _sum_huber_jointly(blocks, tables, n_rows, tuning[0])
            for band in range(n_bands):
                block = _of_band(blocks, band)
                block.n_within[:] = blocks.n_within[0]
                solve_huber(block, tables)
                subtract_change(block, tables, n_rows)
                estimate_sigma(block, n_rows)
        _sum_tukey_jointly(blocks, tables, n_rows, tuning[1])
        for band in range(n_bands):
            block = _of_band(blocks, band)
            block.moments[:] = blocks.moments[0]
            solve(block, tables)
            subtract_change(block, tables, n_rows)
            estimate_sigma(block, n_rows)
        for band in range(n_bands):
            of_band = HarmonicFit(fit.coefficients[band], fit.sigma[band], fit.n_valid[band])
            store(_of_band(blocks, band), first, min_observations, of_band)


@jit_step
def _join(series: NDArray[np.int16], first: int, joined: NDArray[np.int16]) -> None:
    """Copy a block, missing in all bands where it is in one, and beyond the series."""
    size = min(BLOCK_PIXELS, series.shape[2] - first)
    is_valid = np.empty(BLOCK_PIXELS, np.bool_)
    for t in range(series.shape[1]):
        for p in range(BLOCK_PIXELS):
            is_valid[p] = p < size
        for band in range(series.shape[0]):
            for p in range(size):
                is_valid[p] &= series[band, t, column(first, p)] != NODATA
        for band in range(series.shape[0]):
            for p in range(size):
                value = series[band, t, column(first, p)]
                joined[band, t, p] = value if is_valid[p] else NODATA
            for p in range(size, BLOCK_PIXELS):
                joined[band, t, p] = NODATA


@jit_step
def _sum_huber_jointly(blocks: Block, tables: Tables, n_rows: int, limit: np.float32) -> None:
    """Sum each band's gradient and, in the first one's block, the observations within the limit."""
    lead = _of_band(blocks, 0)
    blocks.gradient[:] = 0
    lead.n_within[:] = 0
    for row in range(0, n_rows, WEIGHT_ROWS):
        for i in range(WEIGHT_ROWS):
            _measure(blocks, row + i, lead.weight[i], limit)
            _weigh_huber(lead.weight[i], lead.n_within[0])
        _add_gradients(blocks, tables, row)


@jit_step
def _sum_tukey_jointly(blocks: Block, tables: Tables, n_rows: int, limit: np.float32) -> None:
    """Sum each band's gradient and, in the first one's block, the moments of all."""
    lead = _of_band(blocks, 0)
    blocks.gradient[:] = 0
    lead.moments[:] = 0
    for row in range(0, n_rows, WEIGHT_ROWS):
        for i in range(WEIGHT_ROWS):
            _measure(blocks, row + i, lead.weight[i], limit)
            _weigh_tukey(lead.weight[i])
        add_dates(tables.moments, lead.rows, row, lead.weight, lead.moments)
        _add_gradients(blocks, tables, row)


@jit_step
def _add_gradients(blocks: Block, tables: Tables, row: int) -> None:
    """Add some dates' residuals, with the weights at hand, to the gradient of each band."""
    lead = _of_band(blocks, 0)
    for band in range(blocks.gradient.shape[0]):
        residual = blocks.residual[band]
        for i in range(WEIGHT_ROWS):
            for p in range(BLOCK_PIXELS):
                lead.weighted[i, p] = lead.weight[i, p] * residual[row + i, p]
        add_dates(tables.basis, lead.rows, row, lead.weighted, blocks.gradient[band])


@jit_step
def _measure(blocks: Block, row: int, share: NDArray[np.float32], limit: np.float32) -> None:
    """Set the squared sizes of one date's observations, in limits; infinite where missing."""
    for p in range(BLOCK_PIXELS):
        share[p] = 0
    for band in range(blocks.residual.shape[0]):
        residual, sigma = blocks.residual[band, row], blocks.sigma[band]
        for p in range(BLOCK_PIXELS):
            size = residual[p] / (limit * max(sigma[p], QUANTISATION_SIGMA))
            share[p] += size * size


@jit_inline
def _weigh_huber(weight: NDArray[np.float32], n_within: NDArray[np.float32]) -> None:
    """Turn squared sizes into Huber's weights, and count those within the limit."""
    zero, one = np.float32(0), np.float32(1)
    for p in range(BLOCK_PIXELS):
        size = np.sqrt(weight[p])
        n_within[p] += min(max(HALF_WITHIN - size, zero), one)
        weight[p] = one / max(size, one)


@jit_inline
def _weigh_tukey(weight: NDArray[np.float32]) -> None:
    """Turn squared sizes into Tukey's weights."""
    for p in range(BLOCK_PIXELS):
        rest = max(np.float32(1) - weight[p], np.float32(0))
        weight[p] = rest * rest
