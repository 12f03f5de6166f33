"""What a backend measures between alerts and layers; everything after that is shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from cvlarray.alerts.enrich.snapshot import Snapshot
from cvlarray.vectorize import area_m2

__all__ = [
    "DISTANCE_CRS",
    "MAX_EDGE_DEG",
    "MIN_OVERLAP_M2",
    "RELATION_DTYPES",
    "Backend",
    "check_alerts",
    "dense_edges",
    "ground_area_m2",
    "join_near",
    "local_scale",
    "relations",
]

RELATION_DTYPES = {
    "layer": "int64",
    "alert": "int64",
    "feature": "int64",
    "area_m2": "float64",
    "distance_m": "float64",
    "near_border": "bool",
}
"""Columns of what a backend measures: a row for each layer, alert and feature that have to do with
each other, sorted by them. ``layer`` and ``alert`` are positions, ``feature`` a row of the
snapshot's features. ``area_m2`` is the area they share (0: none); ``distance_m`` is the way from
the alert to the feature, for layers of relation NEAREST, else NaN; ``near_border`` tells that the
feature's border lies within the layer's own uncertainty of the alert."""

MIN_OVERLAP_M2 = 1.0
"""Less than this is a common border, not an overlap: a hundredth of a 10 m pixel."""

DISTANCE_CRS = 3395
"""Mercator on the ellipsoid. It is conformal, so the nearest point in its plane is the nearest on
the ground but for the change of scale on the way: at distance d and latitude φ the choice between
rival points is off by d·tan|φ|/2R at most (0.02 % at 10 km and 12° S). The distance to the chosen
point is then measured on the ellipsoid itself."""

MAX_EDGE_DEG = 1 / 111.32
"""Longer edges, straight in degrees, are followed in steps of at most 1 km in the plane."""

MAX_AREA_EDGE_DEG = 0.001
"""For areas in steps of 100 m: a step of 1 km may be off by 3 m² for each km of border."""

FLATTENING = 1 / 298.257223563
ECCENTRICITY_2 = FLATTENING * (2 - FLATTENING)


class Backend(Protocol):
    """Measures overlaps and distances."""

    def measure(self, alerts: gpd.GeoSeries, snapshots: Sequence[Snapshot]) -> pd.DataFrame:
        """Hold alerts against layers.

        Parameters
        ----------
        alerts
            (n,) valid polygons or multipolygons, EPSG:4326.
        snapshots
            Layers; each is measured as its ``layer.relation`` says.

        Returns
        -------
        Table of `RELATION_DTYPES`.
        """


def check_alerts(alerts: gpd.GeoDataFrame) -> None:
    """Refuse alerts that can't be measured.

    Raises
    ------
    ValueError
        If ``event_id`` is missing or repeated, the CRS isn't EPSG:4326, or a geometry is missing,
        empty, invalid or no polygon.
    """
    if "event_id" not in alerts:
        raise ValueError(f"alerts must have a column event_id, got {[*alerts]}")
    if alerts.crs is None or alerts.crs.to_epsg() != 4326:
        raise ValueError(f"alerts must be in EPSG:4326, got {alerts.crs}; use alerts.to_crs(4326)")
    repeated = alerts["event_id"][alerts["event_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"event_id must be unique, got {repeated.iloc[0]!r} twice")
    geometry = alerts.geometry.to_numpy()
    polygonal = np.isin(
        shapely.get_type_id(geometry),
        [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON],
    )
    wrong = ~polygonal | shapely.is_empty(geometry) | ~shapely.is_valid(geometry)
    if wrong.any():
        first = alerts["event_id"].iloc[int(np.flatnonzero(wrong)[0])]
        raise ValueError(
            f"alerts must be valid polygons, {wrong.sum()} are not, first {first!r}; "
            "use shapely.make_valid"
        )


def local_scale(geometry: gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Return how many Mercator metres a metre on the ground is, at the middle of each geometry.

    Parameters
    ----------
    geometry
        (n,) in EPSG:4326.

    Returns
    -------
    (n,) scale of EPSG:3395, 1 or more (Snyder 1987, Map Projections, equation 7-8).
    """
    bounds = geometry.bounds
    sine = np.sin(np.radians((bounds["miny"] + bounds["maxy"]).to_numpy() / 2))
    scale: npt.NDArray[np.float64] = np.sqrt((1 - ECCENTRICITY_2 * sine**2) / (1 - sine**2))
    return scale


def ground_area_m2(geometry: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Return areas on the ellipsoid of shapes whose edges are straight in degrees.

    Parameters
    ----------
    geometry
        (n,) polygons in EPSG:4326; what has no area counts 0.

    Returns
    -------
    (n,) m². Cutting a shape changes the sum by less than 1e-7 of it.
    """
    return area_m2(gpd.GeoSeries(dense_edges(geometry, MAX_AREA_EDGE_DEG), crs="EPSG:4326"))


def dense_edges(geometry: npt.NDArray[np.object_], step: float) -> npt.NDArray[np.object_]:
    """Return shapes without edges longer than ``step``; small shapes as they are."""
    west, south, east, north = shapely.bounds(geometry).T
    large = np.hypot(east - west, north - south) > step  # no edge is longer than the diagonal
    dense = geometry.copy()
    dense[large] = shapely.segmentize(geometry[large], step)
    return dense


def join_near(overlaps: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """Join the features that overlap an alert with those that are near it.

    Parameters
    ----------
    overlaps
        Columns alert, feature and area_m2.
    near
        Columns alert and feature, and near_border where that is what near means.
    """
    pairs: pd.DataFrame = overlaps.merge(near, on=["alert", "feature"], how="outer")
    pairs["area_m2"] = pairs["area_m2"].astype("float64").fillna(0.0)
    if "near_border" in pairs:
        pairs["near_border"] = pairs["near_border"].eq(other=True)
    return pairs


def relations(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join the tables of several layers, with the columns of `RELATION_DTYPES` in order.

    Columns that a table doesn't have are 0, NaN or False.
    """
    empty: dict[str, Any] = {"area_m2": 0.0, "distance_m": np.nan, "near_border": False}
    parts = [
        table.assign(**{name: value for name, value in empty.items() if name not in table})
        for table in tables
        if len(table)
    ]
    if not parts:
        return pd.DataFrame({name: [] for name in RELATION_DTYPES}).astype(RELATION_DTYPES)
    joined = pd.concat(parts, ignore_index=True)[list(RELATION_DTYPES)].astype(RELATION_DTYPES)
    return joined.sort_values(["layer", "alert", "feature"], ignore_index=True)
