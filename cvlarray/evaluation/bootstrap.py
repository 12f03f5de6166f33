"""How far a figure may be off, by drawing scenes anew.

Pixels of one scene share its weather and its ground; scenes don't. So scenes are what is drawn,
with replacement (Efron and Tibshirani 1993, An introduction to the bootstrap, chapters 8 and 13).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimate", "estimate"]

N_DRAWS = 1000

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Figures of all scenes together, each with its interval."""

    value: Figures
    low: Figures
    high: Figures
    """Ends of the interval of 95 % confidence; NaN where no draw gives a figure."""
    n_scenes: int


def estimate(
    counts: NDArray[np.float64 | np.int64],
    figures: Callable[[NDArray[np.float64]], Figures],
    *,
    seed: int = 0,
    n_draws: int = N_DRAWS,
) -> Estimate:
    """Return figures of the summed counts of all scenes, and their percentile intervals.

    Parameters
    ----------
    counts
        (scene, ...) what each scene counted.
    figures
        Makes figures, any shape, out of summed counts.
    seed
        The same one draws the same scenes.
    n_draws
        How often scenes are drawn.

    Raises
    ------
    ValueError
        If there is no scene.
    """
    per_scene = np.asarray(counts, np.float64)
    if not len(per_scene):
        raise ValueError("an estimate needs at least one scene")
    random = np.random.default_rng(seed)
    drawn = random.integers(len(per_scene), size=(n_draws, len(per_scene)))
    times = np.stack([np.bincount(row, minlength=len(per_scene)) for row in drawn])
    summed = np.tensordot(times, per_scene, axes=1)
    draws = np.stack([figures(one) for one in summed])
    ends = np.full((2, *draws.shape[1:]), np.nan)
    known = np.isfinite(draws).any(axis=0)
    ends[:, known] = np.nanquantile(draws[:, known], [0.025, 0.975], axis=0)
    value = np.asarray(figures(per_scene.sum(axis=0)))
    return Estimate(value, ends[0, ...], ends[1, ...], len(per_scene))
