"""A region's typical season, and how much it says about a single pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.harmonics import HarmonicFit, Prior
from cvlarray.kernels.season import TimeAxis, design_matrix

_LEAST_SHARE = 0.05
"""Of the spread between pixels at least so much is taken as real, not as noise of their fits."""


def estimate_prior(fit: HarmonicFit, days: ArrayLike, axis: TimeAxis) -> Prior:
    """Return what well-observed stable pixels of a region have in common (empirical Bayes).

    The mean is each coefficient's median over the pixels. Its strength is the noise's variance over
    the coefficient's own between pixels (from the median absolute deviation, less what the fits'
    noise adds): as many observations as one must have to know the coefficient as well from them.

    Parameters
    ----------
    fit
        Fits of such pixels, coefficients (coefficient, pixel); NaN is left out. Medians bear less
        than half of them being unstable after all.
    days
        Shape (time,), days since 1970-01-01: the dates of the fits.
    axis
        The axis of the fits.

    Raises
    ------
    ValueError
        If no pixel has a fit with a standard deviation.
    """
    is_known = np.isfinite(fit.sigma) & (fit.sigma > 0)
    if not is_known.any():
        raise ValueError("a prior needs at least one fitted pixel with residuals, got none")
    coefficients = fit.coefficients[:, is_known].astype(np.float64)
    sigma = float(np.median(fit.sigma[is_known]))
    mean = np.median(coefficients, axis=1)
    spread = 1.4826 * np.median(np.abs(coefficients - mean[:, None]), axis=1)
    noise = sigma**2 * _unit_variances(float(np.median(fit.n_valid[is_known])), days, axis, mean)
    between = np.maximum(spread**2 - noise, np.maximum(_LEAST_SHARE * spread**2, 1e-6 * sigma**2))
    return Prior(mean.astype(np.float32), (sigma**2 / between).astype(np.float32), sigma)


def _unit_variances(
    n_valid: float, days: ArrayLike, axis: TimeAxis, mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each coefficient's variance for unit noise and so many of the dates."""
    design = design_matrix(days, axis, harmonic_order=(mean.size - 2) // 2)
    gram = design @ design.T * (n_valid / design.shape[1])
    return np.diagonal(np.linalg.inv(gram))
