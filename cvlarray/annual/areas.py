"""Hectares disturbed in each year, by agent and place: mapped, certain, possible, estimated.

Three different things are said of an area. *Mapped*: pixels of the yearly maps. *Certain* and
*possible*: what of it must, and what at most can, lie in the year, given when the ground was seen;
what clouds hid all year is possible, too. *Estimated* ± its 95 % interval: what a sample of pixels,
looked at by people, says of the map's mistakes (Olofsson et al. 2014,
doi:10.1016/j.rse.2014.02.015). Without a sample there is no estimate and no interval: nothing in a
map tells how often it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.alerts.statistics import area_of_classes
from cvlarray.annual.maps import dated, year_bounds
from cvlarray.annual.sample import Strata
from cvlarray.names import (
    AGENT,
    DISTURBED,
    INTACT_UNTIL,
    NO_DATE,
    NOT_WATCHED,
    UNDISTURBED,
    YEARLY_CHANGE,
    YEARLY_CLEAR,
)

__all__ = ["AREA_COLUMNS", "areas_by_year", "areas_with_intervals", "certain_areas"]

AREA_COLUMNS = (
    "year",
    "agent",
    "domain",
    "name",
    "mapped_ha",
    "certain_ha",
    "possible_ha",
    "hidden_ha",
    "estimated_ha",
    "low_ha",
    "high_ha",
    "n_sampled",
)
"""``domain`` is what the area is cut by, ``name`` its part; "region" and "" for the whole.
``hidden_ha`` is forest that was seen too seldom in the year to tell; it is part of
``possible_ha``, as any agent may have been at work there."""

_AGENTS = {1: "unknown", 2: "clearing", 3: "mining"}
_M2_PER_HA = 1e4

Counts = dict[tuple[int, str, int], NDArray[np.float64]]
"""Pixels mapped, certain, possible and hidden by year, agent and number of the part."""


def certain_areas(
    changes: xr.Dataset, year: int, min_clear: int
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return where a disturbance lies in a year for certain, where perhaps, and what was hidden.

    Parameters
    ----------
    changes
        `cvlarray.names.CHANGES_VARIABLES`.
    year
        Calendar year.
    min_clear
        Clear observations that it takes to confirm a change.

    Returns
    -------
    Boolean (episode, y, x) twice: certain, if the pixel was seen as expected in the year and as
    changed in the year; perhaps, if it was last seen as expected by the year's end and first seen
    changed in it or later. Boolean (y, x): undisturbed forest that was seen seldom.
    """
    first, last = year_bounds(year)
    changed, intact = changes[DISTURBED.name], changes[INTACT_UNTIL.name]
    is_real = changed != NO_DATE
    certain = is_real & (intact >= first - 1) & (changed >= first) & (changed <= last)
    perhaps = is_real & (intact <= last) & (changed >= first)
    forest = changes[YEARLY_CHANGE.name].sel(year=year) == UNDISTURBED
    hidden = forest & (changes[YEARLY_CLEAR.name].sel(year=year) < min_clear)
    return certain, perhaps, hidden & ~perhaps.any("episode")


def areas_by_year(
    changes: xr.Dataset,
    parts: Mapping[str, tuple[NDArray[np.int32], Sequence[str]]],
    *,
    pixel_m2: float,
    min_clear: int,
) -> pd.DataFrame:
    """Return the areas of each year.

    Parameters
    ----------
    changes
        `cvlarray.names.CHANGES_VARIABLES`, in memory: a block, or the whole.
    parts
        What to cut by: for each domain the number of each pixel's part (y, x), -1 outside all, and
        the parts' names.
    pixel_m2
        Area of a pixel.
    min_clear
        Clear observations that it takes to confirm a change.

    Returns
    -------
    `AREA_COLUMNS` without the last four; areas of blocks add up. The agent "all" is all of them.
    """
    shape = changes[YEARLY_CHANGE.name].shape[1:]
    whole = {"region": (np.zeros(shape, np.int32), ("",)), **parts}
    rows = []
    for year in changes["year"].to_numpy().tolist():
        masks = _masks(changes, int(year), min_clear)
        for domain, (number, names) in whole.items():
            counts = {key: _count(mask, number, len(names)) for key, mask in masks.items()}
            hidden = counts["hidden", ""]
            for agent in ("all", *_AGENTS.values()):
                for place, name in enumerate(names):
                    n_mapped, n_certain, n_possible = (
                        int(counts[kind, agent][place])
                        for kind in ("mapped", "certain", "possible")
                    )
                    areas = n_mapped, n_certain, n_possible + int(hidden[place]), int(hidden[place])
                    hectares = [n * pixel_m2 / _M2_PER_HA for n in areas]
                    rows.append((int(year), agent, domain, name, *hectares))
    return pd.DataFrame(rows, columns=list(AREA_COLUMNS[:8]))


def areas_with_intervals(
    areas: pd.DataFrame,
    strata_ha: Mapping[tuple[str, str], NDArray[np.float64]],
    counts: NDArray[np.integer],
    strata: Strata,
) -> pd.DataFrame:
    """Return the areas with what a sample says of them.

    Parameters
    ----------
    areas
        From `areas_by_year`, blocks summed.
    strata_ha
        (stratum,) mapped area of each part [ha], by (domain, name).
    counts
        (stratum, stratum) sampled pixels: rows by map, columns by what they are.
    strata
        What the numbers mean.

    Returns
    -------
    `AREA_COLUMNS`. The map is taken to err at the same rates in every part, as the sample is too
    thin to tell them apart. The estimate is of first disturbances; see
    `cvlarray.alerts.statistics.area_of_classes`.
    """
    found = areas.copy()
    estimated = list(AREA_COLUMNS[8:11])
    found[estimated] = np.nan
    found["n_sampled"] = int(counts.sum())
    for (domain, name), mapped in strata_ha.items():
        here = (found["domain"] == domain) & (found["name"] == name)
        for index, row in found[here].iterrows() if mapped.sum() else ():
            chosen = strata.chosen(int(row["year"]), str(row["agent"]))
            if chosen:
                found.loc[index, estimated] = area_of_classes(counts, mapped, chosen)
    return found[list(AREA_COLUMNS)]


def _count(mask: NDArray[np.bool_], number: NDArray[np.int32], n_parts: int) -> NDArray[np.int64]:
    """Return the pixels (…, y, x) that a mask has in each part."""
    where = np.broadcast_to(number, mask.shape)[mask & (number >= 0)]
    return np.bincount(where, minlength=n_parts).astype(np.int64)


def _masks(
    changes: xr.Dataset, year: int, min_clear: int
) -> dict[tuple[str, str], NDArray[np.bool_]]:
    first, last = year_bounds(year)
    certain, possible, hidden = certain_areas(changes, year, min_clear)
    day = dated(changes)
    is_watched = (changes[YEARLY_CHANGE.name] != NOT_WATCHED).any("year")
    mapped = (day >= first) & (day <= last) & is_watched
    found = {("hidden", ""): hidden.to_numpy()}
    for number, agent in (*_AGENTS.items(), (0, "all")):
        of_agent = changes[AGENT.name] == number if number else is_watched
        for kind, mask in (("mapped", mapped), ("certain", certain), ("possible", possible)):
            chosen = (mask & of_agent & is_watched).transpose("episode", "y", "x")
            found[kind, agent] = chosen.to_numpy()
    return found
