"""Order statistics of many short series at once, by bisection over their bits.

Values are numbers of 14 bits, the high and the low seven in arrays of bytes of their own: so twice
as many of them fit into a vector, and comparing signed bytes is all that is done.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit_inline

LARGEST = 16_383
"""What stands for a missing value: it sorts last."""

ROW_TILE = 8
"""Rows compared at once."""

_ROWS_A_BYTE = 120
"""Rows that are counted in a byte before it could overflow; a multiple of `ROW_TILE`."""


@jit_inline
def select_ranked(
    high: NDArray[np.int8],
    low: NDArray[np.int8],
    n_rows: int,
    rank: NDArray[np.int16],
    scratch: NDArray[np.int8],
    below: NDArray[np.int16],
    selected: NDArray[np.int8],
) -> None:
    """Find the value of a given rank in each column.

    Parameters
    ----------
    high, low
        High and low seven bits of the values, shape (row, pixel); rows from ``n_rows`` up to a
        multiple of `ROW_TILE`, and missing values, are `LARGEST`. ``low`` is overwritten.
    n_rows
        Rows in use.
    rank
        Shape (pixel,), 1 for the smallest.
    scratch, below
        Shapes (2, pixel) and (pixel,).
    selected
        Output, shape (2, pixel): the high and the low seven bits.
    """
    _select_byte(high, n_rows, rank, scratch, below, selected, 0)
    # Where the high byte decides, the low one must not: it becomes the smallest or the largest.
    for t in range(n_rows):
        for p in range(rank.size):
            found, chosen = high[t, p], selected[0, p]
            extreme = np.int8(0) if found < chosen else np.int8(127)
            low[t, p] = low[t, p] if found == chosen else extreme
    _select_byte(low, n_rows, rank, scratch, below, selected, 1)


@jit_inline
def _select_byte(
    values: NDArray[np.int8],
    n_rows: int,
    rank: NDArray[np.int16],
    scratch: NDArray[np.int8],
    below: NDArray[np.int16],
    selected: NDArray[np.int8],
    place: int,
) -> None:
    """Find the byte of a given rank, from its highest bit to its lowest."""
    for p in range(rank.size):
        selected[place, p] = 0
    for bit in range(6, -1, -1):
        step = np.int8(1 << bit)
        for p in range(rank.size):
            scratch[0, p] = selected[place, p] | step
            below[p] = 0
        _count_below(values, n_rows, scratch, below)
        for p in range(rank.size):
            # Arithmetic, since a condition becomes a branch that is right half of the time.
            selected[place, p] += step * np.int8(below[p] < rank[p])


@jit_inline
def _count_below(
    values: NDArray[np.int8],
    n_rows: int,
    scratch: NDArray[np.int8],
    below: NDArray[np.int16],
) -> None:
    """Add to ``below`` how many values of each column are smaller than ``scratch[0]``."""
    one, zero = np.int8(1), np.int8(0)
    for start in range(0, n_rows, _ROWS_A_BYTE):
        for p in range(below.size):
            scratch[1, p] = 0
        for t in range(start, min(start + _ROWS_A_BYTE, n_rows), ROW_TILE):
            for p in range(below.size):
                limit = scratch[0, p]
                count = scratch[1, p]
                count += one if values[t, p] < limit else zero
                count += one if values[t + 1, p] < limit else zero
                count += one if values[t + 2, p] < limit else zero
                count += one if values[t + 3, p] < limit else zero
                count += one if values[t + 4, p] < limit else zero
                count += one if values[t + 5, p] < limit else zero
                count += one if values[t + 6, p] < limit else zero
                count += one if values[t + 7, p] < limit else zero
                scratch[1, p] = count
        for p in range(below.size):
            below[p] += np.int16(scratch[1, p])
