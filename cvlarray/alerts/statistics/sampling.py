"""A stratified random sample of a map that is too large for memory, drawn block by block.

The design of Olofsson et al. 2014, Remote Sensing of Environment 148, 42-57,
doi:10.1016/j.rse.2014.02.015: strata come from the map, units are pixels. Each pixel gets a random
priority in its block; those of a stratum with the least of all blocks are a simple random sample
of it, however the map is cut and whoever reads which block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["count_strata", "draw_block", "draw_sample", "keep_least"]

CountArray = npt.NDArray[np.int64]
StratumArray = npt.NDArray[np.integer]

Block = tuple[slice, slice]
ReadStrata = Callable[[slice, slice], StratumArray]
"""Returns the stratum of each pixel of a block (y, x), negative for what isn't sampled."""


def count_strata(read: ReadStrata, blocks: Sequence[Block], n_strata: int) -> CountArray:
    """Return how many pixels of each stratum each block has (block, stratum)."""
    counts = np.zeros((len(blocks), n_strata), np.int64)
    for number, block in enumerate(blocks):
        strata = read(*block)
        counts[number] = np.bincount(strata[strata >= 0].ravel(), minlength=n_strata)
    return counts


def draw_sample(
    read: ReadStrata, blocks: Sequence[Block], wanted: Sequence[int], *, seed: int
) -> pd.DataFrame:
    """Draw pixels at random within each stratum, none twice.

    Parameters
    ----------
    read
        Called once for each block.
    blocks
        Rows and columns; together they are the map.
    wanted
        Pixels to draw of stratum 0, 1, ...
    seed
        The same one draws the same pixels of the same blocks.

    Returns
    -------
    ``row``, ``col`` and ``stratum``, stratum by stratum.

    Raises
    ------
    ValueError
        If a stratum has fewer pixels than are to be drawn.
    """
    parts = []
    for number, (y, x) in enumerate(blocks):
        found = draw_block(read(y, x), wanted, seed=(seed, number))
        found["row"] += y.start
        found["col"] += x.start
        parts.append(found)
    kept = keep_least(pd.concat(parts, ignore_index=True), wanted)
    n_drawn = np.bincount(kept["stratum"], minlength=len(wanted))
    for stratum, (n_found, n_wanted) in enumerate(zip(n_drawn, wanted, strict=True)):
        if n_found < n_wanted:
            raise ValueError(f"stratum {stratum} has {n_found} pixels, {n_wanted} are wanted")
    return kept.drop(columns="priority")


def draw_block(
    strata: StratumArray, wanted: Sequence[int], *, seed: int | Sequence[int]
) -> pd.DataFrame:
    """Return the pixels of a block that may be sampled: so many of each stratum, or all it has.

    Parameters
    ----------
    strata
        (y, x) number of each pixel's stratum, negative for what isn't sampled.
    wanted
        (stratum,) pixels of each in the whole.
    seed
        Of the block; the same one draws the same pixels.

    Returns
    -------
    ``row``, ``col``, ``stratum`` and ``priority``. Of the blocks' draws together the ``wanted``
    with the least priorities are the sample; see `keep_least`.
    """
    flat = strata.ravel()
    priority = np.random.default_rng(seed).random(flat.size)
    parts = []
    for stratum, n_wanted in enumerate(wanted):
        places = np.flatnonzero(flat == stratum)
        if places.size > n_wanted:
            places = places[np.argpartition(priority[places], n_wanted)[:n_wanted]]
        parts.append(places)
    chosen = np.concatenate(parts)
    row, col = np.unravel_index(chosen, strata.shape)
    drawn = {"row": row, "col": col, "stratum": flat[chosen], "priority": priority[chosen]}
    return pd.DataFrame(drawn)


def keep_least(drawn: pd.DataFrame, wanted: Sequence[int]) -> pd.DataFrame:
    """Return the wanted number of each stratum with the least priorities, in order of place."""
    ordered = drawn.sort_values("priority", kind="stable")
    rank = ordered.groupby("stratum").cumcount()
    limit = np.asarray(wanted)[ordered["stratum"].to_numpy()]
    kept = ordered[rank.to_numpy() < limit]
    placed: pd.DataFrame = kept.sort_values(["stratum", "row", "col"], ignore_index=True)
    return placed
