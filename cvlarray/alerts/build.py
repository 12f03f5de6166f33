"""From detections to alerts: one row for each change, with its polygon, dates, area and name."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox

from cvlarray.alerts.candidates import Candidates, find_candidates, group_changes
from cvlarray.alerts.days import dates_of
from cvlarray.alerts.identity import event_id
from cvlarray.alerts.shapes import geographic, label_polygons
from cvlarray.names import NO_DATE
from cvlarray.vectorize import Connectivity, area_m2, area_uncertainty_m2, raster_geobox

__all__ = ["ALERT_DTYPES", "UNASSIGNED", "build_alerts"]

ALERT_DTYPES = {
    "event_id": "string",
    "class": "string",
    "confidence": "float64",
    "first_detected": "datetime64[ms]",
    "confirmed": "datetime64[ms]",
    "interval_start": "datetime64[ms]",
    "interval_end": "datetime64[ms]",
    "area_m2": "float64",
    "area_uncertainty_m2": "float64",
    "sensor": "string",
    "priority": "string",
    "magnitude": "float64",
    "n_pixels": "int64",
}
"""Columns of an alerts table, beside ``geometry`` in EPSG:4326."""

UNASSIGNED = "unassigned"
"""Priority of an alert that hasn't been held against any layer yet."""

KeyArray = npt.NDArray[np.int64]


def build_alerts(
    detections: xr.Dataset,
    *,
    min_area_m2: float = 0.0,
    min_confidence: float = 0.0,
    connectivity: Connectivity = 4,
    max_gap_days: int = 120,
    class_name: str = "forest_disturbance",
    sensor: str = "sentinel-2",
) -> gpd.GeoDataFrame:
    """Turn detections into alerts, one for each connected change.

    The detections are read block by block (their Dask chunks); the result doesn't depend on them.

    Parameters
    ----------
    detections
        `cvlarray.names.DETECTION_VARIABLES`, dims (y, x), on a projected regular grid, as stored
        or decoded; may be lazy.
    min_area_m2
        Minimum mapping unit: smaller alerts are left out.
    min_confidence
        Pixels of less confidence (0 to 1) are left out first.
    connectivity
        4: pixels that share an edge are one change. 8: those that share a corner, too.
    max_gap_days
        Neighbours flagged for the first time further apart don't belong together; see
        `cvlarray.alerts.candidates.group_changes`.
    class_name
        Class of all alerts.
    sensor
        What saw them.

    Returns
    -------
    Columns of `ALERT_DTYPES` and ``geometry`` (EPSG:4326), ordered by ``first_detected`` and
    ``event_id``. Over the pixels of an alert, ``first_detected`` and ``confirmed`` are the earliest
    dates; ``interval_start`` (NaT if never seen unchanged in the monitoring period) and
    ``interval_end`` are the earliest and the latest, so that the whole change lies between them;
    ``confidence`` and ``magnitude`` are medians. Areas are on the ellipsoid, with the uncertainty
    of `cvlarray.vectorize.area_uncertainty_m2`. ``priority`` is "unassigned".

    Raises
    ------
    ValueError
        If a variable is missing, or the grid isn't regular and projected.
    """
    candidates = find_candidates(detections, min_confidence=min_confidence)
    geobox = raster_geobox(detections["first_flagged"])
    changes = group_changes(candidates, connectivity=connectivity, max_gap_days=max_gap_days)
    geometry = label_polygons(
        candidates.row, candidates.col, changes, geobox, connectivity=connectivity
    )
    alerts = _describe(candidates, changes, geobox)
    alerts["area_m2"] = area_m2(geometry)
    pixel_m = float(np.sqrt(abs(geobox.affine.determinant)))
    alerts["area_uncertainty_m2"] = area_uncertainty_m2(
        geometry, alerts["area_m2"], pixel_m=pixel_m
    )
    alerts = alerts.assign(**{"class": class_name, "sensor": sensor, "priority": UNASSIGNED})
    table = gpd.GeoDataFrame(
        alerts[list(ALERT_DTYPES)].astype(ALERT_DTYPES), geometry=geographic(geometry)
    )
    table = table.round({"confidence": 4, "area_m2": 1, "area_uncertainty_m2": 1, "magnitude": 3})
    large = table[table["area_m2"] >= min_area_m2]
    return large.sort_values(["first_detected", "event_id"], ignore_index=True)


def _describe(candidates: Candidates, changes: KeyArray, geobox: GeoBox) -> pd.DataFrame:
    """Return the names, dates, medians and counts of the changes, in the order of their labels."""
    pixels = pd.DataFrame(vars(candidates)).assign(change=changes)
    days = ["interval_start", "interval_end"]
    pixels[days] = pixels[days].where(pixels[days] != NO_DATE)
    grouped = pixels.groupby("change", sort=True)
    alerts = grouped.agg(
        first_detected=("first_flagged", "min"),
        confirmed=("confirmed", "min"),
        interval_start=("interval_start", "min"),
        interval_end=("interval_end", "max"),
        confidence=("confidence", "median"),
        magnitude=("magnitude", "median"),
        n_pixels=("row", "size"),
    )
    dates = ["first_detected", "confirmed", *days]
    for name in dates:
        alerts[name] = dates_of(alerts[name])
    anchors = pixels.sort_values("first_flagged", kind="stable").groupby("change").first()
    alerts["event_id"] = [
        event_id(geobox, row, col, np.datetime64(int(day), "D"))
        for row, col, day in zip(
            anchors["row"], anchors["col"], anchors["first_flagged"], strict=True
        )
    ]
    return alerts.reset_index(drop=True)
