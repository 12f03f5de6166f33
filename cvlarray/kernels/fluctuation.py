"""Tests for structural change by the fluctuation of residuals, as R's strucchange computes them.

CUSUM: Chu, Stinchcombe & White 1996, doi:10.2307/2171955. MOSUM: Chu, Hornik & Kuan 1995,
doi:10.1017/S0266466600009130, with Leisch, Hornik & Kuan 2000, doi:10.1017/S0266466600166022.
Overview: Zeileis et al. 2005, doi:10.1002/jae.776.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from cvlarray.kernels.accelerate import jit


class Monitoring(NamedTuple):
    """A process that should stay within its boundary while nothing changes."""

    process: NDArray[np.float64]
    """(time, pixel) of the monitoring period; NaN where missing."""
    boundary: NDArray[np.float64]
    """(time, pixel): a change is called where the process' size exceeds it; NaN where missing."""
    n_history: NDArray[np.int64]
    """(pixel,): valid observations in the history."""
    sigma: NDArray[np.float64]
    """(pixel,): standard deviation of the history's residuals."""


def cusum_critical_value(significance: float) -> float:
    """Return the critical value of CUSUM monitoring for a probability of a false alarm."""
    _require_probability(significance)
    from scipy.optimize import brentq  # noqa: PLC0415 (a third of a second, for this alone)

    def excess(x: float) -> float:
        density = math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        return float(2 * (ndtr(x) - x * density) - 2 + significance)

    return float(brentq(excess, 0.5, 20))


_MOSUM_CRITICAL_VALUES = {
    0.25: {0.05: 1.341825, 0.01: 1.521645, 0.001: 1.745509},
    0.5: {0.05: 1.902003, 0.01: 2.209073, 0.001: 2.570255},
    1.0: {0.05: 2.745928, 0.01: 3.276932, 0.001: 3.941029},
}
"""By window and significance, for monitoring up to ten times the history (Leisch et al. 2000)."""


def mosum_critical_value(significance: float, window: float) -> float:
    """Return the critical value of MOSUM monitoring.

    For a window of 0.25, 0.5 or 1 of the history, and a significance from 0.001 to 0.05. Between
    the tabulated significances it is interpolated in their logarithms.
    """
    table = _MOSUM_CRITICAL_VALUES.get(window)
    if table is None:
        raise ValueError(f"window must be 0.25, 0.5 or 1 of the history, got {window:g}")
    if not min(table) <= significance <= max(table):
        raise ValueError(f"significance must be from 0.001 to 0.05, got {significance:g}")
    levels = sorted(table)
    return float(np.interp(np.log(significance), np.log(levels), [table[one] for one in levels]))


def monitor_cusum(
    residual: NDArray[np.floating], n_history_dates: int, *, n_coefficients: int, critical: float
) -> Monitoring:
    """Return the cumulated residuals of the monitoring period and their boundary.

    Parameters
    ----------
    residual
        Shape (time, pixel): residuals of a fit to the history; NaN is missing.
    n_history_dates
        Dates that are history.
    n_coefficients
        Of the fit.
    critical
        What `cusum_critical_value` returns.
    """
    history = _history(residual, n_history_dates, n_coefficients)
    later = residual[n_history_dates:]
    process = np.where(
        np.isfinite(later), history.start + np.nancumsum(later / history.scale, axis=0), np.nan
    )
    x = _relative_time(later, history.n)
    with np.errstate(divide="ignore", invalid="ignore"):
        boundary = np.sqrt(x * (x - 1) * (critical**2 + np.log(x / (x - 1))))
    return Monitoring(process, boundary, history.n, history.sigma)


def monitor_mosum(
    residual: NDArray[np.floating],
    n_history_dates: int,
    *,
    n_coefficients: int,
    critical: float,
    window: float,
) -> Monitoring:
    """Return the moving sums of residuals in the monitoring period and their boundary.

    Parameters are those of `monitor_cusum`, with the critical value of `mosum_critical_value` for
    the same ``window``: the length of the sums as a share of the history.
    """
    history = _history(residual, n_history_dates, n_coefficients)
    scaled = np.ascontiguousarray(residual / history.scale, np.float64)
    process = np.full(scaled.shape, np.nan)
    _sum_moving(scaled, (window * history.n).astype(np.int64), process)
    x = _relative_time(residual[n_history_dates:], history.n)
    boundary = critical * np.sqrt(2 * np.log(np.maximum(x, np.e)))
    return Monitoring(process[n_history_dates:], boundary, history.n, history.sigma)


class _History(NamedTuple):
    start: NDArray[np.float64]
    """Sum of the scaled residuals."""
    scale: NDArray[np.float64]
    """What a residual is divided by."""
    n: NDArray[np.int64]
    sigma: NDArray[np.float64]


def _history(residual: NDArray[np.floating], n_history_dates: int, n_coefficients: int) -> _History:
    history = residual[:n_history_dates].astype(np.float64)
    n = np.isfinite(history).sum(axis=0)
    total, squares = np.nansum(history, axis=0), np.nansum(history**2, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (squares - total**2 / n) / (n - n_coefficients)
        sigma = np.where(n > n_coefficients, np.sqrt(variance), np.nan)
        scale = sigma * np.sqrt(n)
        return _History(total / scale, scale, n, sigma)


def _require_probability(significance: float) -> None:
    if not 0 < significance < 1:
        raise ValueError(f"significance must be a probability between 0 and 1, got {significance}")


def _relative_time(
    residual: NDArray[np.floating], n_history: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return valid observations so far over those of the history; NaN where missing."""
    is_valid = np.isfinite(residual)
    with np.errstate(divide="ignore", invalid="ignore"):
        time = (n_history + is_valid.cumsum(axis=0)) / n_history
    return np.where(is_valid, time, np.nan)


@jit
def _sum_moving(
    scaled: NDArray[np.float64], sizes: NDArray[np.int64], process: NDArray[np.float64]
) -> None:
    """Write the sum of each pixel's last ``size`` valid values at every date with one."""
    valid = np.empty(scaled.shape[0])
    for p in range(scaled.shape[1]):
        n, total = 0, 0.0
        for t in range(scaled.shape[0]):
            if np.isnan(scaled[t, p]):
                continue
            valid[n] = scaled[t, p]
            total += valid[n]
            if n >= sizes[p]:
                total -= valid[n - sizes[p]]
            n += 1
            process[t, p] = total
