"""From the rank of a residual to the standard deviation it speaks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cvlarray.kernels.accelerate import jit_inline


@jit_inline
def median_rank(n: int) -> int:
    """Return the rank of the residual that sigma is taken from: the upper median's."""
    return n // 2 + 1


def sigma_factors(n_dates: int, n_coefficients: int) -> NDArray[np.float32]:
    """Return the standard deviation over the ranked size of a fit's residuals.

    It is 1.4826 for many observations, as for any median absolute deviation. For few, the rank's
    own expected quantile counts, and that a fit with so many coefficients leaves residuals smaller
    by the square root of ``(n - n_coefficients) / n``.

    Returns
    -------
    Shape (n_dates + 1,): a factor for each number of observations.
    """
    n = np.arange(n_dates + 1)
    quantile = np.minimum((n // 2 + 0.5) / np.maximum(n, 1), 0.99)
    freedom = np.maximum(n - n_coefficients, 1)
    factors = np.sqrt(np.maximum(n, 1) / freedom) / ndtri((1 + quantile) / 2)
    return np.asarray(factors, np.float32)
