"""The pixels around an alert."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rasterio.features
from odc.geo.geobox import GeoBox
from shapely.affinity import affine_transform
from shapely.geometry.base import BaseGeometry

from cvlarray.grid import project

__all__ = ["AlertWindow", "alert_window", "in_pixels"]

MARGIN_PX = 8
"""Pixels around a large alert."""

ROUNDING_PX = 0.01
"""Alerts in degrees are rounded, so their edges lie this far from the pixels'."""


@dataclass(frozen=True)
class AlertWindow:
    """A rectangle of a grid with an alert in its middle."""

    y: slice
    """Pixel rows of the grid."""
    x: slice
    """Pixel columns of the grid."""
    geobox: GeoBox
    """Grid of the window."""
    outline: BaseGeometry
    """The alert in the CRS of the grid."""
    is_inside: npt.NDArray[np.bool_]
    """(y, x) of the window: pixels whose centre lies in the alert."""


def alert_window(geometry: BaseGeometry, geobox: GeoBox, *, size_px: int = 1) -> AlertWindow:
    """Return the window of a grid around an alert.

    Parameters
    ----------
    geometry
        Polygon of the alert, EPSG:4326.
    geobox
        Grid, north up.
    size_px
        Least height and width [pixels]; a larger alert gets all its pixels and a margin. The
        window is moved or cut where it would leave the grid.

    Raises
    ------
    ValueError
        If the alert isn't on the grid.
    """
    outline = project(geometry, "EPSG:4326", str(geobox.crs))
    col0, row0, col1, row1 = in_pixels(outline, geobox).bounds
    height, width = geobox.shape
    y, x = _span(row0, row1, size_px, height), _span(col0, col1, size_px, width)
    window = geobox[y, x]
    is_inside = rasterio.features.geometry_mask(
        [outline], out_shape=tuple(window.shape), transform=window.affine, invert=True
    )
    if not is_inside.any():
        raise ValueError(
            f"the alert at {geometry.centroid.wkt} isn't on the grid {geobox.extent.boundingbox}; "
            "use the grid that it was found on"
        )
    return AlertWindow(y, x, window, outline, is_inside)


def in_pixels(geometry: BaseGeometry, geobox: GeoBox) -> BaseGeometry:
    """Return a geometry in columns (x) and rows (y) of a grid, from its top left corner."""
    return affine_transform(geometry, (~geobox.affine).to_shapely())


def _span(first: float, last: float, size: int, limit: int) -> slice:
    """Return at least ``size`` pixels around an interval, inside [0, limit)."""
    extent = math.ceil(last - first - ROUNDING_PX)
    wanted = extent + 2 * MARGIN_PX if extent > size else size
    start = round((first + last - wanted) / 2)
    start = max(0, min(start, limit - wanted))
    return slice(start, min(start + wanted, limit))
