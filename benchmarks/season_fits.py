"""What the fits compute, against others: normal equations, a float64 twin, statsmodels, scipy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import ndtri

from benchmarks import season_sides as sides
from benchmarks.registry import Measurement, measures
from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.harmonics import HUBER_STEPS, fit_ols, fit_robust, predict
from cvlarray.kernels.loading import load
from cvlarray.kernels.normal_equations import (
    HUBER_TUNING,
    solve,
    solve_huber,
    subtract_change,
    sum_huber,
)
from cvlarray.kernels.pixel_block import BLOCK_PIXELS, Block, Tables, make_block, make_tables
from cvlarray.kernels.season import TimeAxis, design_matrix

AXIS = TimeAxis.over(sides.FIRST_DAY, sides.LAST_DAY)


@measures("ols_vs_normal_equations")
def ols_vs_normal_equations() -> Measurement:
    """Predictions at all dates of 20,000 pixels."""
    series = sides.series(20_000, seed=1)
    expected = _by_pixel(series, _normal_equations)
    ours = predict(fit_ols(series, sides.days(), AXIS).coefficients, sides.days(), AXIS)
    largest = float(np.nanmax(np.abs(ours - expected)))
    return Measurement(largest, "DN", note="largest of 20,000 pixels × 220 dates")


@measures("robust_vs_twin_p99")
def robust_vs_twin_p99() -> Measurement:
    """The same schedule written plainly in float64, one pixel at a time."""
    series = sides.series(5_000, seed=3)
    expected = _by_pixel(series, _robust_twin)
    ours = predict(fit_robust(series, sides.days(), AXIS).coefficients, sides.days(), AXIS)
    p99 = float(np.percentile(np.abs(ours - expected), 99))
    return Measurement(p99, "DN", note="5,000 pixels × 220 dates")


@measures("robust_vs_rlm_p50")
def robust_vs_rlm_p50() -> Measurement:
    """statsmodels' RLM iterates Tukey's weights to convergence; ours stops after its schedule."""
    series = sides.series(300, seed=2)
    expected = _by_pixel(series, _converged_tukey)
    ours = fit_robust(series, sides.days(), AXIS)
    difference = np.abs(predict(ours.coefficients, sides.days(), AXIS) - expected) / ours.sigma
    return Measurement(float(np.median(difference)), "sigma", note="300 pixels × 220 dates")


@measures("huber_vs_least_squares")
def huber_vs_least_squares() -> Measurement:
    """The kernel's own passes, repeated until nothing moves, sigma held at the noise's."""
    series = sides.series(BLOCK_PIXELS, seed=4)
    tables, block = make_tables(sides.days(), AXIS, 2), make_block(sides.N_DATES, 2)
    _converge_huber(series, block, tables, float(sides.NOISE_DN), 100)
    basis = design_matrix(sides.days(), AXIS).T
    ours = basis @ block.coefficients.astype(np.float64)
    largest = np.abs(ours - _by_pixel(series, _scipy_huber)).max() / sides.NOISE_DN
    return Measurement(
        float(largest), "sigma", note=f"largest of {BLOCK_PIXELS} pixels × {sides.N_DATES} dates"
    )


@jit
def _converge_huber(
    series: NDArray[np.int16], block: Block, tables: Tables, sigma: float, n_steps: int
) -> None:
    n_rows = load(series, 0, block, tables)
    solve(block, tables)
    subtract_change(block, tables, n_rows)
    block.sigma[:] = sigma
    for _ in range(n_steps):
        sum_huber(block, tables, n_rows)
        solve_huber(block, tables)
        subtract_change(block, tables, n_rows)


def _by_pixel(
    series: NDArray[np.int16],
    coefficients_of: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return a float64 reference's predictions, shape (time, pixel)."""
    basis = design_matrix(sides.days(), AXIS).T
    predictions = np.empty(series.shape)
    for pixel in range(series.shape[1]):
        is_valid = series[:, pixel] != sides.MISSING
        observed = series[is_valid, pixel].astype(np.float64)
        predictions[:, pixel] = basis @ coefficients_of(basis[is_valid], observed)
    return predictions


def _normal_equations(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.solve(x.T @ x, x.T @ y)


def _robust_twin(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ordinary least squares, two Newton steps of Huber's fit, one pass with Tukey's weights."""
    n, n_coefficients = x.shape
    rank = n // 2 + 1
    # The scale of the ranked residual: few residuals are smaller than the errors they come from.
    factor = np.sqrt(n / (n - n_coefficients)) / ndtri((1 + (rank - 0.5) / n) / 2)

    def residuals_and_sigma() -> tuple[NDArray[np.float64], float]:
        residuals = y - x @ coefficients
        return residuals, factor * np.sort(np.abs(residuals))[rank - 1]

    coefficients = _normal_equations(x, y)
    for _ in range(HUBER_STEPS):
        residuals, sigma = residuals_and_sigma()
        cut = np.clip(residuals, -1.345 * sigma, 1.345 * sigma)
        share = np.mean(np.clip(1.5 - np.abs(residuals) / (1.345 * sigma), 0, 1))
        coefficients = coefficients + np.linalg.solve(x.T @ x, x.T @ cut) / share
    residuals, sigma = residuals_and_sigma()
    weights = np.clip(1 - (residuals / (4.685 * sigma)) ** 2, 0, None) ** 2
    return np.linalg.solve((x.T * weights) @ x, (x.T * weights) @ y)


def _converged_tukey(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    import statsmodels.api as sm

    params: NDArray[np.float64] = sm.RLM(y, x, M=sm.robust.norms.TukeyBiweight()).fit().params
    return params


def _scipy_huber(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    found = least_squares(
        lambda coefficients: x @ coefficients - y,
        _normal_equations(x, y),
        lambda _: x,
        loss="huber",
        f_scale=float(HUBER_TUNING) * sides.NOISE_DN,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-10,
        max_nfev=2_000,
    )
    coefficients: NDArray[np.float64] = found.x
    return coefficients
