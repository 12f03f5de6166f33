"""Random numbers by place instead of by order: Philox 4x32 with ten rounds, in plain arrays.

A number depends on its key and on the row and column it belongs to, and on nothing else, so any
block of a field can be drawn without the rest of it (Salmon et al., "Parallel random numbers: as
easy as 1, 2, 3", SC 2011, doi:10.1145/2063384.2063405).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cvlarray.kernels.accelerate import jit

_WORD = np.uint64(0xFFFFFFFF)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


MIDDLES = (np.arange(1 << 16) + 0.5) / (1 << 16)
"""(65,536,) the middles of as many equal shares, at which quantiles are tabled."""


def _quantiles() -> NDArray[np.float32]:
    """Return the standard normal's quantiles."""
    quantiles = ndtri(MIDDLES)
    # What the tails beyond ±4.3 lack in variance, everything gets.
    return np.asarray(quantiles / quantiles.std(), np.float32)


NORMAL_QUANTILES = _quantiles()
"""(65,536,) float32; a lookup instead of a logarithm and a cosine. Unit variance, within ±4.4."""


@jit
def philox(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return four random words for a counter and a key, all of them 32 bits in a uint64."""
    for _ in range(10):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0 = (second >> np.uint64(32)) ^ c1 ^ k0
        c2 = (first >> np.uint64(32)) ^ c3 ^ k1
        c1, c3 = second & _WORD, first & _WORD
        k0 = (k0 + _WEYL[0]) & _WORD
        k1 = (k1 + _WEYL[1]) & _WORD
    return c0, c1, c2, c3


@jit
def philox_at(
    row: int, col: int, key: NDArray[np.uint32]
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return four random words of a place; rows and columns may be negative."""
    zero = np.uint64(0)
    return philox(
        np.uint64(col) & _WORD, np.uint64(row) & _WORD, zero, zero,
        np.uint64(key[0]), np.uint64(key[1]),
    )  # fmt: skip


@jit
def words_of_row(row: int, col0: int, key: NDArray[np.uint32], words: NDArray[np.uint32]) -> None:
    """Fill ``words`` (4, n) with the random words of ``n`` places of a row.

    A loop of its own, which becomes vector code; with table lookups in it, it would not.
    """
    for i in range(words.shape[1]):
        a, b, c, d = philox_at(row, col0 + i, key)
        words[0, i], words[1, i], words[2, i], words[3, i] = a, b, c, d


@jit
def random_field(
    row0: int,
    col0: int,
    key: NDArray[np.uint32],
    quantiles: NDArray[np.float32],
    field: NDArray[np.float32],
) -> None:
    """Fill a window of an endless field of independent draws.

    Parameters
    ----------
    row0, col0
        Where the window begins; may be negative.
    key
        (2,) uint32; another key is another field.
    quantiles
        (65,536,) of the distribution, such as `NORMAL_QUANTILES`.
    field
        (y, x) float32, written.
    """
    n_rows, n_cols = field.shape
    group0 = col0 >> 3
    words = np.empty((4, ((col0 + n_cols - 1) >> 3) - group0 + 1), np.uint32)
    draws = np.empty(words.shape[1] * 8, np.float32)
    skip = col0 - group0 * 8
    for r in range(n_rows):
        words_of_row(row0 + r, group0, key, words)
        for g in range(words.shape[1]):
            for w in range(4):
                draws[8 * g + 2 * w] = quantiles[words[w, g] & 0xFFFF]
                draws[8 * g + 2 * w + 1] = quantiles[words[w, g] >> 16]
        for i in range(n_cols):
            field[r, i] = draws[skip + i]
