"""Seasonal fit of every pixel: ordinary and robust least squares on int16 series.

The robust schedule is ordinary least squares, two Newton steps towards Huber's fit and one pass
with Tukey's biweight, the scale taken anew from the residuals' median before each (Holland & Welsch
1977, doi:10.1080/03610927708827533, compare such steps). Huber's weights cut residuals off, and how
many they leave is all that his steps need beside the Gram matrix of the first pass (modified
residuals: Huber 1981, Robust Statistics, section 7.8, doi:10.1002/0471725250). Each pass solves for
the *change* of the coefficients from the residuals at hand, which repairs the rounding of the
passes before it, so that float32 is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.accelerate import jit, jit_inline
from cvlarray.kernels.loading import load
from cvlarray.kernels.normal_equations import (
    solve,
    solve_huber,
    subtract_change,
    sum_huber,
    sum_tukey,
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
from cvlarray.kernels.residual_scale import bound_residuals, estimate_sigma
from cvlarray.kernels.season import TimeAxis, coefficient_names, design_matrix

HUBER_STEPS = 2
"""Newton steps: as close to a converged Tukey fit in the end as after two reweighted fits."""

PRIOR_FREEDOM = 6
"""How many residuals a region's sigma counts for beside a pixel's own."""

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


class Prior(NamedTuple):
    """What a region's seasons are like; see `cvlarray.kernels.prior`."""

    mean: NDArray[np.float32]
    """(coefficient,): the typical season [unit of the series]."""
    strength: NDArray[np.float32]
    """(coefficient,): how many observations it weighs."""
    sigma: float
    """Typical standard deviation of the residuals [unit of the series]."""


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
    n_coefficients = len(coefficient_names(harmonic_order))
    check_series(series, np.asarray(days), n_coefficients, min_observations)
    tables = make_tables(days, axis, harmonic_order)
    block = make_block(series.shape[0], harmonic_order, n_rows=WEIGHT_ROWS)
    return _fit(series, tables, block, min_observations, _ols_series)


def fit_robust(
    series: NDArray[np.int16],
    days: ArrayLike,
    axis: TimeAxis,
    *,
    harmonic_order: int = 2,
    min_observations: int = 6,
    prior: Prior | None = None,
) -> HarmonicFit:
    """Fit each pixel's season, outliers weighted down: two Huber steps, then one of Tukey's.

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
        Pixels with fewer valid observations get NaN; at least the number of coefficients, without
        a prior.
    prior
        Draws the coefficients towards a region's, the more the fewer the observations (ridge
        regression, Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634). Sigma is pooled with
        the region's in the same way.

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
    n_coefficients = len(coefficient_names(harmonic_order))
    least = n_coefficients if prior is None else 0
    check_series(series, np.asarray(days), least, min_observations)
    pull = (0, 0) if prior is None else (prior.mean, prior.strength)
    tables = make_tables(days, axis, harmonic_order, *pull)
    block = make_block(series.shape[0], harmonic_order)
    fit = _fit(series, tables, block, min_observations, _robust_series)
    if prior is None:
        return fit
    return fit._replace(sigma=_pooled_sigma(fit, prior, n_coefficients, min_observations))


def _pooled_sigma(
    fit: HarmonicFit, prior: Prior, n_coefficients: int, min_observations: int
) -> NDArray[np.float32]:
    """Return sigma with the region's counted as `PRIOR_FREEDOM` residuals."""
    freedom = np.maximum(fit.n_valid - np.float32(n_coefficients), 0)
    squares = np.where(freedom > 0, freedom * fit.sigma**2, 0)
    variance = (squares + PRIOR_FREEDOM * prior.sigma**2) / (freedom + PRIOR_FREEDOM)
    variance[fit.n_valid < min_observations] = np.nan
    pooled: NDArray[np.float32] = np.sqrt(variance).astype(np.float32)
    return pooled


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
    tables: Tables,
    block: Block,
    min_observations: int,
    kernel: Callable[..., None],
) -> HarmonicFit:
    """Flatten the series, allocate what is returned, and run a kernel over the blocks."""
    n_coefficients = tables.prior_mean.size
    flat = np.ascontiguousarray(series).reshape(series.shape[0], -1)
    fit = _empty_fit(n_coefficients, flat.shape[1])
    whole, shape = flat.shape[1] // BLOCK_PIXELS * BLOCK_PIXELS, series.shape[1:]
    kernel(flat, whole, tables, block, min_observations, fit)
    if whole < flat.shape[1]:
        _fit_rest(kernel, flat[:, whole:], tables, block, min_observations, fit)
    return HarmonicFit(
        fit.coefficients.reshape(n_coefficients, *shape),
        fit.sigma.reshape(shape),
        fit.n_valid.reshape(shape),
    )


def _fit_rest(
    kernel: Callable[..., None],
    rest: NDArray[np.int16],
    tables: Tables,
    block: Block,
    min_observations: int,
    fit: HarmonicFit,
) -> None:
    """Fit the pixels that don't fill a block, as part of one that is filled up with missing."""
    n_dates, n_pixels = rest.shape
    filled = np.full((n_dates, BLOCK_PIXELS), NODATA, np.int16)
    filled[:, :n_pixels] = rest
    last = _empty_fit(fit.coefficients.shape[0], BLOCK_PIXELS)
    kernel(filled, BLOCK_PIXELS, tables, block, min_observations, last)
    fit.coefficients[:, -n_pixels:] = last.coefficients[:, :n_pixels]
    fit.sigma[-n_pixels:] = last.sigma[:n_pixels]
    fit.n_valid[-n_pixels:] = last.n_valid[:n_pixels]


def _empty_fit(n_coefficients: int, n_pixels: int) -> HarmonicFit:
    return HarmonicFit(
        np.empty((n_coefficients, n_pixels), np.float32),
        np.empty(n_pixels, np.float32),
        np.empty(n_pixels, np.uint16),
    )


def check_series(
    series: NDArray[np.int16], days: NDArray[np.float64], n_coefficients: int, minimum: int
) -> None:
    """Raise a TypeError or ValueError, as `fit_robust` says, unless these can be fitted."""
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
    end: int,
    tables: Tables,
    block: Block,
    min_observations: int,
    fit: HarmonicFit,
) -> None:
    """Fit the pixels up to ``end``, whole blocks, with equal weights."""
    n = fit.coefficients.shape[0]
    for first in range(0, end, BLOCK_PIXELS):
        load(series, first, block, tables)
        solve(block, tables)
        bound_residuals(block, tables)
        for p in range(BLOCK_PIXELS):
            freedom = np.float32(max(block.n_valid[p] - n, 1))
            block.sigma[p] = np.sqrt(block.squares[0, p] / freedom)
        store(block, first, min_observations, fit)


@jit
def _robust_series(
    series: NDArray[np.int16],
    end: int,
    tables: Tables,
    block: Block,
    min_observations: int,
    fit: HarmonicFit,
) -> None:
    """Fit the pixels up to ``end``, whole blocks, by the robust schedule."""
    for first in range(0, end, BLOCK_PIXELS):
        n_rows = load(series, first, block, tables)
        solve(block, tables)
        bound_residuals(block, tables)
        subtract_change(block, tables, n_rows)
        estimate_sigma(block, n_rows)
        for _ in range(HUBER_STEPS):
            sum_huber(block, tables, n_rows)
            solve_huber(block, tables)
            subtract_change(block, tables, n_rows)
            estimate_sigma(block, n_rows)
        sum_tukey(block, tables, n_rows)
        solve(block, tables)
        subtract_change(block, tables, n_rows)
        estimate_sigma(block, n_rows)
        store(block, first, min_observations, fit)


@jit_inline
def store(
    block: Block,
    first: int,
    min_observations: int,
    fit: HarmonicFit,
) -> None:
    """Write a block's results; NaN where there were too few observations."""
    nan = np.float32(np.nan)
    n = fit.coefficients.shape[0]
    for p in range(BLOCK_PIXELS):
        fit.n_valid[column(first, p)] = block.n_valid[p]
        is_known = block.n_valid[p] >= max(min_observations, n + 1)
        fit.sigma[column(first, p)] = block.sigma[p] if is_known else nan
    for k in range(n):
        for p in range(BLOCK_PIXELS):
            is_fitted = block.n_valid[p] >= min_observations
            fit.coefficients[k, column(first, p)] = block.coefficients[k, p] if is_fitted else nan
