"""Which pixels people should look at, so that the areas of all years get intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from cvlarray.annual.maps import dated, year_bounds
from cvlarray.names import AGENT, MINING, NOT_WATCHED, YEARLY_CHANGE

__all__ = [
    "SAMPLE_COLUMNS",
    "Strata",
    "count_labels",
    "reference_class",
    "sample_sizes",
    "strata_of",
]

STABLE, NEAR, FIRST_YEARLY = 0, 1, 2
"""Strata: forest that stayed, the same beside a change (where a map mostly errs), and one for each
year of disturbance and agent."""

NEAR_PX = 2
SAMPLE_COLUMNS = ("row", "col", "x", "y", "longitude", "latitude", "stratum", "year", "agent")
"""A row a pixel to look at. ``year`` and ``agent`` are left to the people who look: the year of the
first disturbance (0: none), and mining or clearing. What the map says isn't shown to them."""

_AGENTS = ("clearing", "mining")


@dataclass(frozen=True)
class Strata:
    """What the numbers of strata and reference classes mean."""

    years: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many there are."""
        return FIRST_YEARLY + len(_AGENTS) * len(self.years)

    def number(self, year: int, agent: str) -> int:
        """Return the stratum of a year and agent; one that is unknown counts as clearing."""
        return FIRST_YEARLY + len(_AGENTS) * self.years.index(year) + (agent == "mining")

    def chosen(self, year: int, agent: str) -> list[int]:
        """Return the classes of a year and agent, "all" being every one."""
        if agent == "unknown" or year not in self.years:
            return []
        names = _AGENTS if agent == "all" else (agent,)
        return [self.number(year, name) for name in names]


def strata_of(changes: xr.Dataset) -> tuple[NDArray[np.int16], Strata]:
    """Return each pixel's stratum (y, x) by its first disturbance, -1 outside the forest.

    Parameters
    ----------
    changes
        `cvlarray.names.CHANGES_VARIABLES`, in memory.
    """
    strata = Strata(tuple(int(year) for year in changes["year"].to_numpy()))
    day = dated(changes).isel(episode=0).to_numpy()
    is_mined = (changes[AGENT.name].isel(episode=0) == MINING).to_numpy()
    is_watched = (changes[YEARLY_CHANGE.name] != NOT_WATCHED).any("year").to_numpy()
    number = np.full(day.shape, STABLE, np.int16)
    for year in strata.years:
        first, last = year_bounds(year)
        here = (day >= first) & (day <= last)
        number[here] = strata.number(year, "clearing")
        number[here & is_mined] = strata.number(year, "mining")
    is_changed = number >= FIRST_YEARLY
    near = ndimage.binary_dilation(is_changed, np.ones((3, 3), bool), iterations=NEAR_PX)
    number[near & ~is_changed] = NEAR
    number[~is_watched] = -1
    return number, strata


def sample_sizes(strata: Strata, per_year: int) -> list[int]:
    """Return how many pixels of each stratum to sample.

    A mistake in the wide forest weighs as much as its stratum is large; with these factors 95 %
    intervals of simulated maps held the truth in 97 % of cases, at half widths of 15 %.
    """
    sizes = [per_year] * strata.size
    sizes[STABLE], sizes[NEAR] = 40 * per_year, 6 * per_year
    return sizes


def reference_class(
    years: Sequence[int], agents: Sequence[str], strata: Strata
) -> NDArray[np.int64]:
    """Return the class of what people saw: the year of the first disturbance, 0 for none."""
    return np.array(
        [
            strata.number(int(year), agent) if int(year) in strata.years else STABLE
            for year, agent in zip(years, agents, strict=True)
        ],
        np.int64,
    )


def count_labels(
    stratum: NDArray[np.integer], reference: NDArray[np.integer], strata: Strata
) -> NDArray[np.int64]:
    """Return sampled pixels (stratum, class)."""
    counts = np.zeros((strata.size, strata.size), np.int64)
    np.add.at(counts, (stratum, reference), 1)
    return counts
