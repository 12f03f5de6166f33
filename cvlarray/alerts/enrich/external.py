"""Alerts of other systems as features with a date and a confidence of their own."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
import rasterio.features
import shapely
from rasterio.warp import transform_bounds
from rasterio.windows import Window, from_bounds
from shapely.geometry.base import BaseGeometry

from cvlarray.alerts.enrich.layer import Reader

__all__ = [
    "EXTERNAL_COLUMNS",
    "READERS",
    "Bounds",
    "decode_gfw",
    "read_amazon_mining_watch",
    "read_gfw_csv",
    "read_gfw_raster",
    "read_mapbiomas",
]

EXTERNAL_COLUMNS = ("code", "dated_from", "dated_to", "confidence")
"""What every reader gives beside the geometry; dates are datetime64[ms], both included."""

GFW_EPOCH = np.datetime64("2014-12-31", "D")
GFW_CONFIDENCE = {2: "nominal", 3: "high", 4: "highest"}
"""GFW's words: nominal is low confidence, highest was seen by more than one system."""
GFW_PER_LEVEL = 10_000

BLOCK_PX = 4096

Bounds = tuple[float, float, float, float]

DateArray = npt.NDArray[np.datetime64]


def decode_gfw(values: npt.ArrayLike) -> tuple[DateArray, npt.NDArray[np.object_]]:
    """Return date and confidence of GFW alert pixels.

    Parameters
    ----------
    values
        (n,) integers, confidence × 10,000 + days since 2014-12-31. GFW's integrated, GLAD-L,
        GLAD-S2 and RADD rasters share the encoding.

    Returns
    -------
    (n,) datetime64[D], and (n,) text: nominal, high or highest.

    Raises
    ------
    ValueError
        If a value has another confidence than 2 to 4.
    """
    level, days = np.divmod(np.asarray(values, np.int64), GFW_PER_LEVEL)
    unknown = sorted(set(np.unique(level).tolist()) - set(GFW_CONFIDENCE))
    if unknown:
        raise ValueError(f"GFW confidence must be 2 to 4, got {unknown}")
    confidence = np.array([GFW_CONFIDENCE[item] for item in level.tolist()], object)
    return GFW_EPOCH + days, confidence


def read_gfw_raster(path: Path, within: Bounds | None = None) -> gpd.GeoDataFrame:
    """Read an alert raster as polygons of connected pixels of one date and confidence.

    The raster is read in blocks, so that a tile of 100,000 × 100,000 pixels fits; a patch that
    crosses their borders is several polygons.

    Parameters
    ----------
    path
        Raster of one band.
    within
        Read only this part: west, south, east, north in degrees.

    Returns
    -------
    `EXTERNAL_COLUMNS` and geometry, in the raster's CRS; ``code`` is None.

    Raises
    ------
    ValueError
        If a pixel isn't encoded as GFW does, or no pixel is an alert.
    OSError
        If the file isn't a raster.
    """
    with rasterio.open(path) as raster:
        if not np.issubdtype(raster.dtypes[0], np.integer):
            raise ValueError(f"a GFW raster must hold integers, got {raster.dtypes[0]}")
        shapes = [shape for window in _blocks(raster, within) for shape in _patches(raster, window)]
        crs = raster.crs
    if not shapes:
        raise ValueError(f"{path} has no alert{' there' if within else ''}")
    dates, confidence = decode_gfw([value for _, value in shapes])
    geometry = [shapely.geometry.shape(polygon) for polygon, _ in shapes]
    return _external(geometry, None, (dates, dates), confidence, crs)


def _blocks(raster: rasterio.DatasetReader, within: Bounds | None) -> Iterator[Window]:
    """Return windows of at most `BLOCK_PX` squared that cover the raster, or the part within."""
    part = Window(0, 0, raster.width, raster.height)
    if within is not None:
        bounds = transform_bounds("EPSG:4326", raster.crs, *within)
        (top, bottom), (left, right) = from_bounds(*bounds, transform=raster.transform).toranges()
        rows = max(0, math.floor(top)), min(raster.height, math.ceil(bottom))
        columns = max(0, math.floor(left)), min(raster.width, math.ceil(right))
        if rows[0] >= rows[1] or columns[0] >= columns[1]:
            return
        part = Window.from_slices(rows, columns)
    for row in range(0, int(part.height), BLOCK_PX):
        for column in range(0, int(part.width), BLOCK_PX):
            block = Window(part.col_off + column, part.row_off + row, BLOCK_PX, BLOCK_PX)
            yield block.intersection(part)


def _patches(raster: rasterio.DatasetReader, window: Window) -> list[tuple[Any, float]]:
    """Return polygon and value of the patches of alert pixels in a window."""
    band = raster.read(1, window=window)
    is_alert = (band != 0) if raster.nodata is None else (band != 0) & (band != raster.nodata)
    if not is_alert.any():
        return []
    transform = raster.window_transform(window)
    return list(rasterio.features.shapes(band.astype(np.int32), is_alert, transform=transform))


def read_gfw_csv(path: Path) -> gpd.GeoDataFrame:
    """Read a GFW download, whose columns are latitude, longitude, …__date and …__confidence.

    Raises
    ------
    ValueError
        If a column is missing, or there are two systems in one file.
    """
    rows = pd.read_csv(path)
    named = {suffix: _one_column(rows, suffix, path) for suffix in ("__date", "__confidence")}
    for axis in ("latitude", "longitude"):
        if axis not in rows:
            raise ValueError(f"{path} must have columns latitude and longitude, got {[*rows]}")
    points = gpd.points_from_xy(rows["longitude"], rows["latitude"])
    dates = pd.to_datetime(rows[named["__date"]], format="%Y-%m-%d").to_numpy()
    confidence = rows[named["__confidence"]].astype(object).to_numpy()
    return _external(points, None, (dates, dates), confidence, "EPSG:4326")


def _one_column(rows: pd.DataFrame, suffix: str, path: Path) -> str:
    found = [column for column in rows if str(column).endswith(suffix)]
    if len(found) != 1:
        raise ValueError(f"{path} must have one column …{suffix}, got {found} among {[*rows]}")
    return str(found[0])


def read_amazon_mining_watch(path: Path) -> gpd.GeoDataFrame:
    """Read Amazon Mining Watch polygons, dated by ``year`` (201800, 2024, 202502) or ``period``.

    A year stands for its twelve months, a quarter for its three, and 2018, the first, for all time
    up to its end (``dated_from`` is NaT). The polygons are patches of about 20 ha that contain
    mining; their area isn't the mined area.

    Raises
    ------
    ValueError
        If neither column is there, or a period can't be understood.
    """
    frame = _vector(path)
    column = next((name for name in ("year", "period") if name in frame), None)
    if column is None:
        raise ValueError(f"{path} must have a column year or period, got {[*frame]}")
    periods = [_period(value) for value in frame[column]]
    start = np.array([item[0] for item in periods], "datetime64[D]")
    end = np.array([item[1] for item in periods], "datetime64[D]")
    nobody = np.full(len(frame), None, object)
    return _external(frame.geometry.to_numpy(), None, (start, end), nobody, frame.crs)


FIRST_AMW_YEAR = 2018
"""Everything found up to its end is one cumulative period."""


def _period(value: object) -> tuple[np.datetime64, np.datetime64]:
    """Return first and last day of 2024, 202400, 202503 (a quarter) or 2025Q3."""
    text = str(value).strip().removesuffix(".0")
    parts = re.fullmatch(r"(\d{4})(?:Q?0?([0-4]))?", text)
    if parts is None:
        raise ValueError(f"a period of Amazon Mining Watch is like 202400 or 2025Q3, got {text!r}")
    year, quarter = int(parts[1]), int(parts[2] or 0)
    first_month, months = (3 * quarter - 2, 3) if quarter else (1, 12)
    start = np.datetime64(f"{year}-{first_month:02d}", "M")
    end = (start + months).astype("datetime64[D]") - 1
    if year == FIRST_AMW_YEAR and not quarter:
        return np.datetime64("NaT", "D"), end
    return start.astype("datetime64[D]"), end


def read_mapbiomas(path: Path) -> gpd.GeoDataFrame:
    """Read MapBiomas Alerta polygons with ``id`` and ``detected_at``.

    Raises
    ------
    ValueError
        If a column is missing, or a date can't be understood.
    """
    frame = _vector(path)
    missing = [name for name in ("id", "detected_at") if name not in frame]
    if missing:
        raise ValueError(f"{path} must have columns id and detected_at, got {[*frame]}")
    detected = pd.to_datetime(frame["detected_at"], format="ISO8601", utc=True)
    dates = detected.dt.tz_localize(None).to_numpy()
    codes = frame["id"].astype(str).to_numpy(object)
    nobody = np.full(len(frame), None, object)
    return _external(frame.geometry.to_numpy(), codes, (dates, dates), nobody, frame.crs)


def _vector(path: Path) -> gpd.GeoDataFrame:
    is_parquet = path.suffix.lower() in (".parquet", ".geoparquet")
    return gpd.read_parquet(path) if is_parquet else gpd.read_file(path)


def _external(
    geometry: Iterable[BaseGeometry],
    codes: npt.NDArray[np.object_] | None,
    dates: tuple[DateArray, DateArray],
    confidence: npt.NDArray[np.object_],
    crs: object,
) -> gpd.GeoDataFrame:
    columns = {
        "code": codes if codes is not None else np.full(len(confidence), None, object),
        "dated_from": dates[0].astype("datetime64[ms]"),
        "dated_to": dates[1].astype("datetime64[ms]"),
        "confidence": confidence,
    }
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)


READERS: Mapping[Reader, Callable[[Path], gpd.GeoDataFrame]] = {
    Reader.GFW_CSV: read_gfw_csv,
    Reader.AMAZON_MINING_WATCH: read_amazon_mining_watch,
    Reader.MAPBIOMAS: read_mapbiomas,
}
"""Readers of whole files; VECTOR is read by declared columns instead."""
