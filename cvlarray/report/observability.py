"""What could be seen, and for how long it could not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import dask.array as da
import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox

from cvlarray.report.inputs import Period

GAP_STEPS_DAYS = (14, 30, 60, 90, 120, 180, 365)
CLEAR_DATE_SHARE = 0.5
"""A date counts as seeing the region if at least this share of it was clear."""
MAP_PX = 600
_DAYS_BINS = 65_536  # max_gap_days is uint16


@dataclass(frozen=True)
class GapShare:
    """How much of the grid went unseen for longer than ``days``."""

    days: int
    area_m2: float
    share: float


@dataclass(frozen=True)
class RegionGap:
    """A stretch without a date that saw at least half of the region."""

    last_seen: dt.date | None
    """None if the monitoring period began unseen."""
    next_seen: dt.date | None
    """None if the monitoring period ended first."""
    days: int


@dataclass(frozen=True)
class Observability:
    """Sizes are exact, over every pixel; the two arrays are reduced for a picture."""

    area_m2: float
    never_clear_m2: float
    never_clear_share: float
    median_gap_days: int
    longest_gap_days: int
    gap_shares: list[GapShare]
    gap_days: npt.NDArray[np.uint16]
    """(y, x) longest gap of the worst pixel in each cell [days]."""
    never_clear: npt.NDArray[np.bool_]
    """(y, x) whether no pixel of the cell was ever clear."""


def measure(detections: xr.Dataset, geobox: GeoBox) -> Observability:
    """Reduce ``n_clear`` and ``max_gap_days`` to what a page can show.

    Lazy input is reduced block by block and computed once, here, on whichever scheduler is
    active.

    Parameters
    ----------
    detections
        ``n_clear`` [1] and ``max_gap_days`` [days or timedelta], dims (y, x).
    geobox
        Their grid; its geodesic area is shared equally among the pixels.
    """
    days = _whole_days(detections["max_gap_days"])
    n_clear = detections["n_clear"]
    step = -(-max(geobox.shape) // MAP_PX)
    reduced = xr.Dataset(
        {
            "counts": ("days", da.bincount(days.chunk().data.ravel(), minlength=_DAYS_BINS)),
            "unseen": (n_clear == 0).sum(),
            "gap_days": days.coarsen(y=step, x=step, boundary="pad").max(),
            "never_clear": n_clear.coarsen(y=step, x=step, boundary="pad").max() == 0,
        }
    ).compute()
    cumulative = reduced["counts"].values.cumsum()
    pixels, unseen = int(cumulative[-1]), int(reduced["unseen"])
    area_m2 = grid_area_m2(geobox)
    return Observability(
        area_m2=area_m2,
        never_clear_m2=area_m2 * unseen / pixels,
        never_clear_share=unseen / pixels,
        median_gap_days=int(np.searchsorted(cumulative, pixels / 2)),
        longest_gap_days=int(np.searchsorted(cumulative, pixels)),
        gap_shares=_gap_shares(cumulative, area_m2),
        gap_days=np.asarray(reduced["gap_days"].values, dtype=np.uint16),
        never_clear=np.asarray(reduced["never_clear"].values, dtype=bool),
    )


def _whole_days(gaps: xr.DataArray) -> xr.DataArray:
    if np.issubdtype(gaps.dtype, np.timedelta64):  # a reader that decodes the unit
        gaps = gaps / np.timedelta64(1, "D")
    return gaps.astype(np.uint16)


def _gap_shares(cumulative: npt.NDArray[np.int64], area_m2: float) -> list[GapShare]:
    total = int(cumulative[-1])
    longer = {days: 1 - int(cumulative[days]) / total for days in GAP_STEPS_DAYS}
    everywhere = max((days for days, share in longer.items() if share == 1), default=0)
    return [
        GapShare(days, area_m2 * share, share)
        for days, share in longer.items()
        if share > 0 and days >= everywhere
    ]


def grid_area_m2(geobox: GeoBox) -> float:
    """Return the geodesic area of a grid [m²]."""
    outline = gpd.GeoSeries([geobox.extent.geom], crs=geobox.crs).segmentize(
        max(geobox.resolution.map(abs).xy) * max(geobox.shape) / 50
    )
    geographic = outline.to_crs(4326)
    area, _ = geographic.crs.get_geod().geometry_area_perimeter(geographic.iloc[0])
    return abs(float(area))


def region_gaps(
    clear_share: pd.DataFrame, monitoring: Period, *, at_most: int = 5
) -> list[RegionGap]:
    """Return the longest stretches of the monitoring period in which the region wasn't seen.

    Parameters
    ----------
    clear_share
        ``date`` and ``clear_share`` (0..1), a row a date.
    monitoring
        The period; a stretch may begin with its start and end with its end.
    at_most
        How many, longest first.
    """
    seen = clear_share.loc[clear_share["clear_share"] >= CLEAR_DATE_SHARE, "date"]
    dates = sorted({day for day in as_dates(seen) if monitoring.start <= day <= monitoring.end})
    gaps = [
        RegionGap(
            last, following, ((following or monitoring.end) - (last or monitoring.start)).days
        )
        for last, following in pairwise([None, *dates, None])
    ]
    longest = sorted(gaps, key=lambda gap: -gap.days)
    return [gap for gap in longest if gap.days > 0][:at_most]


def clear_by_month(clear_share: pd.DataFrame, months: Sequence[pd.Period]) -> list[float]:
    """Return how often an average pixel was seen clear in each month."""
    dates = pd.to_datetime(clear_share["date"]).dt.to_period("M")
    sums = clear_share["clear_share"].astype(float).groupby(dates.to_numpy()).sum()
    return [float(sums.get(month, 0.0)) for month in months]


@dataclass(frozen=True)
class BlindRow:
    """How long a jurisdiction went unseen."""

    layer: str
    feature: str
    area_m2: float
    median: int
    longest: int
    never: float


def blind_rows(blindness: pd.DataFrame | None, *, at_most: int) -> list[BlindRow]:
    """Return the features that half of went unseen the longest."""
    if blindness is None:
        return []
    longest = blindness.sort_values("median_blind_days", ascending=False, kind="stable")
    return [
        BlindRow(
            layer=str(row["layer"]),
            feature=" ".join(str(row[key]) for key in ("name", "code") if pd.notna(row[key])),
            area_m2=float(row["area_km2"]) * 1e6,
            median=int(row["median_blind_days"]),
            longest=int(row["longest_blind_days"]),
            never=float(row["never_seen_share"]),
        )
        for row in longest.head(at_most).to_dict("records")
    ]


def as_dates(values: pd.Series) -> list[dt.date]:
    """Return dates of any kind as `datetime.date`."""
    return [stamp.date() for stamp in pd.to_datetime(values)]
