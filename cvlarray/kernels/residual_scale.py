"""Robust standard deviation of the residuals: their ranked size, found in whole numbers."""

from __future__ import annotations

import numpy as np

from cvlarray.kernels.accelerate import jit_inline, jit_step
from cvlarray.kernels.pixel_block import BLOCK_PIXELS, Block, Tables
from cvlarray.kernels.selection import LARGEST, select_ranked

QUANTISATION_SIGMA = np.float32(0.288_675)
"""Standard deviation [DN] of rounding to whole numbers: no residual scale is taken as smaller."""

_QUANTISED_RANGE = np.float32(16_300)
"""What a residual at its upper bound is quantised to; the rest of 14 bits absorbs rounding."""


@jit_step
def bound_residuals(block: Block, tables: Tables) -> None:
    """Scale residuals for quantising after an unweighted fit: the ranked one can't exceed it.

    The squares that remain are those at the start less change·(gradient - the prior's pull at the
    solution), and at least ``n_valid - rank + 1`` residuals are as large as the ranked one.
    """
    explained = block.scale
    for p in range(BLOCK_PIXELS):
        explained[p] = 0
    for k in range(block.coefficients.shape[0]):
        mean, strength = tables.prior_mean[k], tables.prior_strength[k]
        for p in range(BLOCK_PIXELS):
            pull = strength * (mean - block.coefficients[k, p])
            explained[p] += block.change[k, p] * (block.gradient[k, p] - pull)
    for p in range(BLOCK_PIXELS):
        squares = block.squares[0, p]
        rest = max(squares - explained[p], np.float32(1e-5) * squares)
        block.squares[0, p] = rest
        at_least = np.float32(max(block.n_valid[p] - block.rank[p] + 1, 1))
        bound = max(np.sqrt(rest / at_least), QUANTISATION_SIGMA)
        block.scale[p] = _QUANTISED_RANGE / bound


@jit_step
def estimate_sigma(block: Block, n_rows: int) -> None:
    """Set sigma from the ranked residual, and the next scale to twice that residual."""
    while not _select(block, n_rows):
        for row in range(n_rows):
            quantise(block, row)
    for p in range(BLOCK_PIXELS):
        whole = np.float32(_ranked(block, p))
        middle = whole + np.float32(0.5) if whole > 0 else whole
        ranked = middle / block.scale[p]
        block.sigma[p] = block.sigma_factor[p] * ranked
        block.scale[p] = _QUANTISED_RANGE / max(np.float32(2) * ranked, QUANTISATION_SIGMA)


@jit_inline
def _select(block: Block, n_rows: int) -> bool:
    """Select the ranked residuals; False where the scale was too fine for one, now coarser."""
    select_ranked(block.digits, n_rows, block.rank, block.bytes, block.below, block.selected)
    is_found = True
    for p in range(BLOCK_PIXELS):
        if _ranked(block, p) == LARGEST and block.rank[p] <= block.n_valid[p]:
            block.scale[p] /= np.float32(64)
            is_found = False
    return is_found


@jit_inline
def _ranked(block: Block, p: int) -> np.int32:
    """Return the whole number that was selected."""
    return np.int32(block.selected[0, p]) * 128 + np.int32(block.selected[1, p])


@jit_inline
def quantise(block: Block, row: int) -> None:
    """Write a date's residuals' sizes as whole numbers of 14 bits."""
    for p in range(BLOCK_PIXELS):
        size = abs(block.residual[row, p]) * block.scale[p]
        whole = np.int32(size) if size < np.float32(LARGEST) else np.int32(LARGEST)
        block.digits[0, row, p] = whole >> 7
        block.digits[1, row, p] = whole & 127
