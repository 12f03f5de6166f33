"""Recursive residuals: each observation against a fit to those before it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit


def recursive_residuals(
    series: NDArray[np.floating], design: NDArray[np.floating], *, n_initial: int | None = None
) -> NDArray[np.float64]:
    """Return the standardised one-step-ahead residuals of an ordinary least-squares fit.

    ``w = (y - x'b) / sqrt(1 + x' (X'X)⁻¹ x)`` with X and b of the observations before: independent,
    with the variance of the noise, as long as nothing changes (Brown, Durbin & Evans 1975,
    doi:10.1111/j.2517-6161.1975.tb01532.x).

    Each observation is rotated into the triangular factor of those before it (Givens); what is left
    of it is its recursive residual. Nothing is inverted, so that a poor start does no harm.

    Parameters
    ----------
    series
        Shape (time, pixel); NaN is missing.
    design
        Shape (coefficient, time), as `cvlarray.kernels.season.design_matrix` makes it.
    n_initial
        Valid observations before the first residual; the number of coefficients by default.

    Returns
    -------
    Shape (time, pixel), float64; NaN where missing and for the initial observations.

    Raises
    ------
    ValueError
        If the design has other dates, or ``n_initial`` is below the coefficients.
    """
    n_coefficients = design.shape[0]
    n_initial = n_coefficients if n_initial is None else n_initial
    if series.shape[0] != design.shape[1]:
        raise ValueError(
            f"design must have a column for each of {series.shape[0]} dates, got {design.shape[1]}"
        )
    if n_initial < n_coefficients:
        raise ValueError(
            f"n_initial must be at least the {n_coefficients} coefficients, got {n_initial}"
        )
    residuals = np.full(series.shape, np.nan)
    _recursive_residuals(
        np.ascontiguousarray(series, np.float64),
        np.ascontiguousarray(design.T, np.float64),
        n_initial,
        residuals,
    )
    return residuals


@jit
def _recursive_residuals(
    series: NDArray[np.float64],
    design: NDArray[np.float64],
    n_initial: int,
    residuals: NDArray[np.float64],
) -> None:
    n_dates, n_pixels = series.shape
    n = design.shape[1]
    factor = np.empty((n, n + 1))
    row = np.empty(n + 1)
    for p in range(n_pixels):
        for i in range(n):
            for k in range(n + 1):
                factor[i, k] = 0
        n_seen = 0
        for t in range(n_dates):
            if np.isnan(series[t, p]):
                continue
            for k in range(n):
                row[k] = design[t, k]
            row[n] = series[t, p]
            _rotate_in(factor, row)
            if n_seen >= n_initial:
                residuals[t, p] = row[n]
            n_seen += 1


@jit
def _rotate_in(factor: NDArray[np.float64], row: NDArray[np.float64]) -> None:
    """Rotate a row into the triangular factor; its last element becomes the residual."""
    n = factor.shape[0]
    for j in range(n):
        length = np.sqrt(factor[j, j] ** 2 + row[j] ** 2)
        if length == 0:
            continue
        cosine, sine = factor[j, j] / length, row[j] / length
        for k in range(j, n + 1):
            upper, lower = factor[j, k], row[k]
            factor[j, k] = cosine * upper + sine * lower
            row[k] = cosine * lower - sine * upper
