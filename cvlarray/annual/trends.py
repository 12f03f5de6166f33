"""How sites grow over years: one curve a site, how fast, whether faster, and which way."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["TREND_COLUMNS", "event_years", "growth_curves", "rank_growth"]

TREND_COLUMNS = (
    "site",
    "n_events",
    "n_years_growing",
    "first_year",
    "last_year",
    "total_ha",
    "rate_ha_per_year",
    "acceleration_ha_per_year2",
    "bearing_deg",
    "drift_m_per_year",
    "river",
    "river_drift_m_per_year",
    "score",
    "geometry",
)
"""``bearing_deg`` is where new ground lies, clockwise from north; ``river_drift_m_per_year`` is
positive the way the river's line is drawn, which is downstream in most layers."""

_MAX_RIVER_M = 5_000.0
_M2_PER_HA = 1e4


def growth_curves(
    events: gpd.GeoDataFrame, *, crs: str, within_m: float = 100.0
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Put events together into sites, and return how much each grew in each year.

    An event is what opened up at a stretch: a mine that grows for years is many. Events nearer to
    each other than ``within_m`` are one site.

    Parameters
    ----------
    events
        Rows with ``event_id``, ``interval_start`` (may be missing), ``first_detected``, ``area_m2``
        and geometry, as `cvlarray.alerts.events.read_events` gives them.
    crs
        Projected, in metres, to measure in.
    within_m
        Largest gap within a site [m].

    Returns
    -------
    The events in ``crs`` with ``site`` (numbered from the largest) and ``year`` (see
    `event_years`); and hectares by site (rows) and year (columns), all
    years between the first and the last.
    """
    placed = events.to_crs(crs).reset_index(drop=True)
    placed["year"] = event_years(placed)
    label = _connected(placed.geometry, within_m)
    sizes = np.bincount(label, placed["area_m2"].to_numpy(float))
    rank = np.empty(sizes.size, np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(sizes.size)
    placed["site"] = rank[label]
    years = range(int(placed["year"].min()), int(placed["year"].max()) + 1) if len(placed) else ()
    curve = placed.pivot_table(
        index="site", columns="year", values="area_m2", aggfunc="sum", fill_value=0.0
    ).reindex(columns=list(years), fill_value=0.0)
    return placed, curve / _M2_PER_HA


def event_years(events: pd.DataFrame) -> pd.Series[int]:
    """Return the year of each event, by the middle of the time in which it can have begun."""
    first = pd.to_datetime(events["first_detected"])
    start = pd.to_datetime(events["interval_start"]).fillna(first).clip(upper=first)
    year: pd.Series[int] = (start + (first - start) / 2).dt.year
    return year


def rank_growth(
    placed: gpd.GeoDataFrame,
    curve: pd.DataFrame,
    *,
    rivers: gpd.GeoDataFrame | None = None,
    min_growth_ha: float = 0.1,
) -> gpd.GeoDataFrame:
    """Return the sites, those first that expand persistently.

    Parameters
    ----------
    placed, curve
        From `growth_curves`.
    rivers
        Lines with ``name``, in any CRS; None: no direction along them.
    min_growth_ha
        New ground that makes a year a year of growth [ha].

    Returns
    -------
    `TREND_COLUMNS`, by falling ``score``: years in which the site grew beyond its first, plus the
    share of it that came in them. ``rate`` is the mean of the years since the site began,
    ``acceleration`` the median of the slopes between all pairs of years (Theil 1950; Sen 1968,
    doi:10.1080/01621459.1968.10480934), NaN for fewer than three.
    """
    lines = None if rivers is None or rivers.empty else rivers.to_crs(placed.crs)
    rows = []
    for site, events in placed.groupby("site"):
        grown = curve.loc[site]
        since = grown.loc[int(events["year"].min()) :]
        growing = since[since >= min_growth_ha]
        later = growing.iloc[1:]
        drift = _drift(events)
        name, along = _along_river(events, lines)
        rows.append(
            {
                "site": int(site),
                "n_events": len(events),
                "n_years_growing": len(growing),
                "first_year": int(events["year"].min()),
                "last_year": int(events["year"].max()),
                "total_ha": float(grown.sum()),
                "rate_ha_per_year": float(since.mean()),
                "acceleration_ha_per_year2": _theil_sen(
                    since.index.to_numpy(float), since.to_numpy(float)
                ),
                "bearing_deg": drift.bearing_deg,
                "drift_m_per_year": drift.m_per_year,
                "river": name,
                "river_drift_m_per_year": along,
                "score": len(later) + float(later.sum() / max(grown.sum(), 1e-9)),
                "geometry": shapely.union_all(events.geometry.to_numpy()),
            }
        )
    table = gpd.GeoDataFrame(rows, columns=list(TREND_COLUMNS), geometry="geometry", crs=placed.crs)
    return table.sort_values(["score", "total_ha"], ascending=False, ignore_index=True)


def _connected(geometry: gpd.GeoSeries, within_m: float) -> NDArray[np.int64]:
    """Return which events are nearer to each other than a distance, as numbers of groups."""
    shapes = geometry.to_numpy()
    tree = shapely.STRtree(shapes)
    a, b = tree.query(shapes, predicate="dwithin", distance=within_m)
    graph = coo_array((np.ones(a.size), (a, b)), shape=(shapes.size, shapes.size))
    label: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return label


class _Drift(NamedTuple):
    bearing_deg: float
    m_per_year: float


def _drift(events: gpd.GeoDataFrame) -> _Drift:
    """Return which way, and how fast, the middle of each year's new ground moves."""
    centre = shapely.get_coordinates(shapely.centroid(events.geometry.to_numpy()))
    slopes = [
        _weighted_slope(events["year"].to_numpy(float), centre[:, axis], _weights(events))
        for axis in (0, 1)
    ]
    east, north = slopes
    if not np.isfinite(east):
        return _Drift(float("nan"), float("nan"))
    return _Drift(float(np.degrees(np.arctan2(east, north)) % 360), float(np.hypot(east, north)))


def _along_river(events: gpd.GeoDataFrame, lines: gpd.GeoDataFrame | None) -> tuple[str, float]:
    """Return the nearest river's name, and how fast new ground moves along it [m a year]."""
    if lines is None:
        return "", float("nan")
    middle = shapely.centroid(shapely.union_all(events.geometry.to_numpy()))
    distance = lines.distance(middle)
    if distance.min() > _MAX_RIVER_M:
        return "", float("nan")
    river = lines.loc[distance.idxmin()]
    line = shapely.line_merge(river.geometry)
    if line.geom_type != "LineString":
        parts = shapely.get_parts(line)
        line = parts[int(np.argmin(shapely.distance(parts, middle)))]
    place = shapely.line_locate_point(line, shapely.centroid(events.geometry.to_numpy()))
    slope = _weighted_slope(events["year"].to_numpy(float), place, _weights(events))
    return str(river.get("name") or ""), slope


def _weights(events: gpd.GeoDataFrame) -> NDArray[np.float64]:
    return np.asarray(events["area_m2"], np.float64)


def _weighted_slope(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    """Return the slope of the weighted line; NaN where all x are equal."""
    x = x - np.average(x, weights=weight)
    spread = float(weight @ x**2)
    return float(weight @ (x * (y - np.average(y, weights=weight)))) / spread if spread else np.nan


def _theil_sen(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if x.size < 3:
        return float("nan")
    i, j = np.triu_indices(x.size, 1)
    return float(np.median((y[j] - y[i]) / (x[j] - x[i])))
