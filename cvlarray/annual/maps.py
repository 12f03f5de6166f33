"""Maps of what stood, and what had happened, at the end of each year."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.models.land_cover import LandCoverClass
from cvlarray.models.spectral import SpectralRule
from cvlarray.names import (
    AGENT,
    BACK,
    CLEARING,
    DISTURBED,
    DISTURBED_BEFORE,
    DISTURBED_NOW,
    DN_PER_REFLECTANCE,
    INTACT_UNTIL,
    MINING,
    NO_AGENT,
    NO_DATE,
    NODATA_DN,
    NOT_WATCHED,
    RECOVERED,
    UNDISTURBED,
    UNKNOWN_AGENT,
    YEARLY_CHANGE,
    YEARLY_CLASS,
    YEARLY_CLEAR,
)

MINES = (LandCoverClass.MINE_PIT, LandCoverClass.TAILINGS_POND)
_OPEN = (LandCoverClass.RECENT_CLEARING, *MINES)
"""What disturbed ground can be; what has recovered is told by its season, not by its colour."""


def year_bounds(year: int) -> tuple[int, int]:
    """Return the first and last day of a year, days since 1970-01-01."""
    first, after = (
        int(np.datetime64(f"{number}-01-01", "D").astype(int)) for number in (year, year + 1)
    )
    return first, after - 1


def dated(episodes: xr.Dataset) -> xr.DataArray:
    """Return the likeliest day of each disturbance (episode, y, x), -1 where there is none.

    It happened after the last observation as expected and by the first that was changed. The first
    alone would put what the wet season hid into the next year; the middle is right on average.
    """
    changed, intact = episodes[DISTURBED.name], episodes[INTACT_UNTIL.name]
    middle = (changed + intact + 1) // 2
    known: xr.DataArray = middle.where(intact != NO_DATE, changed)
    return known.where(changed != NO_DATE, NO_DATE).astype(np.int32)


def yearly_clear(is_clear: xr.DataArray, years: Sequence[int]) -> xr.DataArray:
    """Return how often each pixel was seen clear in each year.

    Parameters
    ----------
    is_clear
        Boolean (time, y, x).
    years
        Calendar years.

    Returns
    -------
    `cvlarray.names.YEARLY_CLEAR` (year, y, x). Lazy if ``is_clear`` is.
    """
    of_date = is_clear["time"].dt.year
    counts = [is_clear.isel(time=(of_date == year).to_numpy()).sum("time") for year in years]
    return _by_year(counts, years).astype(YEARLY_CLEAR.dtype).rename(YEARLY_CLEAR.name)


def yearly_change(
    episodes: xr.Dataset, is_forest: xr.DataArray, years: Sequence[int]
) -> xr.DataArray:
    """Return what had become of the forest by the end of each year.

    Parameters
    ----------
    episodes
        `cvlarray.names.EPISODE_VARIABLES` (episode, y, x).
    is_forest
        Boolean (y, x): where forest stood in the history.
    years
        Calendar years.

    Returns
    -------
    `cvlarray.names.YEARLY_CHANGE` (year, y, x). A disturbance is of the year of `dated`; a pixel
    that is disturbed and recovers in one year is of the disturbed of that year.
    """
    maps = []
    dates = dated(episodes)
    for year in years:
        first, last = year_bounds(year)
        state = xr.full_like(is_forest, UNDISTURBED, dtype=YEARLY_CHANGE.dtype)
        for number in range(episodes.sizes["episode"]):
            begun = dates.isel(episode=number, drop=True)
            back = episodes[RECOVERED.name].isel(episode=number, drop=True)
            state = state.where(~_by(begun, last), DISTURBED_BEFORE)
            state = state.where(~_by(back, last), BACK)
            state = state.where(~(_by(begun, last) & (begun >= first)), DISTURBED_NOW)
        maps.append(state.where(is_forest, NOT_WATCHED))
    return _by_year(maps, years).rename(YEARLY_CHANGE.name)


def land_cover_by_year(
    change: xr.DataArray, bands: xr.Dataset | None, is_clear: xr.DataArray, episodes: xr.Dataset
) -> xr.DataArray:
    """Return what stood at the end of each year.

    Forest stands until it is disturbed, and is secondary growth when it is back. In between the
    median of a year's clear observations since the disturbance is classed by
    `cvlarray.models.SpectralRule` as clearing, pit or pond; a year without any goes on as the one
    before.

    Parameters
    ----------
    change
        `cvlarray.names.YEARLY_CHANGE` (year, y, x), in memory.
    bands
        int16 (time, y, x) of green, red, nir, swir16 and swir22 (nir08 serves for nir); None if the
        cube lacks one: disturbed ground is then ``recent_clearing`` throughout.
    is_clear
        Boolean (time, y, x).
    episodes
        `cvlarray.names.EPISODE_VARIABLES` of the same pixels.

    Returns
    -------
    `cvlarray.names.YEARLY_CLASS` (year, y, x).
    """
    kinds = change.to_numpy()
    found = np.full(kinds.shape, LandCoverClass.INTACT_FOREST, np.uint8)
    found[kinds == BACK] = LandCoverClass.SECONDARY_GROWTH
    is_open = (kinds == DISTURBED_NOW) | (kinds == DISTURBED_BEFORE)
    rows, cols = np.nonzero(is_open.any(axis=0))
    # Of a year: 0 where nothing was seen, so that the year before goes on.
    seen = np.zeros((kinds.shape[0], rows.size), np.uint8)
    if bands is not None and rows.size:
        begun = episodes[DISTURBED.name].to_numpy()[:, rows, cols]
        seen = _open_ground(change["year"].to_numpy(), bands, is_clear, begun, (rows, cols))
    current = np.full(rows.size, LandCoverClass.RECENT_CLEARING, np.uint8)
    for number in range(kinds.shape[0]):
        starts_anew = kinds[number, rows, cols] == DISTURBED_NOW
        current = np.where(starts_anew, LandCoverClass.RECENT_CLEARING, current).astype(np.uint8)
        current = np.where(seen[number] > 0, seen[number], current)
        open_now = is_open[number, rows, cols]
        found[number, rows[open_now], cols[open_now]] = current[open_now]
    found[kinds == NOT_WATCHED] = NOT_WATCHED
    result = change.copy(data=found).rename(YEARLY_CLASS.name)
    return result.drop_attrs().assign_attrs(YEARLY_CLASS.attrs)


def agents(land_cover: xr.DataArray, episodes: xr.Dataset, *, is_classed: bool) -> xr.DataArray:
    """Return what disturbed each pixel, in each of its episodes.

    Mining leaves pits and ponds: a pixel that is either at the end of a year of the episode was
    mined. Everything else that is open is a clearing, whether by farmers, loggers or storms: a
    pixel's colour alone doesn't tell these apart.

    Parameters
    ----------
    land_cover
        `cvlarray.names.YEARLY_CLASS` (year, y, x).
    episodes
        `cvlarray.names.EPISODE_VARIABLES` (episode, y, x).
    is_classed
        Whether open ground was classed at all; else the agent is unknown.

    Returns
    -------
    `cvlarray.names.AGENT` (episode, y, x).
    """
    begun, back = dated(episodes), episodes[RECOVERED.name]
    is_mined = xr.zeros_like(begun, dtype=bool)
    for year in land_cover["year"].to_numpy().tolist():
        first, last = year_bounds(int(year))
        during = _by(begun, last) & ((back == NO_DATE) | (back > last) | (begun >= first))
        is_mined |= during & land_cover.sel(year=year, drop=True).isin(MINES)
    other = CLEARING if is_classed else UNKNOWN_AGENT
    agent: xr.DataArray = xr.full_like(begun, other, dtype=AGENT.dtype)
    agent = agent.where(~is_mined, MINING).where(begun != NO_DATE, NO_AGENT).astype(AGENT.dtype)
    named: xr.DataArray = agent.transpose(*begun.dims).rename(AGENT.name)
    return named.assign_attrs(AGENT.attrs)


def _open_ground(
    years: NDArray[np.int64],
    bands: xr.Dataset,
    is_clear: xr.DataArray,
    begun: NDArray[np.int32],
    place: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.uint8]:
    """Return the class of disturbed pixels (year, pixel) by a year's median; 0 if never seen."""
    rule = SpectralRule()
    names = ["nir08" if b.name == "nir" and "nir" not in bands else b.name for b in rule.spec.bands]
    rows, cols = place
    dates = bands["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
    clear = is_clear.to_numpy()[:, rows, cols]
    # The last disturbance that had begun by a date; one that comes later says nothing of it.
    is_after = np.zeros(clear.shape, bool)
    for one in begun:
        is_after |= (one != NO_DATE) & (dates[:, None] >= one)
    values = np.stack([bands[name].to_numpy()[:, rows, cols] for name in names])
    is_used = clear & is_after & (values != NODATA_DN).all(axis=0)
    found = np.zeros((years.size, rows.size), np.uint8)
    of_date = bands["time"].dt.year.to_numpy()
    for number, year in enumerate(years.tolist()):
        chosen = of_date == year
        some = np.flatnonzero(is_used[chosen].any(axis=0))
        if not some.size:
            continue
        part = np.where(
            is_used[chosen][:, some], values[:, chosen][:, :, some].astype(np.float32), np.nan
        )
        chips = (np.nanmedian(part, axis=1) / DN_PER_REFLECTANCE)[None, :, None, :]
        shares = rule.predict(chips.astype(np.float32), np.ones((1, 1, some.size), bool))
        best = np.argmax(shares[0][list(_OPEN), 0], axis=0)
        found[number, some] = np.array(_OPEN, np.uint8)[best]
    return found


def _by(date: xr.DataArray, day: int) -> xr.DataArray:
    """Return where something had happened by a day."""
    happened: xr.DataArray = (date != NO_DATE) & (date <= day)
    return happened


def _by_year(maps: Sequence[xr.DataArray], years: Sequence[int]) -> xr.DataArray:
    stacked: xr.DataArray = xr.concat(
        [one.reset_coords(drop=True) for one in maps], "year", coords="minimal", compat="override"
    )
    return stacked.assign_coords(year=list(years)).transpose("year", "y", "x")
