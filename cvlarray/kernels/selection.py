"""Order statistics of many short series at once, by bisection over their bits.

Values are numbers of 14 bits, the high and the low seven in arrays of bytes of their own: so twice
as many of them fit into a vector, and comparing signed bytes is all that is done.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit_inline, jit_step

LARGEST = 16_383
"""What stands for a missing value: it sorts last."""

ROW_TILE = 8
"""Rows compared at once."""

_ROWS_A_BYTE = 120
"""Rows that are counted in a byte before it could overflow; a multiple of `ROW_TILE`."""


@jit_inline
def select_ranked(
    digits: NDArray[np.int8],
    n_rows: int,
    rank: NDArray[np.int16],
    scratch: NDArray[np.int8],
    below: NDArray[np.int16],
    selected: NDArray[np.int8],
) -> None:
    """Find the value of a given rank in each column.

    Parameters
    ----------
    digits
        High and low seven bits of the values, shape (2, row, pixel); rows from ``n_rows`` up to a
        multiple of `ROW_TILE`, and missing values, are `LARGEST`. The low ones are overwritten.
    n_rows
        Rows in use.
    rank
        Shape (pixel,), 1 for the smallest.
    scratch, below
        Shapes (2, pixel) and (pixel,).
    selected
        Output, shape (2, pixel): the high and the low seven bits.
    """
    _select_digit(digits[0], n_rows, rank, scratch, below, selected[0])
    _let_high_decide(digits[0], digits[1], n_rows, selected[0])
    _select_digit(digits[1], n_rows, rank, scratch, below, selected[1])


@jit_step
def _select_digit(
    values: NDArray[np.int8],
    n_rows: int,
    rank: NDArray[np.int16],
    scratch: NDArray[np.int8],
    below: NDArray[np.int16],
    selected: NDArray[np.int8],
) -> None:
    """Find the digit of a given rank in each column, from its highest bit to its lowest."""
    limits, counts = scratch[0], scratch[1]
    for p in range(rank.size):
        selected[p] = 0
    for bit in range(6, -1, -1):
        step = np.int8(1 << bit)
        for p in range(rank.size):
            limits[p] = selected[p] | step
            below[p] = 0
        _count_below(values, n_rows, limits, counts, below)
        for p in range(rank.size):
            # Arithmetic, since a condition becomes a branch that is right half of the time.
            selected[p] += step * np.int8(below[p] < rank[p])


@jit_inline
def _let_high_decide(
    high: NDArray[np.int8], low: NDArray[np.int8], n_rows: int, selected: NDArray[np.int8]
) -> None:
    """Make the low digit the smallest or the largest where the high one isn't the selected."""
    for t in range(n_rows):
        for p in range(selected.size):
            # Masks, since a condition on the store becomes a branch here too.
            is_selected = -np.int8(high[t, p] == selected[p])
            is_above = -np.int8(high[t, p] > selected[p])
            low[t, p] = np.int8((low[t, p] & is_selected) | (is_above & 127))


@jit_inline
def _count_below(
    values: NDArray[np.int8],
    n_rows: int,
    limits: NDArray[np.int8],
    counts: NDArray[np.int8],
    below: NDArray[np.int16],
) -> None:
    """Add to ``below`` how many values of each column are smaller than its limit."""
    one, zero = np.int8(1), np.int8(0)
    for start in range(0, n_rows, _ROWS_A_BYTE):
        for p in range(below.size):
            counts[p] = 0
        for t in range(start, min(start + _ROWS_A_BYTE, n_rows), ROW_TILE):
            for p in range(below.size):
                limit = limits[p]
                count = counts[p]
                count += one if values[t, p] < limit else zero
                count += one if values[t + 1, p] < limit else zero
                count += one if values[t + 2, p] < limit else zero
                count += one if values[t + 3, p] < limit else zero
                count += one if values[t + 4, p] < limit else zero
                count += one if values[t + 5, p] < limit else zero
                count += one if values[t + 6, p] < limit else zero
                count += one if values[t + 7, p] < limit else zero
                counts[p] = count
        for p in range(below.size):
            below[p] += np.int16(counts[p])
