"""How well the dates pin the expected value down."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.normal_equations import factorise
from cvlarray.kernels.pixel_block import (
    BLOCK_PIXELS,
    Block,
    Tables,
    column,
    make_block,
    make_tables,
)
from cvlarray.kernels.season import TimeAxis


def standard_error(
    moments: NDArray[np.float32],
    sigma: NDArray[np.float32],
    days: ArrayLike,
    axis: TimeAxis,
    prior_strength: ArrayLike = 0,
) -> NDArray[np.float32]:
    """Return the standard error of a season's expected values.

    ``sigma · sqrt(x' G⁻¹ x)`` with G the Gram matrix with the fit's final weights, which is larger
    by a few hundredths than a robust fit's true error where all is Gaussian. With a prior it is the
    posterior's standard deviation. An observation scatters by ``sqrt(sigma² + error²)``.

    Parameters
    ----------
    moments
        Shape (moment, ...), as in `cvlarray.kernels.online.SeasonState`.
    sigma
        Shape (...).
    days
        Shape (time,), days since 1970-01-01.
    axis
        The axis of the fit.
    prior_strength
        Shape (coefficient,) of the prior that the fit was drawn to, if it was.

    Returns
    -------
    Shape (time, ...), float32; NaN where sigma is, inf where the dates can't tell the coefficients
    apart.
    """
    n_days, order = np.size(days), (moments.shape[0] - 3) // 6
    flat = np.ascontiguousarray(moments).reshape(moments.shape[0], -1)
    error = np.empty((n_days, flat.shape[1]), np.float32)
    tables = make_tables(days, axis, order, prior_strength=prior_strength)
    spread = np.ascontiguousarray(sigma, np.float32).ravel()
    _standard_error(flat, spread, tables, make_block(1, order), error)
    return error.reshape(n_days, *sigma.shape)


@jit
def _standard_error(
    moments: NDArray[np.float32],
    sigma: NDArray[np.float32],
    tables: Tables,
    block: Block,
    error: NDArray[np.float32],
) -> None:
    zero = np.float32(0)
    n = block.coefficients.shape[0]
    for first in range(0, sigma.size, BLOCK_PIXELS):
        size = min(BLOCK_PIXELS, sigma.size - first)
        for k in range(moments.shape[0]):
            for p in range(size):
                block.moments[k, p] = moments[k, column(first, p)]
        factorise(block, tables, tables.prior_strength)
        for t in range(error.shape[0]):
            for p in range(BLOCK_PIXELS):
                block.scale[p] = zero
            for i in range(n):
                for p in range(BLOCK_PIXELS):
                    block.change[i, p] = tables.basis[i, t]
                for k in range(i):
                    for p in range(BLOCK_PIXELS):
                        block.change[i, p] -= block.cholesky[i, k, p] * block.change[k, p]
                for p in range(BLOCK_PIXELS):
                    inverse = block.cholesky[i, i, p]
                    block.change[i, p] *= inverse
                    share = block.change[i, p] * block.change[i, p]
                    block.scale[p] += share if inverse > zero else np.float32(np.inf)
            for p in range(size):
                error[t, column(first, p)] = sigma[column(first, p)] * np.sqrt(block.scale[p])
