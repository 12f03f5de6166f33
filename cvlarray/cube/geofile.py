"""Open a scene's file, hold it against what the catalogue says, and try again where it fails."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from cvlarray.cube.access import GdalPath, forget, in_environment, opening, without_queries
from cvlarray.cube.align import Alignment, align
from cvlarray.errors import ReadError
from cvlarray.sensors import Asset

T = TypeVar("T")

GDAL_OPTIONS = {
    # A folder listing per file costs a request and finds nothing that belongs to a COG.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_TIMEOUT": "120",
    # A connection that has gone quiet is given up long before that.
    "GDAL_HTTP_LOW_SPEED_TIME": "20",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1000",
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}
"""For the reading thread only. CPL_VSIL_CURL_USE_HEAD stays on: off, GDAL fetches whole files."""

DRIVERS = ("GTiff", "COG", "JP2OpenJPEG")
"""What a scene's file may be; a VRT or a web page is not one."""

RETRY_AFTER_S = (0.1, 0.4)
"""Waits before the second and the third try of a file."""


UNREADABLE = (RasterioError, OSError, NotGeoreferencedWarning)
"""What rasterio raises for a file that is missing, broken, or no raster."""


_RETRIED: ContextVar[set[str] | None] = ContextVar("_RETRIED", default=None)


@contextmanager
def noting_retries() -> Iterator[set[str]]:
    """Yield the hrefs of the files that needed another try in this thread, as they come."""
    noted: set[str] = set()
    token = _RETRIED.set(noted)
    try:
        yield noted
    finally:
        _RETRIED.reset(token)


def with_retries(asset: Asset, read: Callable[[GdalPath], T]) -> T:
    """Return what ``read`` returns of a file's path for GDAL, after up to three tries.

    Each try has the file's keys or token in this thread's GDAL, and asks its server anew.

    Raises
    ------
    ReadError
        If the last try fails too, or at once where the file is read but isn't what was promised.
    AccessError
        If keys that the file needs are not in the environment.
    """
    for wait_s in (*RETRY_AFTER_S, None):
        opened = opening(asset)
        try:
            with in_environment(opened):
                return read(opened.path)
        except UNREADABLE as error:
            forget(asset, opened)
            if wait_s is None:
                raise ReadError(reason(error)) from error
            noted = _RETRIED.get()
            if noted is not None:
                noted.add(asset.href)
            time.sleep(wait_s)
    raise AssertionError("the last try returns or raises")


@contextmanager
def open_checked(path: GdalPath, asset: Asset, crs: str | None) -> Iterator[rasterio.DatasetReader]:
    """Open a file and hold it against what the catalogue says.

    Parameters
    ----------
    path
        Where GDAL finds the file.
    asset
        What the catalogue says of it.
    crs
        What the catalogue says its CRS is; None if nothing.

    Raises
    ------
    ReadError
        If it is no GeoTIFF, has other bands or no usable grid, or lies elsewhere than promised.
    """
    with rasterio.open(path) as dataset:
        if dataset.driver not in DRIVERS:
            raise ReadError(f"is {dataset.driver}, expected a GeoTIFF")
        if dataset.count != asset.n_bands:
            raise ReadError(f"has {dataset.count} bands, expected {asset.n_bands}")
        if dataset.crs is None:
            raise ReadError("has no CRS")
        transform = dataset.transform
        if not all(map(math.isfinite, transform[:6])) or transform.determinant == 0:
            raise ReadError(f"has no usable geotransform, got {tuple(transform[:6])}")
        if asset.shape and asset.shape != dataset.shape:
            raise ReadError(f"is {dataset.shape} pixels, the catalogue says {asset.shape}")
        if asset.transform and not _same_place(transform, asset.transform):
            said = tuple(asset.transform)
            raise ReadError(f"lies at {tuple(transform[:6])}, the catalogue says {said}")
        if crs and not _same_crs(crs_text(dataset.crs.to_wkt()), crs):
            raise ReadError(
                f"is in {crs_text(dataset.crs.to_wkt())[:60]}, the catalogue says {crs}"
            )
        yield dataset


def _same_place(transform: Affine, said: tuple[float, ...]) -> bool:
    """Whether two geotransforms differ by less than a hundredth of a pixel."""
    pixel = max(abs(transform.a), abs(transform.b))
    corners = zip(transform[:6], said, strict=True)
    return all(abs(one - other) < 0.01 * pixel for one, other in corners) and math.isclose(
        transform.a, said[0], rel_tol=1e-6
    )


@lru_cache(maxsize=256)
def crs_text(wkt: str) -> str:
    """Return ``EPSG:…`` where a file's CRS is known to be that, else its WKT."""
    epsg = CRS.from_wkt(wkt).to_epsg()
    return f"EPSG:{epsg}" if epsg else wkt


@lru_cache(maxsize=256)
def _same_crs(one: str, other: str) -> bool:
    """Whether two texts name the same CRS."""
    return one == other or CRS(one).equals(CRS(other), ignore_axis_order=True)


def with_own_nodata(asset: Asset, dataset: rasterio.DatasetReader) -> Asset:
    """Return the asset with the file's own nodata, if it has one and bits don't say it already."""
    nodata = dataset.nodata
    if nodata is None or nodata == asset.nodata or asset.fill_bits is not None:
        return asset
    return replace(asset, nodata=nodata)


def file_alignment(dataset: rasterio.DatasetReader, geobox: GeoBox) -> Alignment | None:
    """Return how a file lies under a block; None if its pixels have to be interpolated."""
    if not _same_crs(crs_text(dataset.crs.to_wkt()), str(geobox.crs)):
        return None
    return align(dataset.transform, dataset.shape, geobox)


def reason(error: Exception) -> str:
    """Return an error's deepest cause in one line, without the query of a signed URL."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    text = " ".join(str(cause).split()) or type(cause).__name__
    return without_queries(text)
