"""The pixel grid of a run: one GeoBox, and the tiles that are its units of work."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo import CRS
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry

__all__ = ["Tile", "outline", "outlines", "project", "region_geobox", "tiles", "transformer"]

_EDGE_STEP_DEG = 0.01
"""Straight edges in degrees bend in the projection, so they are followed in steps of about 1 km."""

_SNAP_PX = 0.01
"""An edge this close to a pixel border lies on it, so rounding never adds a row or column."""


@dataclass(frozen=True)
class Tile:
    """One unit of work: a rectangle of the run's grid."""

    name: str
    """Row and column in the tile grid, such as ``r003c012``."""
    row: int
    """Tile row, from the top."""
    col: int
    """Tile column, from the left."""
    y: slice
    """Pixel rows of the whole grid, start and stop."""
    x: slice
    """Pixel columns of the whole grid, start and stop."""
    geobox: GeoBox
    """The grid of the tile's own pixels."""


def region_geobox(
    region: BaseGeometry,
    *,
    crs: str,
    resolution_m: float,
    anchor_m: tuple[float, float] = (0, 0),
) -> GeoBox:
    """Return the smallest grid that covers a region.

    Parameters
    ----------
    region
        Polygon or multipolygon, EPSG:4326 (longitude, latitude in degrees).
    crs
        Projected coordinate reference system with metre axes, such as ``"EPSG:32719"``.
    resolution_m
        Pixel size [m].
    anchor_m
        A point (x, y) [m] that lies on a pixel corner: (0, 0) for Sentinel-2,
        (15, 15) for 30 m Landsat.

    Returns
    -------
    North-up grid whose pixel edges are ``anchor_m`` plus multiples of ``resolution_m``.

    Raises
    ------
    ValueError
        If the resolution isn't positive, the CRS isn't in metres, the region has no area, or it
        lies where the CRS isn't defined.
    """
    if not (math.isfinite(resolution_m) and resolution_m > 0):
        raise ValueError(f"resolution_m must be a positive number of metres, got {resolution_m}")
    if not all(math.isfinite(value) for value in anchor_m):
        raise ValueError(f"anchor_m must be two finite numbers, got {anchor_m}")
    left, bottom, right, top = _projected_bounds(region, _metre_crs(crs))
    x0, x1 = _snap(left, right, resolution_m, anchor_m[0])
    y0, y1 = _snap(bottom, top, resolution_m, anchor_m[1])
    shape = round((y1 - y0) / resolution_m), round((x1 - x0) / resolution_m)
    return GeoBox(shape, Affine(resolution_m, 0, x0, 0, -resolution_m, y1), crs)


def tiles(geobox: GeoBox, tile_px: int) -> list[Tile]:
    """Cut a grid into square tiles, row by row from the top left.

    Parameters
    ----------
    geobox
        Grid of the run.
    tile_px
        Tile side [pixels]; the last row and column may be smaller.

    Returns
    -------
    Tiles that cover every pixel once.

    Raises
    ------
    ValueError
        If ``tile_px`` isn't positive.
    """
    if tile_px < 1:
        raise ValueError(f"tile_px must be a positive number of pixels, got {tile_px}")
    height, width = geobox.shape
    return [
        _tile(geobox, row, col, tile_px)
        for row in range(math.ceil(height / tile_px))
        for col in range(math.ceil(width / tile_px))
    ]


@lru_cache(maxsize=128)
def transformer(source_crs: str, target_crs: str) -> Callable[..., Any]:
    """Return the function (x, y) -> (x, y) between two CRS, longitude before latitude.

    It is kept, because making one takes PROJ some ten milliseconds; any thread may call it.
    """
    found: Callable[..., Any] = Transformer.from_crs(
        source_crs, target_crs, always_xy=True
    ).transform
    return found


def project(geometry: BaseGeometry, source_crs: str, target_crs: str) -> BaseGeometry:
    """Return a geometry with its points in another CRS; its edges stay straight between them."""
    to_target = transformer(source_crs, target_crs)
    return shapely.transform(geometry, lambda xy: np.column_stack(to_target(*xy.T)))


def outline(geobox: GeoBox) -> BaseGeometry:
    """Return the edge of a grid, EPSG:4326; points along it follow its bend."""
    edge: BaseGeometry = outlines([geobox])[0]
    return edge


def outlines(geoboxes: Sequence[GeoBox]) -> NDArray[np.object_]:
    """Return the outlines of grids of one CRS: of ten thousand tiles in half a second."""
    if not geoboxes:
        return np.empty(0, object)
    edges = shapely.box(*np.array([geobox.boundingbox.bbox for geobox in geoboxes]).T)
    steps = [max(geobox.shape) * abs(geobox.affine.a) / 8 for geobox in geoboxes]
    to_degrees = transformer(str(geoboxes[0].crs), "EPSG:4326")
    projected: NDArray[np.object_] = shapely.transform(
        shapely.segmentize(edges, steps), lambda xy: np.column_stack(to_degrees(*xy.T))
    )
    return projected


def _tile(geobox: GeoBox, row: int, col: int, tile_px: int) -> Tile:
    """Return one tile, clipped to the grid."""
    height, width = geobox.shape
    y = slice(row * tile_px, min((row + 1) * tile_px, height))
    x = slice(col * tile_px, min((col + 1) * tile_px, width))
    return Tile(f"r{row:03d}c{col:03d}", row, col, y, x, geobox[y, x])


def _metre_crs(crs: str) -> CRS:
    """Return the CRS, which must be projected with metre axes."""
    try:
        parsed = CRS(crs)
    except CRSError as error:
        raise ValueError(f"crs must be a code such as EPSG:32719, got {crs!r}") from error
    if parsed.geographic or not parsed.projected:
        raise ValueError(f"crs must be projected for a grid in metres, got {crs}; try a UTM zone")
    if set(parsed.units) != {"metre"}:
        raise ValueError(f"crs must have axes in metres, got {crs} in {parsed.units[0]}")
    return parsed


def _projected_bounds(region: BaseGeometry, crs: CRS) -> tuple[float, float, float, float]:
    """Return left, bottom, right, top of the region in the CRS [m]."""
    if region.is_empty or region.area == 0:
        raise ValueError(f"region must have an area, got {shapely.to_wkt(region)[:80]}")
    left, bottom, right, top = region.bounds
    if not (-180 <= left <= right <= 180 and -90 <= bottom <= top <= 90):
        raise ValueError(f"region must be in degrees (longitude, latitude), got {region.bounds}")
    edges = shapely.segmentize(region, _EDGE_STEP_DEG)
    bounds = project(edges, "EPSG:4326", str(crs)).bounds
    if not all(math.isfinite(value) for value in bounds):
        raise ValueError(f"region {region.bounds} lies where {crs} isn't defined; take another crs")
    return bounds


def _snap(low: float, high: float, resolution: float, anchor: float) -> tuple[float, float]:
    """Widen an interval to whole pixels through the anchor."""
    first = math.floor((low - anchor) / resolution + _SNAP_PX)
    last = math.ceil((high - anchor) / resolution - _SNAP_PX)
    return anchor + first * resolution, anchor + max(last, first + 1) * resolution
