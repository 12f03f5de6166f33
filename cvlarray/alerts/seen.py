"""How much of each jurisdiction was seen in each ten days, and for how long it wasn't."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from cvlarray.alerts.enrich import Snapshot
from cvlarray.alerts.observability import blindness_table, pixels_inside, watched_areas
from cvlarray.names import READ
from cvlarray.vectorize import raster_blocks, raster_geobox

__all__ = ["REGION", "SEEN_DTYPES", "Seen", "seen_in_period", "with_region"]

SEEN_DTYPES = {
    "layer": "string",
    "role": "string",
    "code": "string",
    "name": "string",
    "start": "datetime64[ms]",
    "n_dates": "int64",
    "seen_share": "float64",
    "clear_share": "float64",
}
"""Columns of `Seen.windows`, a row for each feature and ten days. ``n_dates`` are those on which an
image reached the feature; ``seen_share`` of its pixels had one that could be read, ``clear_share``
was seen clear at least once. Windows count from 1970-01-01 on, so that they are the same whatever
the period; the first and the last may reach out of it, and only what is in it counts."""

WINDOW_DAYS = 10

REGION = "region"
"""Layer of the one row that is all that was watched."""

BoolArray = npt.NDArray[np.bool_]
DayArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """What could be seen in a period."""

    windows: pd.DataFrame
    """`SEEN_DTYPES`, sorted by layer, code, name and start."""
    blind: pd.DataFrame
    """`cvlarray.alerts.observability.BLINDNESS_DTYPES` of the period. A pixel's blind days are the
    longest time without a clear view, from the period's first day or to its last one, too."""


@dataclass(frozen=True)
class _Period:
    """Dates and windows of a period, in days since 1970."""

    first: int
    last: int
    time: DayArray
    """(date,) positions of its dates in the cube."""
    dates: DayArray
    """(date,)"""
    starts: DayArray
    """(window,) first days."""
    window: DayArray
    """(date,) which window each is in."""

    @classmethod
    def of(cls, read_status: xr.DataArray, start: dt.date, end: dt.date) -> _Period:
        """Return the period from one day to another."""
        if end < start:
            raise ValueError(f"a period must not end before it starts, got {start} to {end}")
        every = read_status["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
        first, last = (int(np.datetime64(day, "D").astype(np.int64)) for day in (start, end))
        time = np.flatnonzero((every >= first) & (every <= last))
        starts = np.arange(first - first % WINDOW_DAYS, last + 1, WINDOW_DAYS)
        window = np.searchsorted(starts, every[time], side="right") - 1
        return cls(first, last, time, every[time], starts, window)


@dataclass
class _Sums:
    """Of one feature."""

    n_seen: DayArray
    """(window,) pixels."""
    n_clear: DayArray
    has_image: BoolArray
    """(date,)"""
    n_never: int = 0
    gaps: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, period: _Period) -> _Sums:
        """Return sums of nothing yet."""
        n_seen, n_clear = np.zeros((2, period.starts.size), np.int64)
        return cls(n_seen, n_clear, np.zeros(period.dates.size, np.bool_))


def seen_in_period(
    read_status: xr.DataArray,
    is_clear: xr.DataArray,
    snapshots: Sequence[Snapshot],
    *,
    start: dt.date,
    end: dt.date,
    region: BaseGeometry | None = None,
) -> Seen:
    """Say how much of each feature of the layers was seen in a period.

    Only the period's dates are read, block by block, each once.

    Parameters
    ----------
    read_status
        `cvlarray.names.READ_STATUS` (time, y, x) of a cube; lazy is best.
    is_clear
        Boolean (time, y, x), such as `cvlarray.masking.is_clear` gives.
    snapshots
        Layers; those of areas count, roads, rivers and external alerts don't.
    start, end
        First and last day of the period.
    region
        What was watched, EPSG:4326, a feature itself of the layer `REGION`; None: the whole grid.

    Raises
    ------
    ValueError
        If the period ends before it starts.
    """
    period = _Period.of(read_status, start, end)
    geobox = raster_geobox(read_status[0])
    features = with_region(watched_areas(snapshots, geobox, region), geobox, region)
    sums = [_Sums.of(period) for _ in range(len(features))]
    index = shapely.STRtree(features.geometry.to_numpy())
    status, clear = (
        each.isel(time=period.time).transpose("time", "y", "x") for each in (read_status, is_clear)
    )
    for y, x in raster_blocks(read_status[0]):
        place = geobox[y, x]
        near = np.sort(index.query(place.extent.geom, predicate="intersects")).tolist()
        if near:
            block = xr.Dataset({"status": status[:, y, x], "clear": clear[:, y, x]}).compute()
            _add_block(block, place, period, [(features.geometry.iloc[n], sums[n]) for n in near])
    pixel_m2 = abs(geobox.affine.determinant)
    n_never = np.array([each.n_never for each in sums], np.int64)
    gaps = {number: each.gaps for number, each in enumerate(sums)}
    blind = blindness_table(features, gaps, n_never, pixel_m2)
    return Seen(_windows(features, sums, period), blind)


def _add_block(
    block: xr.Dataset,
    place: GeoBox,
    period: _Period,
    near: Sequence[tuple[BaseGeometry, _Sums]],
) -> None:
    """Add a block to the sums of the features near it."""
    has_image = block["status"].to_numpy() == READ
    was_clear = block["clear"].to_numpy()
    gap = _longest_gap(was_clear, period.dates, period.first, period.last)
    by_window = [
        _any_of(values, period.window, period.starts.size) for values in (has_image, was_clear)
    ]
    for geometry, sums in near:
        inside = pixels_inside(geometry, place)
        _add(sums, inside, has_image, by_window, gap)
        sums.n_never += int(np.count_nonzero(inside & ~was_clear.any(axis=0)))


def with_region(
    features: gpd.GeoDataFrame, geobox: GeoBox, region: BaseGeometry | None
) -> gpd.GeoDataFrame:
    """Return the features, and all that was watched as one more."""
    whole = geobox.extent.geom
    if region is not None:
        whole = whole & gpd.GeoSeries([region], crs=4326).to_crs(geobox.crs).iloc[0]
    texts = dict.fromkeys(("layer", "role", "code", "name"), "string")
    row = {"layer": [REGION], "role": [REGION], "code": [pd.NA], "name": [pd.NA]}
    every = gpd.GeoDataFrame(pd.DataFrame(row).astype(texts), geometry=[whole], crs=geobox.crs)
    return pd.concat([every, features.astype(texts)], ignore_index=True)


def _longest_gap(was_clear: BoolArray, dates: DayArray, first: int, last: int) -> DayArray:
    """Return for each pixel (y, x) the longest time without a clear view [days]."""
    seen_on = np.full(was_clear.shape[1:], first)
    longest = np.zeros_like(seen_on)
    for day, clear in zip(dates.tolist(), was_clear, strict=True):
        longest[clear] = np.maximum(longest, day - seen_on)[clear]
        seen_on[clear] = day
    gaps: DayArray = np.maximum(longest, last - seen_on)
    return gaps


def _any_of(values: BoolArray, window: DayArray, n_windows: int) -> BoolArray:
    """Return whether a pixel was it on any date of each window (window, y, x)."""
    found = np.zeros((n_windows, *values.shape[1:]), np.bool_)
    for number, value in zip(window.tolist(), values, strict=True):
        found[number] |= value
    return found


def _add(
    sums: _Sums,
    inside: BoolArray,
    has_image: BoolArray,
    by_window: Sequence[BoolArray],
    gap: DayArray,
) -> None:
    """Add the pixels of a block that lie in a feature."""
    sums.n_seen += by_window[0][:, inside].sum(axis=1)
    sums.n_clear += by_window[1][:, inside].sum(axis=1)
    sums.has_image |= has_image[:, inside].any(axis=1)
    days, counts = np.unique(gap[inside], return_counts=True)
    sums.gaps.update(dict(zip(days.tolist(), counts.tolist(), strict=True)))


def _windows(features: gpd.GeoDataFrame, sums: Sequence[_Sums], period: _Period) -> pd.DataFrame:
    """Return the rows of all features that have a pixel."""
    starts, window = period.starts, period.window
    parts = []
    for number, feature in enumerate(features.drop(columns="geometry").to_dict("records")):
        one = sums[number]
        n_pixels = one.gaps.total()
        if n_pixels:
            n_dates = np.bincount(window[one.has_image], minlength=starts.size)
            shares = {"seen_share": one.n_seen / n_pixels, "clear_share": one.n_clear / n_pixels}
            days = starts.astype("datetime64[D]").astype("datetime64[ms]")
            parts.append(
                pd.DataFrame({"start": days, "n_dates": n_dates, **shares}).assign(**feature)
            )
    table = pd.concat(parts) if parts else pd.DataFrame(columns=list(SEEN_DTYPES))
    table = table[list(SEEN_DTYPES)].astype(SEEN_DTYPES)
    return table.sort_values(["layer", "code", "name", "start"], ignore_index=True)
