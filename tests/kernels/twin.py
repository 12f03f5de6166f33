"""The fit kernels' schedules once more, in plain float64 NumPy."""

import numpy as np
from scipy.stats import norm

NODATA = -32_768


def least_squares(series, design, weights=1.0, mean=0.0, strength=0.0):
    """Return coefficients (coefficient, pixel) by normal equations, drawn towards a mean."""
    used = np.where(series == NODATA, 0, weights * np.ones(series.shape))
    values = np.where(series == NODATA, 0, series).astype(np.float64)
    pull = strength * np.ones(len(design))
    gram = np.einsum("it,jt,tp->pij", design, design, used, optimize=True) + np.diag(pull)
    right = np.einsum("it,tp->pi", design, used * values) + pull * mean
    return np.linalg.solve(gram, right[..., None])[..., 0].T


def robust_twin(series, design, mean=0.0, strength=0.0):
    """Return the robust schedule's coefficients and sigma."""
    is_valid = series != NODATA
    n_valid = is_valid.sum(axis=0)
    rank = n_valid // 2 + 1
    quantile = (rank - 0.5) / n_valid
    factor = np.sqrt(n_valid / (n_valid - len(design))) / norm.ppf((1 + quantile) / 2)

    def scale(coefficients):
        size = np.where(is_valid, np.abs(series - design.T @ coefficients), np.inf)
        ranked = np.sort(size, axis=0)[rank - 1, np.arange(series.shape[1])]
        return size, factor * ranked

    coefficients = least_squares(series, design, 1.0, mean, strength)
    pull = strength * np.ones(len(design))
    gram = np.einsum("it,jt,tp->pij", design, design, is_valid, optimize=True) + np.diag(pull)
    for _ in range(2):
        size, sigma = scale(coefficients)
        limit = 1.345 * np.maximum(sigma, 12**-0.5)
        residual = np.where(is_valid, series - design.T @ coefficients, 0)
        cut = np.clip(residual, -limit, limit)
        share = np.clip(1.5 - size / limit, 0, 1).sum(axis=0) / n_valid
        gradient = design @ cut / share + (pull * (mean - coefficients.T)).T
        coefficients = coefficients + np.linalg.solve(gram, gradient.T[..., None])[..., 0].T
    size, sigma = scale(coefficients)
    weights = tukey(size / np.maximum(sigma, 12**-0.5))
    coefficients = least_squares(series, design, weights, mean, strength)
    return coefficients, scale(coefficients)[1]


def tukey(u):
    return np.clip(1 - (u / 4.685) ** 2, 0, None) ** 2
