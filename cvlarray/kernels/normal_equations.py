"""Weighted normal equations of the seasonal model, for a block of pixels at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit_inline, jit_step
from cvlarray.kernels.pixel_block import (
    BLOCK_PIXELS,
    GRADIENT_TILE,
    MISSING_ABOVE,
    MOMENT_TILE,
    WEIGHT_ROWS,
    Block,
    Tables,
)
from cvlarray.kernels.residual_scale import QUANTISATION_SIGMA, quantise

HUBER_TUNING = np.float32(1.345)
TUKEY_TUNING = np.float32(4.685)
"""95 % efficient for Gaussian residuals (Holland & Welsch 1977, doi:10.1080/03610927708827533)."""

HALF_WITHIN = np.float32(1.5)
"""This less a residual's size, in limits, is the part of it that counts as within: 1 at half the
limit, a half at the limit, 0 beyond one and a half."""

_SMALLEST_PIVOT = np.float32(1e-5)
"""A pivot below this share of the summed weights means: the dates can't tell this coefficient."""


@jit_step
def sum_huber(block: Block, tables: Tables, n_rows: int) -> None:
    """Sum the gradient with Huber's weights, and count the observations with the full one.

    A residual times its weight is the residual cut off where it is as large as the tuning allows.
    Those near the limit count in part, so that none makes a step of its own.
    """
    zero, one = np.float32(0), np.float32(1)
    basis, sums = tables.basis, block.gradient
    limits, inverse_limits = block.weight[0], block.weight[1]
    for p in range(BLOCK_PIXELS):
        limits[p] = HUBER_TUNING * max(block.sigma[p], QUANTISATION_SIGMA)
        inverse_limits[p] = one / limits[p]
    for k in range(0, sums.shape[0], GRADIENT_TILE):
        n_within = block.n_within[k // GRADIENT_TILE]
        for p in range(BLOCK_PIXELS):
            n_within[p] = zero
        for i in range(k, k + GRADIENT_TILE):
            for p in range(BLOCK_PIXELS):
                sums[i, p] = zero
        for row in range(0, n_rows, WEIGHT_ROWS):
            t0, t1 = block.rows[row], block.rows[row + 1]
            t2, t3 = block.rows[row + 2], block.rows[row + 3]
            a0, a1, a2, a3 = basis[k, t0], basis[k, t1], basis[k, t2], basis[k, t3]
            b0, b1, b2, b3 = basis[k + 1, t0], basis[k + 1, t1], basis[k + 1, t2], basis[k + 1, t3]
            c0, c1, c2, c3 = basis[k + 2, t0], basis[k + 2, t1], basis[k + 2, t2], basis[k + 2, t3]
            d0, d1, d2, d3 = basis[k + 3, t0], basis[k + 3, t1], basis[k + 3, t2], basis[k + 3, t3]
            e0, e1, e2, e3 = basis[k + 4, t0], basis[k + 4, t1], basis[k + 4, t2], basis[k + 4, t3]
            f0, f1, f2, f3 = basis[k + 5, t0], basis[k + 5, t1], basis[k + 5, t2], basis[k + 5, t3]
            for p in range(BLOCK_PIXELS):
                limit, inverse = limits[p], inverse_limits[p]
                r0, r1 = block.residual[row, p], block.residual[row + 1, p]
                r2, r3 = block.residual[row + 2, p], block.residual[row + 3, p]
                x0 = min(max(r0, -limit), limit) if r0 < MISSING_ABOVE else zero
                x1 = min(max(r1, -limit), limit) if r1 < MISSING_ABOVE else zero
                x2 = min(max(r2, -limit), limit) if r2 < MISSING_ABOVE else zero
                x3 = min(max(r3, -limit), limit) if r3 < MISSING_ABOVE else zero
                within0 = min(max(HALF_WITHIN - abs(r0) * inverse, zero), one)
                within1 = min(max(HALF_WITHIN - abs(r1) * inverse, zero), one)
                within2 = min(max(HALF_WITHIN - abs(r2) * inverse, zero), one)
                within3 = min(max(HALF_WITHIN - abs(r3) * inverse, zero), one)
                n_within[p] = n_within[p] + within0 + within1 + within2 + within3
                sums[k, p] = sums[k, p] + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
                sums[k + 1, p] = sums[k + 1, p] + b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
                sums[k + 2, p] = sums[k + 2, p] + c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
                sums[k + 3, p] = sums[k + 3, p] + d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3
                sums[k + 4, p] = sums[k + 4, p] + e0 * x0 + e1 * x1 + e2 * x2 + e3 * x3
                sums[k + 5, p] = sums[k + 5, p] + f0 * x0 + f1 * x1 + f2 * x2 + f3 * x3


@jit_step
def sum_tukey(block: Block, tables: Tables, n_rows: int) -> None:
    """Sum the moments and the gradient with Tukey's weights."""
    for k in range(block.moments.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.moments[k, p] = 0
    for k in range(block.gradient.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.gradient[k, p] = 0
    inverse_limits = block.n_within[0]
    for p in range(BLOCK_PIXELS):
        limit = TUKEY_TUNING * max(block.sigma[p], QUANTISATION_SIGMA)
        inverse_limits[p] = np.float32(1) / limit
    for row in range(0, n_rows, WEIGHT_ROWS):
        for i in range(WEIGHT_ROWS):
            _weigh(block, row + i, i, inverse_limits)
        add_dates(tables.moments, block.rows, row, block.weight, block.moments)
        add_dates(tables.basis, block.rows, row, block.weighted, block.gradient)


@jit_inline
def _weigh(block: Block, row: int, slot: int, inverse_limits: NDArray[np.float32]) -> None:
    """Set Tukey's weights of one date's residuals; 0 where missing, which are far beyond."""
    zero, one = np.float32(0), np.float32(1)
    for p in range(BLOCK_PIXELS):
        residual = block.residual[row, p]
        share = residual * inverse_limits[p]
        rest = max(one - share * share, zero)
        weight = rest * rest
        block.weight[slot, p] = weight
        block.weighted[slot, p] = weight * residual


@jit_inline
def add_dates(
    table: NDArray[np.float32],
    rows: NDArray[np.int64],
    row: int,
    weights: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Add `WEIGHT_ROWS` dates to `MOMENT_TILE` sums at a time: bound by arithmetic, not memory."""
    t0, t1, t2, t3 = rows[row], rows[row + 1], rows[row + 2], rows[row + 3]
    for k in range(0, sums.shape[0], MOMENT_TILE):
        a0, a1, a2, a3 = table[k, t0], table[k, t1], table[k, t2], table[k, t3]
        b0, b1, b2, b3 = table[k + 1, t0], table[k + 1, t1], table[k + 1, t2], table[k + 1, t3]
        c0, c1, c2, c3 = table[k + 2, t0], table[k + 2, t1], table[k + 2, t2], table[k + 2, t3]
        for p in range(BLOCK_PIXELS):
            w0, w1, w2, w3 = weights[0, p], weights[1, p], weights[2, p], weights[3, p]
            sums[k, p] = sums[k, p] + a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
            sums[k + 1, p] = sums[k + 1, p] + b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
            sums[k + 2, p] = sums[k + 2, p] + c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3


@jit_step
def solve(block: Block, tables: Tables) -> None:
    """Solve the normal equations, the prior's among them, for the coefficients' change; add it."""
    factorise(block, tables, tables.prior_strength)
    _step(block, tables)


@jit_step
def solve_huber(block: Block, tables: Tables) -> None:
    """Solve for the change that Huber's weights call for, with the unweighted factors at hand.

    Only observations within the limit change the gradient when the coefficients do. That many of
    all, the share that `sum_huber` counted, is what the unweighted Gram matrix is taken times. With
    a median's scale it is at least a half; less would make steps that may not converge.
    """
    inverse_share = block.weight[0]
    for p in range(BLOCK_PIXELS):
        n_valid = max(np.float32(block.n_valid[p]), np.float32(1))
        inverse_share[p] = min(n_valid / block.n_within[0, p], np.float32(2))
    for k in range(block.gradient.shape[0]):
        for p in range(BLOCK_PIXELS):
            block.gradient[k, p] *= inverse_share[p]
    _step(block, tables)


@jit_inline
def _step(block: Block, tables: Tables) -> None:
    """Solve with the factors at hand for the coefficients' change, and add it."""
    n = block.coefficients.shape[0]
    for i in range(n):
        mean, strength = tables.prior_mean[i], tables.prior_strength[i]
        for p in range(BLOCK_PIXELS):
            towards = mean - block.coefficients[i, p]
            block.change[i, p] = block.gradient[i, p] + strength * towards
    substitute(block)
    for i in range(n):
        for p in range(BLOCK_PIXELS):
            block.coefficients[i, p] += block.change[i, p]


@jit_inline
def substitute(block: Block) -> None:
    """Solve for what ``change`` holds with the factors at hand, in place."""
    n = block.coefficients.shape[0]
    for i in range(n):
        for k in range(i):
            for p in range(BLOCK_PIXELS):
                block.change[i, p] -= block.cholesky[i, k, p] * block.change[k, p]
        for p in range(BLOCK_PIXELS):
            block.change[i, p] *= block.cholesky[i, i, p]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            for p in range(BLOCK_PIXELS):
                block.change[i, p] -= block.cholesky[k, i, p] * block.change[k, p]
        for p in range(BLOCK_PIXELS):
            block.change[i, p] *= block.cholesky[i, i, p]


@jit_inline
def factorise(block: Block, tables: Tables, prior_strength: NDArray[np.float32]) -> None:
    """Put the Gram matrix together and factorise it after Cholesky, written out for speed.

    A pivot that vanishes has the inverse 0: its coefficient then doesn't change.
    """
    factor = block.cholesky
    n = block.coefficients.shape[0]
    for j in range(n):
        for i in range(j, n):
            first, second = tables.entries[i, j, 0], tables.entries[i, j, 1]
            a, b = tables.factors[i, j, 0], tables.factors[i, j, 1]
            for p in range(BLOCK_PIXELS):
                factor[i, j, p] = a * block.moments[first, p] + b * block.moments[second, p]
            if i == j:
                for p in range(BLOCK_PIXELS):
                    factor[i, j, p] += prior_strength[i]
            for k in range(0, j - 1, 2):  # by twos: bound by loads and stores
                for p in range(BLOCK_PIXELS):
                    rest = factor[i, j, p] - factor[i, k, p] * factor[j, k, p]
                    factor[i, j, p] = rest - factor[i, k + 1, p] * factor[j, k + 1, p]
            if j % 2 == 1:
                for p in range(BLOCK_PIXELS):
                    factor[i, j, p] -= factor[i, j - 1, p] * factor[j, j - 1, p]
        for p in range(BLOCK_PIXELS):
            pivot = factor[j, j, p]
            smallest = _SMALLEST_PIVOT * (block.moments[0, p] + prior_strength[j])
            factor[j, j, p] = np.float32(1) / np.sqrt(pivot) if pivot > smallest else np.float32(0)
        for i in range(j + 1, n):
            for p in range(BLOCK_PIXELS):
                factor[i, j, p] *= factor[j, j, p]


@jit_step
def subtract_change(block: Block, tables: Tables, n_rows: int) -> None:
    """Take what the last solution added off the residuals, and quantise them while at hand."""
    for row in range(0, n_rows, WEIGHT_ROWS):
        subtract_from_rows(block, tables, row)
        for i in range(WEIGHT_ROWS):
            quantise(block, row + i)


@jit_inline
def subtract_from_rows(block: Block, tables: Tables, row: int) -> None:
    """Take the last solution's curve off the residuals of `WEIGHT_ROWS` dates."""
    basis, change = tables.basis, block.change
    for k in range(0, change.shape[0], GRADIENT_TILE):
        t0, t1 = block.rows[row], block.rows[row + 1]
        t2, t3 = block.rows[row + 2], block.rows[row + 3]
        a0, a1, a2, a3 = basis[k, t0], basis[k, t1], basis[k, t2], basis[k, t3]
        b0, b1, b2, b3 = basis[k + 1, t0], basis[k + 1, t1], basis[k + 1, t2], basis[k + 1, t3]
        c0, c1, c2, c3 = basis[k + 2, t0], basis[k + 2, t1], basis[k + 2, t2], basis[k + 2, t3]
        d0, d1, d2, d3 = basis[k + 3, t0], basis[k + 3, t1], basis[k + 3, t2], basis[k + 3, t3]
        e0, e1, e2, e3 = basis[k + 4, t0], basis[k + 4, t1], basis[k + 4, t2], basis[k + 4, t3]
        f0, f1, f2, f3 = basis[k + 5, t0], basis[k + 5, t1], basis[k + 5, t2], basis[k + 5, t3]
        for p in range(BLOCK_PIXELS):
            a, b, c = change[k, p], change[k + 1, p], change[k + 2, p]
            d, e, f = change[k + 3, p], change[k + 4, p], change[k + 5, p]
            r0, r1 = block.residual[row, p], block.residual[row + 1, p]
            r2, r3 = block.residual[row + 2, p], block.residual[row + 3, p]
            r0 = r0 - a0 * a - b0 * b - c0 * c - d0 * d - e0 * e - f0 * f
            r1 = r1 - a1 * a - b1 * b - c1 * c - d1 * d - e1 * e - f1 * f
            r2 = r2 - a2 * a - b2 * b - c2 * c - d2 * d - e2 * e - f2 * f
            r3 = r3 - a3 * a - b3 * b - c3 * c - d3 * d - e3 * e - f3 * f
            block.residual[row, p] = r0
            block.residual[row + 1, p] = r1
            block.residual[row + 2, p] = r2
            block.residual[row + 3, p] = r3
