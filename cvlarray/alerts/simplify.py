"""Outlines without the stairs of the pixels, neighbours simplified together."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox

from cvlarray.alerts.shapes import geographic

__all__ = ["simplify_outlines"]

FloatArray = npt.NDArray[np.float64]


def simplify_outlines(
    outlines: gpd.GeoSeries, geobox: GeoBox, *, tolerance_m: float
) -> gpd.GeoSeries:
    """Simplify the outlines of patches of pixels as one coverage.

    A border between two patches is simplified once and stays theirs both, so that no gap, overlap
    or crossing arises (Visvalingam-Whyatt on shared edges, `shapely.coverage_simplify`).

    Parameters
    ----------
    outlines
        (n,) polygons or multipolygons of pixels of the grid that don't overlap, EPSG:4326, as
        `cvlarray.alerts.shapes.geographic` rounds them.
    geobox
        The grid.
    tolerance_m
        Corners go whose triangle is smaller than this value squared [m]. Above 0.71 pixels the
        stairs along an oblique border go.

    Returns
    -------
    (n,) valid polygons or multipolygons, EPSG:4326.
    """
    if not len(outlines):
        return outlines
    corners = shapely.transform(
        outlines.to_crs(str(geobox.crs)).to_numpy(), lambda xy: _corner(xy, geobox)
    )
    # A vertex at every corner of a pixel: neighbours then share all of their border's.
    dense = shapely.transform(shapely.segmentize(corners, 1.0), np.round)
    pixel_m = float(np.sqrt(abs(geobox.affine.determinant)))
    simple = shapely.coverage_simplify(dense, tolerance_m / pixel_m)
    on_grid = shapely.transform(simple, lambda corner: _place(corner, geobox))
    found = geographic(gpd.GeoSeries(on_grid, crs=str(geobox.crs)))
    return found.set_axis(outlines.index)


def _corner(xy: FloatArray, geobox: GeoBox) -> FloatArray:
    """Return column and row of the corner of pixels at a place."""
    inverse = ~geobox.affine
    x, y = xy.T
    column = inverse.a * x + inverse.b * y + inverse.c
    row = inverse.d * x + inverse.e * y + inverse.f
    corners: FloatArray = np.round(np.column_stack((column, row)))
    return corners


def _place(corner: FloatArray, geobox: GeoBox) -> FloatArray:
    """Return the place of a corner of pixels."""
    forward = geobox.affine
    column, row = corner.T
    x = forward.a * column + forward.b * row + forward.c
    y = forward.d * column + forward.e * row + forward.f
    return np.column_stack((x, y))
