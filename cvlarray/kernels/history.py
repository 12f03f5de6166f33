"""Which part of a history is stable enough to be taken as normal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.recursive import recursive_residuals


def recursive_cusum(residuals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the cumulated recursive residuals of one pixel, in units of √n standard deviations.

    Parameters
    ----------
    residuals
        Shape (n,), without missing ones.

    Returns
    -------
    Shape (n + 1,), starting at 0.
    """
    scale = np.std(residuals, ddof=1) * np.sqrt(residuals.size)
    return np.concatenate([[0.0], np.cumsum(residuals) / scale])


def recursive_cusum_critical_value(significance: float) -> float:
    """Return what the process may reach at its start while nothing changes.

    At its end it may reach three times that (Brown, Durbin & Evans 1975,
    doi:10.1111/j.2517-6161.1975.tb01532.x).
    """
    if not 0 < significance < 1:
        raise ValueError(f"significance must be a probability between 0 and 1, got {significance}")
    from scipy.optimize import brentq  # noqa: PLC0415 (a third of a second, for this alone)

    return float(brentq(lambda x: _crossing_probability(x) - significance, 0.3, 20))


def stable_start(
    series: NDArray[np.floating],
    design: NDArray[np.floating],
    *,
    significance: float = 0.05,
    n_initial: int | None = None,
) -> NDArray[np.int64]:
    """Return from which date on each pixel's history is stable.

    The recursive CUSUM test runs from the last observation back to the first; where it leaves its
    boundary, what lies before belongs to another regime (reverse-ordered CUSUM, Pesaran &
    Timmermann 2002, doi:10.1016/S0927-5398(02)00007-5; in satellite series Verbesselt et al. 2012,
    doi:10.1016/j.rse.2012.02.022).

    Parameters
    ----------
    series
        Shape (time, pixel), the history; NaN is missing.
    design
        Shape (coefficient, time).
    significance
        Probability of cutting a stable history.
    n_initial
        As in `recursive_residuals`.

    Returns
    -------
    Shape (pixel,): position in time after the last unstable observation, 0 where all are stable.
    """
    critical = recursive_cusum_critical_value(significance)
    reverse = np.ascontiguousarray(series[::-1], np.float64)
    residuals = recursive_residuals(reverse, design[:, ::-1], n_initial=n_initial)
    start = np.zeros(series.shape[1], np.int64)
    _stable_start(reverse, residuals, critical, start)
    return start


@jit
def _stable_start(
    series: NDArray[np.float64],
    residuals: NDArray[np.float64],
    critical: float,
    start: NDArray[np.int64],
) -> None:
    """Find where each pixel's process, of reversed series, first leaves its boundary."""
    n_dates, n_pixels = series.shape
    for p in range(n_pixels):
        n, total, squares, largest = 0, 0.0, 0.0, 0.0
        for t in range(n_dates):
            if not np.isnan(series[t, p]):
                largest = max(largest, abs(series[t, p]))
            if not np.isnan(residuals[t, p]):
                n += 1
                total += residuals[t, p]
                squares += residuals[t, p] ** 2
        if n < 2:
            continue
        sigma = np.sqrt(max(squares - total * total / n, 0.0) / (n - 1))
        if sigma <= 1e-9 * largest:  # nothing but rounding
            continue
        seen, process = 0, 0.0
        for t in range(n_dates):
            if np.isnan(residuals[t, p]):
                continue
            seen += 1
            process += residuals[t, p]
            if abs(process) > critical * (1 + 2 * seen / n) * sigma * np.sqrt(n):
                start[p] = n_dates - t
                break


def _crossing_probability(x: float) -> float:
    """Return the probability that a Brownian motion crosses ±x·(1 + 2t) for t in [0, 1]."""
    return float(
        2
        * (
            ndtr(-3 * x)
            + np.exp(-4 * x**2) * (ndtr(x) + ndtr(5 * x) - 1)
            - np.exp(-16 * x**2) * ndtr(-x)
        )
    )
