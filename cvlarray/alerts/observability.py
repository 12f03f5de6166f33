"""What could be seen where and when, and for how long a jurisdiction went unseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.features import geometry_mask
from shapely.geometry.base import BaseGeometry

from cvlarray.alerts.enrich import Relation, Snapshot
from cvlarray.names import (
    FIRST_FLAGGED,
    MAX_GAP_DAYS,
    N_CLEAR,
    NO_DATE,
    NOT_COVERED,
    SEEN,
    SEEN_CHANGED,
    SEEN_CLEAR,
    SEEN_OBSCURED,
    SEEN_UNREAD,
    UNREAD,
)
from cvlarray.vectorize import raster_blocks, raster_geobox

__all__ = [
    "BLINDNESS_DTYPES",
    "blindness",
    "blindness_table",
    "observability",
    "pixels_inside",
    "watched_areas",
]

BLINDNESS_DTYPES = {
    "layer": "string",
    "role": "string",
    "code": "string",
    "name": "string",
    "area_km2": "float64",
    "never_seen_share": "float64",
    "median_blind_days": "int64",
    "p90_blind_days": "int64",
    "longest_blind_days": "int64",
}
"""Columns of `blindness`; ``area_km2`` is of the part that was watched."""

Lookup = dict[int, Counter[int]]
BoolArray = npt.NDArray[np.bool_]


def observability(
    read_status: xr.DataArray, is_clear: xr.DataArray, detections: xr.Dataset
) -> xr.DataArray:
    """Return what became of every place on every date.

    Parameters
    ----------
    read_status
        `cvlarray.names.READ_STATUS` (time, y, x) of a cube.
    is_clear
        Boolean (time, y, x), such as `cvlarray.masking.is_clear` gives.
    detections
        `cvlarray.names.DETECTION_VARIABLES` (y, x) of the same pixels, as stored.

    Returns
    -------
    `cvlarray.names.SEEN`, uint8 (time, y, x): not_covered, unread and obscured, where nothing can
    be said; clear, where the ground was seen as expected; changed, where it was seen from the first
    flagged observation of a confirmed change on. Lazy if the inputs are.
    """
    first = detections[FIRST_FLAGGED.name].reset_coords(drop=True)
    days = read_status["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
    day = xr.DataArray(days, dims="time", coords={"time": read_status["time"]})
    is_changed = (first != NO_DATE) & (day >= first)
    state = xr.full_like(read_status, SEEN_OBSCURED)
    state = state.where(read_status != UNREAD, SEEN_UNREAD)
    state = state.where(read_status != NOT_COVERED, NOT_COVERED)
    seen = xr.full_like(read_status, SEEN_CLEAR).where(~is_changed, SEEN_CHANGED)
    state = state.where(~is_clear, seen).transpose("time", "y", "x").astype(SEEN.dtype)
    kept = {key: value for key, value in read_status.attrs.items() if key == "grid_mapping"}
    return state.rename(SEEN.name).assign_attrs({**SEEN.attrs, **kept})


def blindness(
    detections: xr.Dataset, snapshots: Sequence[Snapshot], *, region: BaseGeometry | None = None
) -> pd.DataFrame:
    """Say how long each feature of the layers went without a clear view.

    The detections are read block by block, each once.

    Parameters
    ----------
    detections
        ``n_clear`` [1] and ``max_gap_days`` [days], dims (y, x), as stored; may be lazy.
    snapshots
        Layers; those of areas count, roads, rivers and external alerts don't.
    region
        What was watched, EPSG:4326; None: the whole grid.

    Returns
    -------
    `BLINDNESS_DTYPES`, a row a feature that was watched at least in part, sorted by layer and
    falling ``median_blind_days``. A pixel's blind days are the longest time within the monitoring
    period in which it wasn't seen clear; median, 90th percentile and maximum are over the pixels of
    the feature whose centre lies in it. ``never_seen_share`` is the share of those never seen.
    """
    geobox = raster_geobox(detections[MAX_GAP_DAYS.name])
    features = watched_areas(snapshots, geobox, region)
    gaps: Lookup = {number: Counter() for number in range(len(features))}
    n_unseen = np.zeros(len(features), np.int64)
    index = shapely.STRtree(features.geometry.to_numpy())
    wanted = detections[[MAX_GAP_DAYS.name, N_CLEAR.name]].reset_coords(drop=True)
    for y, x in raster_blocks(detections[MAX_GAP_DAYS.name]):
        place = geobox[y, x]
        near = index.query(place.extent.geom, predicate="intersects")
        if not near.size:
            continue
        block = wanted.isel(y=y, x=x).compute()
        days, n_clear = (block[name.name].to_numpy() for name in (MAX_GAP_DAYS, N_CLEAR))
        for number in np.sort(near).tolist():
            inside = pixels_inside(features.geometry.iloc[number], place)
            values, counts = np.unique(days[inside], return_counts=True)
            gaps[number].update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
            n_unseen[number] += np.count_nonzero(n_clear[inside] == 0)
    return blindness_table(features, gaps, n_unseen, abs(geobox.affine.determinant))


def watched_areas(
    snapshots: Sequence[Snapshot], geobox: GeoBox, region: BaseGeometry | None
) -> gpd.GeoDataFrame:
    """Return the features of area layers within what was watched, in the CRS of the grid."""
    parts = [
        snapshot.features[["code", "name", "geometry"]].assign(
            layer=snapshot.layer.name, role=snapshot.layer.role.value
        )
        for snapshot in snapshots
        if snapshot.layer.relation is Relation.OVERLAP
    ]
    names = ["layer", "role", "code", "name", "geometry"]
    if not parts:
        return gpd.GeoDataFrame({name: [] for name in names}, geometry="geometry", crs=geobox.crs)
    features = pd.concat(parts, ignore_index=True)[names].to_crs(geobox.crs)
    watched = geobox.extent.geom
    if region is not None:
        watched = watched & gpd.GeoSeries([region], crs=4326).to_crs(geobox.crs).iloc[0]
    features["geometry"] = features.geometry.intersection(watched)
    return features[~features.geometry.is_empty].reset_index(drop=True)


def pixels_inside(geometry: BaseGeometry, place: GeoBox) -> BoolArray:
    """Return which pixels' centres lie in a geometry."""
    inside: BoolArray = geometry_mask(
        [geometry], out_shape=place.shape.yx, transform=place.affine, invert=True
    )
    return inside


def blindness_table(
    features: gpd.GeoDataFrame, gaps: Lookup, n_unseen: npt.NDArray[np.int64], pixel_m2: float
) -> pd.DataFrame:
    """Return `BLINDNESS_DTYPES` from the days of each feature's pixels, how many of each."""
    rows = []
    for number, feature in enumerate(features.drop(columns="geometry").to_dict("records")):
        days = np.array(sorted(gaps[number]), np.int64)
        counts = np.array([gaps[number][day] for day in days.tolist()], np.int64)
        n_pixels = int(counts.sum())
        if n_pixels:
            upto = np.cumsum(counts)
            median, p90 = (days[np.searchsorted(upto, part * n_pixels)] for part in (0.5, 0.9))
            rows.append(
                {
                    **feature,
                    "area_km2": n_pixels * pixel_m2 / 1e6,
                    "never_seen_share": n_unseen[number] / n_pixels,
                    "median_blind_days": median,
                    "p90_blind_days": p90,
                    "longest_blind_days": days[-1],
                }
            )
    table = pd.DataFrame(rows, columns=list(BLINDNESS_DTYPES)).astype(BLINDNESS_DTYPES)
    order = ["layer", "median_blind_days", "code", "name"]
    return table.sort_values(order, ascending=[True, False, True, True], ignore_index=True)
