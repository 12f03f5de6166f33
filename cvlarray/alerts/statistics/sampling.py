"""A stratified random sample of a map that is too large for memory, drawn block by block.

The design of Olofsson et al. 2014, Remote Sensing of Environment 148, 42-57,
doi:10.1016/j.rse.2014.02.015: the map's classes are the strata, units are pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["DrawnPixels", "count_strata", "draw_sample"]

CountArray = npt.NDArray[np.int64]
StratumArray = npt.NDArray[np.integer]

Block = tuple[slice, slice]
ReadStrata = Callable[[slice, slice], StratumArray]
"""Returns the stratum of each pixel of a block (y, x), negative for what isn't sampled."""


@dataclass(frozen=True)
class DrawnPixels:
    """Pixels of the sample, (n,) each, stratum by stratum."""

    row: CountArray
    col: CountArray
    stratum: CountArray


def count_strata(read: ReadStrata, blocks: Sequence[Block], n_strata: int) -> CountArray:
    """Return how many pixels of each stratum each block has (block, stratum)."""
    counts = np.zeros((len(blocks), n_strata), np.int64)
    for number, block in enumerate(blocks):
        strata = read(*block)
        counts[number] = np.bincount(strata[strata >= 0].ravel(), minlength=n_strata)
    return counts


def draw_sample(
    read: ReadStrata,
    blocks: Sequence[Block],
    counts: CountArray,
    allocation: Sequence[int],
    *,
    seed: int,
) -> DrawnPixels:
    """Draw pixels at random within each stratum, none twice.

    Parameters
    ----------
    read
        Called once for each block of which a pixel was drawn.
    blocks
        Rows and columns; together they are the map.
    counts
        (block, stratum) pixels, from `count_strata`.
    allocation
        Pixels to draw of stratum 0, 1, ...
    seed
        The same one draws the same pixels of the same blocks.

    Raises
    ------
    ValueError
        If a stratum has fewer pixels than are to be drawn.
    """
    rng = np.random.default_rng(seed)
    wanted: dict[int, list[tuple[int, CountArray]]] = {}
    for stratum, n_wanted in enumerate(allocation):
        n_pixels = int(counts[:, stratum].sum())
        if n_pixels < n_wanted:
            raise ValueError(f"stratum {stratum} has {n_pixels} pixels, {n_wanted} are wanted")
        drawn = np.sort(rng.choice(n_pixels, n_wanted, replace=False))
        before = np.concatenate(([0], np.cumsum(counts[:, stratum])))
        block = np.searchsorted(before, drawn, side="right") - 1
        for number in np.unique(block).tolist():
            ranks = drawn[block == number] - before[number]
            wanted.setdefault(number, []).append((stratum, ranks))
    parts = [np.empty((0, 3), np.int64)]
    for number, drawn_here in sorted(wanted.items()):
        y, x = blocks[number]
        strata = read(y, x)
        for stratum, ranks in drawn_here:
            row, col = (each[ranks] for each in np.nonzero(strata == stratum))
            kind = np.full(ranks.size, stratum)
            parts.append(np.column_stack((row + y.start, col + x.start, kind)))
    row, col, stratum_of = np.concatenate(parts).T
    order = np.argsort(stratum_of, kind="stable")
    return DrawnPixels(row[order], col[order], stratum_of[order])
