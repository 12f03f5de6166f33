"""Standardised residuals: how far observations are from their season, towards disturbance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.pixel_block import column
from cvlarray.kernels.season import TimeAxis, design_matrix

NODATA = -32_768

PIXELS_AT_ONCE = 256
"""Pixels whose prediction is held at once."""


class DateStatistics(NamedTuple):
    """What all pixels of a region share on a date, in standard deviations."""

    offset: NDArray[np.float32]
    """(feature, time): taken off the residual; NaN makes the date missing."""
    spread: NDArray[np.float32]
    """(feature, time): what the rest is divided by, at least 1."""

    @classmethod
    def neutral(cls, n_features: int, n_dates: int) -> DateStatistics:
        """Return statistics that change nothing."""
        shape = (n_features, n_dates)
        return cls(np.zeros(shape, np.float32), np.ones(shape, np.float32))


def standardise(
    series: NDArray[np.int16],
    days: ArrayLike,
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    axis: TimeAxis,
    *,
    direction: int = 1,
    sigma_floor: float = 0.0,
) -> NDArray[np.float32]:
    """Return ``direction * (observed - expected) / max(sigma, sigma_floor)`` of one feature.

    Parameters
    ----------
    series
        Shape (time, ...); -32768 is missing.
    days
        Shape (time,), days since 1970-01-01.
    coefficients, sigma
        Season of each pixel, (coefficient, ...) and (...); NaN where there is none.
    axis
        The axis of the fit.
    direction
        -1 for a feature that falls with disturbance: the residual is then positive.
    sigma_floor
        What sigma is at least, in the units of ``series``.

    Returns
    -------
    Shape (time, ...), float32; NaN where anything is missing.
    """
    n_dates, shape = series.shape[0], series.shape[1:]
    residual = np.empty((n_dates, sigma.size), np.float32)
    basis = design_matrix(days, axis, harmonic_order=(coefficients.shape[0] - 2) // 2)
    _standardise(
        np.ascontiguousarray(series).reshape(n_dates, -1),
        basis.astype(np.float32),
        np.ascontiguousarray(coefficients).reshape(coefficients.shape[0], -1),
        _direction_per_sigma(sigma, direction, sigma_floor),
        residual,
    )
    return residual.reshape(n_dates, *shape)


def _direction_per_sigma(
    sigma: NDArray[np.float32], direction: int, sigma_floor: float
) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        quotient = direction / np.maximum(sigma, np.float32(sigma_floor)).ravel()
    return quotient.astype(np.float32)


@jit
def _standardise(
    series: NDArray[np.int16],
    basis: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    per_sigma: NDArray[np.float32],
    residual: NDArray[np.float32],
) -> None:
    expected = np.empty(PIXELS_AT_ONCE, np.float32)
    n_pixels = series.shape[1]
    nan = np.float32(np.nan)
    for first in range(0, n_pixels, PIXELS_AT_ONCE):
        size = min(PIXELS_AT_ONCE, n_pixels - first)
        for t in range(series.shape[0]):
            for p in range(size):
                expected[p] = coefficients[0, column(first, p)]
            for k in range(1, basis.shape[0]):
                for p in range(size):
                    expected[p] += basis[k, t] * coefficients[k, column(first, p)]
            for p in range(size):
                value = series[t, column(first, p)]
                difference = np.float32(value) - expected[p]
                standardised = difference * per_sigma[column(first, p)]
                residual[t, column(first, p)] = standardised if value != NODATA else nan


def median_and_spread(
    residual: NDArray[np.float32], min_count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return median and scaled MAD of each date over all pixels.

    Parameters
    ----------
    residual
        Shape (time, ...); NaN is missing.
    min_count
        Dates with fewer values get NaN.

    Returns
    -------
    Two arrays (time,), float32.
    """
    n_dates = residual.shape[0]
    median, spread = (np.full(n_dates, np.nan, np.float32) for _ in range(2))
    for t, values in enumerate(residual.reshape(n_dates, -1)):
        valid = values[np.isfinite(values)]
        if valid.size >= max(min_count, 1):
            median[t] = np.median(valid)
            spread[t] = 1.4826 * np.median(np.abs(valid - median[t]))
    return median, spread


def judge(
    residual: NDArray[np.float32],
    sigma: NDArray[np.float32],
    directions: NDArray[np.float32],
    floors: NDArray[np.float32],
    dates: DateStatistics,
) -> NDArray[np.float32]:
    """Return the joint standardised residual of one date; take the date's offset off ``residual``.

    Parameters
    ----------
    residual
        Shape (feature, pixel), observed less expected; NaN is missing. Changed in place.
    sigma
        Shape (feature, pixel).
    directions, floors
        Shape (feature,): where each feature goes with disturbance, and its sigma's least value.
    dates
        Of the one date, arrays (feature,).

    Returns
    -------
    Shape (pixel,): the least of the features' residuals towards disturbance [standard deviations];
    NaN where any is missing.
    """
    joint = np.empty(residual.shape[1], np.float32)
    spread = np.maximum(dates.spread, np.float32(1))
    _judge(residual, sigma, directions, floors, dates.offset, spread, joint)
    return joint


@jit
def _judge(
    residual: NDArray[np.float32],
    sigma: NDArray[np.float32],
    directions: NDArray[np.float32],
    floors: NDArray[np.float32],
    offset: NDArray[np.float32],
    spread: NDArray[np.float32],
    joint: NDArray[np.float32],
) -> None:
    for f in range(residual.shape[0]):
        for p in range(joint.size):
            scale = max(sigma[f, p], floors[f])
            residual[f, p] -= directions[f] * offset[f] * scale
            value = directions[f] * residual[f, p] / (scale * spread[f])
            # | instead of "or": no branch, and NaN of either side is kept.
            is_least = (f == 0) | ~((value >= joint[p]) | np.isnan(joint[p]))
            joint[p] = value if is_least else joint[p]
