"""Seasonal fit of every pixel: ordinary and robust least squares on int16 series.

The robust schedule is ordinary least squares, two passes with Huber's weights and one with Tukey's
biweight, the scale taken anew from the residuals' median before each pass: iteratively reweighted
least squares after Holland & Welsch (1977), doi:10.1080/03610927708827533. Each pass solves for the
*change* of the coefficients from the residuals at hand, which repairs the rounding of the passes
before it, so that float32 is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.normal_equations import (
    BLOCK_PIXELS,
    HUBER,
    TUKEY,
    UNWEIGHTED,
    Block,
    Tables,
    bound_residuals,
    estimate_sigma,
    load,
    make_block,
    make_tables,
    solve,
    subtract_change,
    sum_moments,
)
from cvlarray.kernels.season import TimeAxis, coefficient_names, design_matrix

MAX_DATES = 32_000
"""Counts and ranks are int16."""


class HarmonicFit(NamedTuple):
    """Seasonal model of each pixel."""

    coefficients: NDArray[np.float32]
    """(coefficient, ...): level, trend, cosine and sine of each harmonic [unit of the series]."""
    sigma: NDArray[np.float32]
    """(...): standard deviation of the residuals [unit of the series]."""
    n_valid: NDArray[np.uint16]
    """(...): observations that were not missing."""


def fit_ols(
    series: NDArray[np.int16],
    days: ArrayLike,
    axis: TimeAxis,
    *,
    harmonic_order: int = 2,
    min_observations: int = 6,
) -> HarmonicFit:
    """Fit each pixel's season by ordinary least squares.

    Parameters and result are those of `fit_robust`, except that ``sigma`` is the residuals' root
    mean square over ``n_valid`` less the number of coefficients (NaN without such freedom).
    """
    return _fit(series, days, axis, harmonic_order, min_observations, _ols_series)


def fit_robust(
    series: NDArray[np.int16],
    days: ArrayLike,
    axis: TimeAxis,
    *,
    harmonic_order: int = 2,
    min_observations: int = 6,
) -> HarmonicFit:
    """Fit each pixel's season, outliers weighted down: two Huber passes, then one of Tukey's.

    Parameters
    ----------
    series
        Shape (time, ...), int16; -32768 where there is no valid observation.
    days
        Shape (time,), days since 1970-01-01, in any order.
    axis
        Scaling of the trend's time; give the same to `predict`.
    harmonic_order
        Annual harmonics; the model has ``2 + 2 * harmonic_order`` coefficients.
    min_observations
        Pixels with fewer valid observations get NaN; at least the number of coefficients.

    Returns
    -------
    Coefficients and sigma float32 in the units of ``series``; NaN where too few observations.
    ``sigma`` is 1.4826 × the median of the residuals' sizes, corrected for few observations; NaN
    where there are no more of them than coefficients.
    A coefficient that the dates can't tell from those before it is 0.

    Raises
    ------
    ValueError
        If ``series`` and ``days`` don't fit, or ``min_observations`` is below the coefficients.
    TypeError
        If ``series`` isn't int16.
    """
    return _fit(series, days, axis, harmonic_order, min_observations, _robust_series)


def predict(
    coefficients: NDArray[np.float32], days: ArrayLike, axis: TimeAxis
) -> NDArray[np.float32]:
    """Return what a fitted season expects.

    Parameters
    ----------
    coefficients
        Shape (coefficient, ...).
    days
        Shape (time,), days since 1970-01-01.
    axis
        The axis of the fit.

    Returns
    -------
    Shape (time, ...), float32; NaN where the coefficients are.
    """
    order = (coefficients.shape[0] - 2) // 2
    basis = design_matrix(days, axis, harmonic_order=order).astype(np.float32)
    # Not tensordot: BLAS would sum in an order that depends on the array's size.
    prediction: NDArray[np.float32] = np.multiply.outer(basis[0], coefficients[0])
    for row, coefficient in zip(basis[1:], coefficients[1:], strict=True):
        prediction += np.multiply.outer(row, coefficient)
    return prediction


def _fit(
    series: NDArray[np.int16],
    days: ArrayLike,
    axis: TimeAxis,
    harmonic_order: int,
    min_observations: int,
    kernel: Callable[..., None],
) -> HarmonicFit:
    """Check and flatten the series, allocate, and run a kernel over its blocks."""
    n_coefficients = len(coefficient_names(harmonic_order))
    _check(series, np.asarray(days), n_coefficients, min_observations)
    flat = np.ascontiguousarray(series).reshape(series.shape[0], -1)
    fit = HarmonicFit(
        np.empty((n_coefficients, flat.shape[1]), np.float32),
        np.empty(flat.shape[1], np.float32),
        np.empty(flat.shape[1], np.uint16),
    )
    kernel(
        flat,
        make_tables(days, axis, harmonic_order),
        make_block(series.shape[0], harmonic_order),
        np.int64(min_observations),
        *fit,
    )
    shape = series.shape[1:]
    return HarmonicFit(
        fit.coefficients.reshape(n_coefficients, *shape),
        fit.sigma.reshape(shape),
        fit.n_valid.reshape(shape),
    )


def _check(
    series: NDArray[np.int16], days: NDArray[np.float64], n_coefficients: int, minimum: int
) -> None:
    if series.dtype != np.int16:
        raise TypeError(f"the fit takes int16 series (-32768 is missing), got {series.dtype}")
    if series.shape[:1] != days.shape:
        raise ValueError(
            f"series must be (time, ...) with one of {days.size} days a row, got {series.shape}"
        )
    if series.shape[0] > MAX_DATES:
        raise ValueError(f"the fit takes up to {MAX_DATES} dates, got {series.shape[0]}")
    if minimum < n_coefficients:
        raise ValueError(
            f"min_observations must be at least the model's {n_coefficients} coefficients, "
            f"got {minimum}"
        )


@jit
def _ols_series(
    series: NDArray[np.int16],
    tables: Tables,
    block: Block,
    min_observations: int,
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    n_valid: NDArray[np.uint16],
) -> None:
    """Fit all pixels block by block with equal weights."""
    n_pixels, n = series.shape[1], coefficients.shape[0]
    for first in range(0, n_pixels, BLOCK_PIXELS):
        size = min(BLOCK_PIXELS, n_pixels - first)
        n_rows = load(series, first, size, block, tables)
        sum_moments(block, tables, n_rows, UNWEIGHTED)
        solve(block, tables)
        bound_residuals(block)
        for p in range(BLOCK_PIXELS):
            freedom = np.float32(block.n_valid[p] - n)
            block.sigma[p] = np.sqrt(block.squares[p] / freedom) if freedom > 0 else np.nan
        _store(block, first, size, min_observations, coefficients, sigma, n_valid)


@jit
def _robust_series(
    series: NDArray[np.int16],
    tables: Tables,
    block: Block,
    min_observations: int,
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    n_valid: NDArray[np.uint16],
) -> None:
    """Fit all pixels block by block with the robust schedule."""
    n_pixels = series.shape[1]
    for first in range(0, n_pixels, BLOCK_PIXELS):
        size = min(BLOCK_PIXELS, n_pixels - first)
        n_rows = load(series, first, size, block, tables)
        sum_moments(block, tables, n_rows, UNWEIGHTED)
        solve(block, tables)
        bound_residuals(block)
        subtract_change(block, tables, n_rows)
        estimate_sigma(block, n_rows)
        for weighting in (HUBER, HUBER, TUKEY):
            sum_moments(block, tables, n_rows, weighting)
            solve(block, tables)
            subtract_change(block, tables, n_rows)
            estimate_sigma(block, n_rows)
        _store(block, first, size, min_observations, coefficients, sigma, n_valid)


@jit
def _store(
    block: Block,
    first: int,
    size: int,
    min_observations: int,
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    n_valid: NDArray[np.uint16],
) -> None:
    """Write a block's results; NaN where there were too few observations."""
    nan = np.float32(np.nan)
    for p in range(size):
        n_valid[first + p] = block.n_valid[p]
        is_known = block.n_valid[p] >= max(min_observations, coefficients.shape[0] + 1)
        sigma[first + p] = block.sigma[p] if is_known else nan
    for k in range(coefficients.shape[0]):
        for p in range(size):
            is_fitted = block.n_valid[p] >= min_observations
            coefficients[k, first + p] = block.coefficients[k, p] if is_fitted else nan
