"""Alerts as files that other programs read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cvlarray.store import replacing, write_atomic

__all__ = ["geojson", "plain_value", "write_alerts"]


def write_alerts(alerts: gpd.GeoDataFrame, geojson_path: Path, parquet_path: Path) -> None:
    """Write alerts as GeoJSON (RFC 7946) and as GeoParquet, each whole or not at all.

    The same alerts give the same bytes. No alerts give valid files without features.

    Parameters
    ----------
    alerts
        What `cvlarray.alerts.build_alerts` returned; more columns are kept.
    geojson_path, parquet_path
        Files to write or replace.

    Raises
    ------
    StoreError
        If one can't be written; the old file is as it was.
    ValueError
        If the geometries aren't in EPSG:4326.
    """
    text = geojson(alerts)
    with replacing(parquet_path) as temporary:
        alerts.to_parquet(temporary, index=False)
    write_atomic(geojson_path, text)


def geojson(alerts: gpd.GeoDataFrame) -> str:
    """Return alerts as the text of a GeoJSON feature collection, one feature a line.

    Dates are ISO 8601 without time, missing values null; outer rings run counter-clockwise. The
    ``id`` of a feature is its ``event_id``.

    Raises
    ------
    ValueError
        If the geometries aren't in EPSG:4326.
    """
    if alerts.crs != "EPSG:4326":
        raise ValueError(f"GeoJSON is in EPSG:4326, got {alerts.crs}; use alerts.to_crs(4326)")
    features = ",\n".join(_features(alerts))
    return f'{{"type":"FeatureCollection","features":[\n{features}\n]}}\n'


def _features(alerts: gpd.GeoDataFrame) -> Iterator[str]:
    properties = alerts.drop(columns=alerts.geometry.name)
    for record, geometry in zip(properties.to_dict("records"), alerts.geometry, strict=True):
        feature = {
            "type": "Feature",
            "id": record.get("event_id"),
            "geometry": shapely.geometry.mapping(shapely.orient_polygons(geometry)),
            "properties": {name: plain_value(value) for name, value in record.items()},
        }
        yield json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def plain_value(value: Any) -> Any:
    """Return a cell of a table as JSON has it: missing as None, dates as ISO 8601."""
    if isinstance(value, np.ndarray):
        return [plain_value(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return value
