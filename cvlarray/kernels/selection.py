"""Order statistics of many short series at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit

LARGEST = 32_767
"""What stands for a missing value: it sorts last."""

ROW_TILE = 8


@jit
def select_ranked(
    values: NDArray[np.int16],
    n_rows: int,
    rank: NDArray[np.int16],
    candidate: NDArray[np.int16],
    below: NDArray[np.int16],
    selected: NDArray[np.int16],
) -> None:
    """Find the value of a given rank in each column, by bisection over the 15 bits of a value.

    Parameters
    ----------
    values
        Shape (row, pixel), not negative; rows from ``n_rows`` up to a multiple of `ROW_TILE`, and
        missing values, are `LARGEST`.
    n_rows
        Rows in use.
    rank
        Shape (pixel,), 1 for the smallest.
    candidate, below
        Scratch, shape (pixel,).
    selected
        Output, shape (pixel,); `LARGEST` where fewer than ``rank`` values are below it.
    """
    n_pixels = selected.size
    for p in range(n_pixels):
        selected[p] = 0
    for bit in range(14, -1, -1):
        for p in range(n_pixels):
            candidate[p] = selected[p] | np.int16(1 << bit)
            below[p] = 0
        _count_below(values, n_rows, candidate, below)
        for p in range(n_pixels):
            selected[p] = candidate[p] if below[p] < rank[p] else selected[p]


@jit
def _count_below(
    values: NDArray[np.int16], n_rows: int, candidate: NDArray[np.int16], below: NDArray[np.int16]
) -> None:
    """Add to ``below`` how many values of each column are smaller than its candidate."""
    one: Any = np.int16(1)
    zero: Any = np.int16(0)
    for t in range(0, n_rows, ROW_TILE):
        for p in range(candidate.size):
            limit = candidate[p]
            count = below[p]
            count += one if values[t, p] < limit else zero
            count += one if values[t + 1, p] < limit else zero
            count += one if values[t + 2, p] < limit else zero
            count += one if values[t + 3, p] < limit else zero
            count += one if values[t + 4, p] < limit else zero
            count += one if values[t + 5, p] < limit else zero
            count += one if values[t + 6, p] < limit else zero
            count += one if values[t + 7, p] < limit else zero
            below[p] = count
