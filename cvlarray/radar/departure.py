"""How far backscatter lies from what is usual for the pixel: what changes are looked for in.

A pixel's usual backscatter is its median over the history, in decibels, so that a rain or two among
the dates don't count. What a whole neighbourhood has in common on a date, as after rain or in the
dry season, is taken off: a change is what one place does and its surroundings don't.
"""

from __future__ import annotations

import datetime as dt
import operator
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from cvlarray.radar.decibels import to_decibels

__all__ = ["CHANNELS", "LEAST_HISTORY", "OF_ONE_DATE", "STACKED_DATES", "radar_departure"]

OF_ONE_DATE = ("vv_departure", "vh_departure", "vh_vv_departure", "vv_usual", "vh_usual")
"""What a date alone shows, beside what is usual."""

CHANNELS = (*OF_ONE_DATE, "vv_lately", "vh_lately")
"""Variables of `radar_departure`, all in dB."""

STACKED_DATES = 4
"""Dates whose departures are averaged: speckle of 4.4 looks hides 1 dB on one date, not on four."""

_POLARISATIONS = ("vv", "vh")

LEAST_HISTORY = 6
"""Dates without which a pixel has no usual backscatter."""

AROUND_PX = 129
"""Side of the neighbourhood whose common departure is taken off."""

_MOST_AT_FIRST_DB = 5.0
"""A pixel counts for no more when the neighbourhood's level is first guessed."""
_UNLIKELY_DB = 1.5
"""Beyond what the neighbourhood does by as much, a smoothed pixel doesn't count for it."""
_SMOOTHED_PX = 5
_LEAST_SHARE = 0.1
"""Of the neighbourhood that must be left for its second mean."""

Floats = NDArray[np.float32]


def radar_departure(series: xr.Dataset, *, until: dt.date | str) -> xr.Dataset:
    """Return how far each date of a radar series departs from its history.

    Parameters
    ----------
    series
        ``vv`` and ``vh`` (time, y, x), linear gamma0, NaN missing, of one orbit: state and relative
        orbit make another series of the same place.
    until
        First day that doesn't belong to the history; the dates from it on are returned.

    Returns
    -------
    `CHANNELS` (time, y, x) float32 in dB: the departures of VV, VH and VH/VV, what is usual of VV
    and VH, the same on every date, and the mean departure of VV and VH over the last
    `STACKED_DATES` dates returned. NaN where a date is missing or the pixel has fewer than
    `LEAST_HISTORY` dates in its history. Lazy if ``series`` is; the same for any chunks.

    Raises
    ------
    ValueError
        If a polarisation is missing, coordinates tell of several orbits, time doesn't increase, or
        either side of ``until`` has too few dates.
    """
    _check_series(series)
    first = pd.Timestamp(until).to_datetime64()
    is_history = series["time"].to_numpy().astype("datetime64[ns]") < first
    n_history = int(is_history.sum())
    if n_history < LEAST_HISTORY or n_history == is_history.size:
        raise ValueError(
            f"a series needs {LEAST_HISTORY} dates before {until} and one from it on, got "
            f"{n_history} and {is_history.size - n_history}"
        )
    decibels = {
        name: to_decibels(series[name].transpose("time", "y", "x")) for name in _POLARISATIONS
    }
    usual = {name: _usual(one[is_history]) for name, one in decibels.items()}
    watched = {name: one[~is_history] for name, one in decibels.items()}
    departures = {
        name: _without_common((one - usual[name]).astype(np.float32))
        for name, one in watched.items()
    }
    layers = {
        "vv_departure": departures["vv"],
        "vh_departure": departures["vh"],
        "vh_vv_departure": departures["vh"] - departures["vv"],
        "vv_usual": usual["vv"].broadcast_like(watched["vv"]),
        "vh_usual": usual["vh"].broadcast_like(watched["vh"]),
        **{f"{name}_lately": _lately(one) for name, one in departures.items()},
    }
    kept = {key: value for key, value in series["vh"].attrs.items() if key == "grid_mapping"}
    described = {
        name: layer.assign_attrs({"long_name": name.replace("_", " "), "units": "dB", **kept})
        for name, layer in layers.items()
    }
    return xr.Dataset(described).transpose("time", "y", "x")


def _check_series(series: xr.Dataset) -> None:
    missing = [name for name in _POLARISATIONS if name not in series.data_vars]
    if missing:
        raise ValueError(f"departures need vv and vh, the series lacks {', '.join(missing)}")
    for name in ("sat:orbit_state", "sat:relative_orbit"):
        if name in series.coords and len(np.unique(series[name].to_numpy())) > 1:
            orbits = ", ".join(map(str, np.unique(series[name].to_numpy())))
            raise ValueError(f"a series is of one orbit, {name} has {orbits}; take one at a time")
    days = series["time"].to_numpy()
    if (np.diff(days) <= np.timedelta64(0)).any():
        raise ValueError("time must increase from date to date; dates of two orbits don't mix")


def _usual(history: xr.DataArray) -> xr.DataArray:
    """Return the median over dates, NaN where there are too few."""
    whole = history.chunk(time=-1) if history.chunks else history
    is_known = whole.count("time") >= LEAST_HISTORY
    # A pixel without any date would be warned of.
    median = whole.where(is_known, 0).median("time", skipna=True).astype(np.float32)
    return median.where(is_known)


def _lately(departure: xr.DataArray) -> xr.DataArray:
    """Return the mean of each date and those just before it, where they were seen."""
    stack = [departure.shift(time=by) for by in range(STACKED_DATES)]
    total = reduce(operator.add, (one.fillna(0) for one in stack))
    n_seen = reduce(operator.add, (one.notnull().astype(np.int16) for one in stack))
    return (total / n_seen).where(departure.notnull()).astype(np.float32)


def _without_common(departure: xr.DataArray) -> xr.DataArray:
    """Return departures from which what the neighbourhood has in common is taken off."""
    if departure.chunks is None:
        return departure.copy(data=_local(departure.to_numpy()))
    data: Any = departure.data
    reach = 2 * (AROUND_PX // 2) + _SMOOTHED_PX // 2
    local = data.map_overlap(_local, depth={1: reach, 2: reach}, boundary="none", dtype=np.float32)
    return departure.copy(data=local)


def _local(departure: Floats) -> Floats:
    """Return images (time, y, x) less their local level, found in two passes."""
    is_known = np.isfinite(departure)
    smooth, _ = _mean(departure, is_known, _SMOOTHED_PX)
    rough, _ = _mean(np.clip(smooth, -_MOST_AT_FIRST_DB, _MOST_AT_FIRST_DB), is_known, AROUND_PX)
    is_usual = is_known & (np.abs(smooth - rough) < _UNLIKELY_DB)
    level, share = _mean(smooth, is_usual, AROUND_PX)
    local: Floats = (departure - np.where(share > _LEAST_SHARE, level, rough)).astype(np.float32)
    return local


def _mean(images: Floats, counts: NDArray[np.bool_], side_px: int) -> tuple[Floats, Floats]:
    """Return the mean of what counts in a square around each pixel, and its share of the square."""
    size = (1, side_px, side_px)
    share = ndimage.uniform_filter(counts.astype(np.float64), size, mode="constant")
    total = ndimage.uniform_filter(
        np.where(counts, images, 0).astype(np.float64), size, mode="constant"
    )
    mean = total / np.maximum(share, 1e-9)
    return mean.astype(np.float32), share.astype(np.float32)
