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

__all__ = [
    "geojson",
    "plain_value",
    "plain_values",
    "read_alerts",
    "with_lists",
    "write_alerts",
]

JSON_COLUMNS = ("jurisdiction", "reasoning", "agreement", "parents", "children")
"""Lists and mappings; in GeoParquet they are JSON text, since no two alerts' have the same keys."""


def write_alerts(alerts: gpd.GeoDataFrame, geojson_path: Path, parquet_path: Path) -> None:
    """Write alerts as GeoJSON (RFC 7946) and as GeoParquet, each whole or not at all.

    The same alerts give the same bytes. No alerts give valid files without features.

    Parameters
    ----------
    alerts
        What `cvlarray.alerts.build_alerts` returned; more columns are kept. Lists and mappings are
        JSON in both files.
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
    flat = {
        name: pd.Series([_json(value) for value in alerts[name]], alerts.index, "string")
        for name in JSON_COLUMNS
        if name in alerts
    }
    with replacing(parquet_path) as temporary:
        alerts.assign(**flat).to_parquet(temporary, index=False)
    write_atomic(geojson_path, text)


def read_alerts(path: Path) -> gpd.GeoDataFrame:
    """Return the alerts that `write_alerts` wrote as GeoParquet."""
    return with_lists(gpd.read_parquet(path))


def with_lists(alerts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return alerts with lists and mappings where they are JSON text."""
    lists = {
        name: pd.Series([_read(value) for value in alerts[name]], alerts.index, "object")
        for name in JSON_COLUMNS
        if name in alerts
    }
    return alerts.assign(**lists)


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
    columns = [plain_values(properties[name]) for name in properties]
    records = (dict(zip(properties, values, strict=True)) for values in zip(*columns, strict=True))
    for record, geometry in zip(records, alerts.geometry, strict=True):
        feature = {
            "type": "Feature",
            "id": record.get("event_id"),
            "geometry": shapely.geometry.mapping(shapely.orient_polygons(geometry)),
            "properties": record,
        }
        yield _json(feature)


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def plain_values(column: pd.Series) -> list[Any]:
    """Return a column as `plain_value` has its cells; plain dtypes at once."""
    kind = column.dtype.kind
    if kind in "iub" and isinstance(column.dtype, np.dtype):
        return column.tolist()
    if kind == "f" and isinstance(column.dtype, np.dtype):
        return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124
    if kind == "M" and isinstance(column.dtype, np.dtype):
        days = column.to_numpy().astype("datetime64[D]").astype(str).tolist()
        return [None if day == "NaT" else day for day in days]
    return [value if type(value) is str else plain_value(value) for value in column]


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
