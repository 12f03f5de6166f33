"""The range that observations keep to around their season, to either side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.accelerate import jit, jit_inline
from cvlarray.kernels.harmonics import PRIOR_FREEDOM
from cvlarray.kernels.pixel_block import BLOCK_PIXELS, NODATA, column
from cvlarray.kernels.residual_scale import QUANTISATION_SIGMA
from cvlarray.kernels.season import TimeAxis, design_matrix
from cvlarray.kernels.selection import LARGEST, ROW_TILE, select_ranked

OUTSIDE = 0.1
"""Share of observations below the range, and above it."""

_GAUSSIAN = 1.281_552
"""Standard deviations that a Gaussian's range reaches to either side."""

_MIDDLE = np.float32(8_191)
"""Where a residual of 0 lies among the whole numbers that residuals are ranked as."""

_REACH = np.float32(8)
"""Standard deviations to either side that these numbers span; what is beyond counts as there."""


class ResidualRange(NamedTuple):
    """Quantiles of the residuals [unit of the series], each (...)."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]


class _Model(NamedTuple):
    basis: NDArray[np.float32]
    """(coefficient, time)"""
    coefficients: NDArray[np.float32]
    """(coefficient, pixel)"""
    sigma: NDArray[np.float32]
    """(pixel,)"""


def residual_range(
    series: NDArray[np.int16],
    days: ArrayLike,
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    axis: TimeAxis,
) -> ResidualRange:
    """Return the tenth and the ninetieth percentile of each pixel's residuals.

    All dates are pooled, whatever their season, and so is what little a pixel knows of its own with
    what sigma says: a Gaussian's range counts for `PRIOR_FREEDOM` residuals. Haze and shadow make
    the range lopsided.

    Parameters
    ----------
    series
        Shape (time, ...), what was fitted; -32768 is missing.
    days
        Shape (time,), days since 1970-01-01.
    coefficients, sigma
        Of the fit, (coefficient, ...) and (...).
    axis
        The axis of the fit.

    Returns
    -------
    What to add to the expected value, float32; NaN where the fit is.
    """
    n_dates, n_coefficients = len(series), len(coefficients)
    basis = design_matrix(days, axis, harmonic_order=(n_coefficients - 2) // 2)
    spread = np.ascontiguousarray(sigma, np.float32).ravel()
    flat = np.ascontiguousarray(coefficients, np.float32).reshape(n_coefficients, -1)
    ranked = np.empty((2, spread.size), np.float32)
    n_valid = np.zeros(spread.size, np.int16)
    _rank(
        np.ascontiguousarray(series).reshape(n_dates, -1),
        _Model(basis.astype(np.float32), flat, spread),
        np.empty((2, -(-n_dates // ROW_TILE) * ROW_TILE, BLOCK_PIXELS), np.int8),
        n_valid,
        ranked,
    )
    freedom = np.maximum(n_valid - n_coefficients, 1)
    own = ranked * np.sqrt(np.maximum(n_valid, 1) / freedom)  # a fit narrows its own residuals
    gaussian = spread * np.array([[-_GAUSSIAN], [_GAUSSIAN]])
    weight = n_valid / (n_valid + PRIOR_FREEDOM)
    low, high = weight * own + (1 - weight) * gaussian
    shape = sigma.shape
    return ResidualRange(
        low.astype(np.float32).reshape(shape), high.astype(np.float32).reshape(shape)
    )


@jit
def _rank(
    series: NDArray[np.int16],
    model: _Model,
    digits: NDArray[np.int8],
    n_valid: NDArray[np.int16],
    ranked: NDArray[np.float32],
) -> None:
    """Write the residuals of the range's two ranks, and count the observations."""
    n_dates = series.shape[0]
    rank, below = np.empty(BLOCK_PIXELS, np.int16), np.empty(BLOCK_PIXELS, np.int16)
    scratch = np.empty((2, BLOCK_PIXELS), np.int8)
    selected = np.empty((2, BLOCK_PIXELS), np.int8)
    for first in range(0, model.sigma.size, BLOCK_PIXELS):
        size = min(BLOCK_PIXELS, model.sigma.size - first)
        for side in range(2):
            for p in range(size):
                n_valid[column(first, p)] = 0
            for t in range(digits.shape[1]):
                if t < n_dates:
                    _quantise(series, model, t, first, size, digits, n_valid)
                else:
                    digits[0, t], digits[1, t] = 127, 127
            for p in range(size):
                n = n_valid[column(first, p)]
                from_below = max(int(np.rint(np.float32(OUTSIDE) * n + 0.5)), 1)
                rank[p] = from_below if side == 0 else n + 1 - from_below
            for p in range(size, BLOCK_PIXELS):
                rank[p] = 1
            select_ranked(digits, n_dates, rank, scratch, below, selected)
            for p in range(size):
                whole = np.int32(selected[0, p]) * 128 + np.int32(selected[1, p])
                unit = max(model.sigma[column(first, p)], QUANTISATION_SIGMA) * _REACH / _MIDDLE
                is_any = n_valid[column(first, p)] > 0
                value = (np.float32(whole) - _MIDDLE) * unit
                ranked[side, column(first, p)] = value if is_any else np.float32(0)


@jit_inline
def _quantise(
    series: NDArray[np.int16],
    model: _Model,
    t: int,
    first: int,
    size: int,
    digits: NDArray[np.int8],
    n_valid: NDArray[np.int16],
) -> None:
    """Write a date's residuals as whole numbers of 14 bits, `LARGEST` where missing."""
    for p in range(size):
        residual = np.float32(series[t, column(first, p)]) - model.coefficients[0, column(first, p)]
        for k in range(1, model.coefficients.shape[0]):
            residual -= model.basis[k, t] * model.coefficients[k, column(first, p)]
        unit = max(model.sigma[column(first, p)], QUANTISATION_SIGMA) * _REACH / _MIDDLE
        place = min(max(np.rint(residual / unit) + _MIDDLE, np.float32(0)), np.float32(16_382))
        is_valid = series[t, column(first, p)] != NODATA
        whole = np.int32(place) if is_valid else np.int32(LARGEST)
        digits[0, t, p] = whole >> 7
        digits[1, t, p] = whole & 127
        n_valid[column(first, p)] += np.int16(is_valid)
