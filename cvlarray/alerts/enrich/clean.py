"""From the rows of an official source to features that can be computed with."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from cvlarray.alerts.enrich.external import EXTERNAL_COLUMNS
from cvlarray.alerts.enrich.layer import Columns, Layer, LayerError, Reader, Relation, Role
from cvlarray.alerts.enrich.status import licence_status

__all__ = ["FEATURE_DTYPES", "clean_features", "split_names"]

log = logging.getLogger(__name__)

FEATURE_DTYPES = {
    "code": "string",
    "name": "string",
    "category": "string",
    "status": "string",
    "licence": "string",
    "department": "string",
    "province": "string",
    "district": "string",
    "legal_area_ha": "float64",
    "dated_from": "datetime64[ms]",
    "dated_to": "datetime64[ms]",
    "confidence": "string",
}
"""Columns of a layer's features, beside ``geometry`` in EPSG:4326."""

GeometryArray = npt.NDArray[np.object_]
GEOMETRYCOLLECTION = int(shapely.GeometryType.GEOMETRYCOLLECTION)

TEXTS = tuple(name for name, dtype in FEATURE_DTYPES.items() if dtype == "string")

SEPARATOR = " / "
"""Between the values of one attribute, as in JULCAN / SANTIAGO DE CHUCO."""

MAX_EDGE_M = 1000.0
"""Longer edges of projected data are followed in steps: they are straight in their own CRS."""

DAY_FIRST = r"\d{1,2}/\d{1,2}/\d{4}"
LONGITUDE_LATITUDE = (-180.0, -90.0, 180.0, 90.0)
ROUNDING_DEG = 1e-6


def clean_features(frames: tuple[gpd.GeoDataFrame, ...], layer: Layer) -> gpd.GeoDataFrame:
    """Bring a layer's rows to one table of valid features.

    Rows without geometry are left out, invalid rings repaired, every frame brought to EPSG:4326,
    and rows that share a code merged to one feature (their geometries united, so that a concession
    that two files have isn't counted twice; attributes that differ joined by " / ").

    Parameters
    ----------
    frames
        Rows of the source, each frame in its own CRS.
    layer
        Says which columns mean what, and which rows to keep.

    Returns
    -------
    `FEATURE_DTYPES` and ``geometry`` (EPSG:4326), in the order of first appearance, numbered from
    0. ``licence`` is a `LicenceStatus` for concessions and missing elsewhere.

    Raises
    ------
    LayerError
        If a declared column is missing, coordinates aren't degrees, or nothing is left.
    """
    parts = [_one_frame(frame, layer) for frame in frames]
    rows = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    if not len(rows):
        raise LayerError(
            f"layer {layer.name!r} has no usable feature; check its file, keep and within"
        )
    features = _merge_codes(rows, layer)
    if layer.role is Role.CONCESSION:
        features["licence"] = [
            licence_status(None if pd.isna(raw) else raw, layer.status_words).value
            for raw in features["status"]
        ]
    return features.astype(FEATURE_DTYPES)


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a slash list: ``JULCAN / SANTIAGO DE CHUCO`` are two."""
    return tuple(name.strip() for name in text.split("/") if name.strip())


def _one_frame(frame: gpd.GeoDataFrame, layer: Layer) -> gpd.GeoDataFrame:
    _check_columns(frame, layer)
    for column, values in layer.keep.items():
        frame = frame[_texts(frame[column]).isin(values)]
    geometry = _geometry(frame, layer)
    usable = ~shapely.is_empty(geometry) & ~shapely.is_missing(geometry)
    if not usable.all():
        log.warning("layer %s: %d rows without geometry left out", layer.name, (~usable).sum())
    if layer.within is not None:
        usable &= shapely.intersects(geometry, shapely.box(*layer.within))
    attributes = _attributes(frame, layer)[usable].reset_index(drop=True)
    return gpd.GeoDataFrame(attributes, geometry=geometry[usable], crs="EPSG:4326")


def _check_columns(frame: gpd.GeoDataFrame, layer: Layer) -> None:
    declared = [name for name in layer.columns.model_dump().values() if name is not None]
    missing = [name for name in (*declared, *layer.keep) if name not in frame]
    if missing:
        there = [name for name in frame if name != frame.geometry.name]
        raise LayerError(f"layer {layer.name!r} must have columns {missing}, has {there}")


def _geometry(frame: gpd.GeoDataFrame, layer: Layer) -> GeometryArray:
    """Return valid geometries of the wanted dimension in EPSG:4326; empty where there are none."""
    series = frame.geometry
    if series.crs is not None and series.crs.is_projected:
        step = MAX_EDGE_M / series.crs.axis_info[0].unit_conversion_factor
        series = gpd.GeoSeries(shapely.segmentize(series.to_numpy(), step), crs=series.crs)
    degrees: GeometryArray = shapely.force_2d(series.to_crs(4326).to_numpy())
    _check_degrees(degrees, layer)
    invalid = ~shapely.is_valid(degrees) & ~shapely.is_missing(degrees)
    if invalid.any():
        log.info("layer %s: %d invalid geometries repaired", layer.name, invalid.sum())
        # "structure" unites overlapping parts, where "linework" would make them holes.
        degrees[invalid] = shapely.make_valid(
            degrees[invalid], method="structure", keep_collapsed=False
        )
    return _areas_only(degrees) if layer.relation is Relation.OVERLAP else degrees


def _check_degrees(geometry: GeometryArray, layer: Layer) -> None:
    bounds = shapely.bounds(geometry[~shapely.is_empty(geometry)])
    bounds = bounds[~np.isnan(bounds).all(axis=1)] if len(bounds) else bounds
    if not len(bounds):
        return
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    least_x, least_y, most_x, most_y = LONGITUDE_LATITUDE
    fits = (
        west >= least_x - ROUNDING_DEG
        and south >= least_y - ROUNDING_DEG
        and east <= most_x + ROUNDING_DEG
        and north <= most_y + ROUNDING_DEG
    )
    if not fits:  # NaN doesn't fit either
        raise LayerError(
            f"layer {layer.name!r} must be in degrees once in EPSG:4326, "
            f"got {west:.6g}..{east:.6g}, {south:.6g}..{north:.6g}; is its CRS the right one?"
        )


def _areas_only(geometry: GeometryArray) -> GeometryArray:
    """Drop points and lines, which have no area to overlap."""
    areal = geometry.copy()
    for index in np.flatnonzero(shapely.get_type_id(geometry) == GEOMETRYCOLLECTION):
        parts = shapely.get_parts(geometry[index])
        areal[index] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    areal[(shapely.get_dimensions(areal) != 2) & ~shapely.is_missing(areal)] = shapely.Polygon()
    return areal


def _attributes(frame: gpd.GeoDataFrame, layer: Layer) -> pd.DataFrame:
    columns = layer.columns
    if layer.reader is not Reader.VECTOR:
        given = frame[list(EXTERNAL_COLUMNS)]
        return pd.DataFrame(given).reindex(columns=list(FEATURE_DTYPES)).astype(FEATURE_DTYPES)
    sources: Mapping[str, str | None] = {
        name: getattr(columns, name) for name in TEXTS if name in Columns.model_fields
    }
    attributes = pd.DataFrame(index=frame.index, columns=list(FEATURE_DTYPES))
    for name, source in sources.items():
        if source is not None:
            attributes[name] = _texts(frame[source])
    if columns.legal_area_ha is not None:
        attributes["legal_area_ha"] = pd.to_numeric(frame[columns.legal_area_ha], errors="coerce")
    if columns.date is not None:
        dates = _dates(frame[columns.date], layer)
        attributes["dated_from"] = attributes["dated_to"] = dates
    return attributes.astype(FEATURE_DTYPES)


def _texts(values: pd.Series) -> pd.Series:
    """Return trimmed text; missing where empty, and 17 rather than 17.0 for whole numbers."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    text = values.astype("string").str.strip()
    return text.mask(text == "")


def _dates(values: pd.Series, layer: Layer) -> pd.Series:
    """Return days; numbers are milliseconds since 1970, as ArcGIS servers give them.

    Text is ISO 8601, or the day, month and year of a Peruvian table.
    """
    try:
        if pd.api.types.is_numeric_dtype(values):
            dates = pd.to_datetime(values, unit="ms", utc=True)
        elif values.dropna().astype(str).str.fullmatch(DAY_FIRST).all():
            dates = pd.to_datetime(values, utc=True, format="%d/%m/%Y")
        else:
            dates = pd.to_datetime(values, utc=True, format="ISO8601")
    except ValueError as error:
        raise LayerError(f"layer {layer.name!r} has a date it can't read: {error}") from error
    return dates.dt.tz_localize(None).dt.normalize().astype("datetime64[ms]")


def _merge_codes(rows: gpd.GeoDataFrame, layer: Layer) -> gpd.GeoDataFrame:
    """Make one feature of the rows that share a code; rows without code stay apart."""
    repeated = rows["code"].notna() & rows["code"].duplicated(keep=False)
    if not repeated.any() or layer.relation is Relation.MATCH:
        return rows
    first = rows.drop_duplicates("code").loc[lambda kept: kept["code"].notna()].index
    kept = rows[rows["code"].isna() | rows.index.isin(first)]
    groups = rows[repeated].groupby("code", sort=False)
    log.info("layer %s: %d rows merged to %d", layer.name, repeated.sum(), groups.ngroups)
    merged = kept.copy()
    for code, group in groups:
        index = group.index[0]
        merged.loc[index, "geometry"] = shapely.union_all(group.geometry.to_numpy())
        for name in TEXTS:
            values = group[name].dropna().unique()
            merged.loc[index, name] = SEPARATOR.join(values) if len(values) else pd.NA
        legal = group["legal_area_ha"].dropna()
        merged.loc[index, "legal_area_ha"] = legal.iloc[0] if len(legal) else np.nan
        if legal.nunique() > 1:
            log.warning("layer %s: code %s has several legal areas", layer.name, code)
    return merged.reset_index(drop=True)
