"""Areas of polygons on the WGS 84 ellipsoid, and how far they can be trusted."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

__all__ = ["area_m2", "area_uncertainty_m2"]

FloatArray = npt.NDArray[np.float64]

EQUAL_AREA_CRS = "EPSG:6933"
"""EASE-Grid 2.0, a cylindrical equal-area projection of the WGS 84 ellipsoid."""

MAX_EDGE_M = 1000.0
"""Longer edges are followed in steps: they are straight in their CRS, not in the projection."""

METRES_PER_DEGREE = 111_320.0

SMALL_AREA_M2 = 50_000.0
SMALL_RELATIVE_UNCERTAINTY = 0.15
"""±15 % below 5 ha: mixed pixels along the boundary of 10 m imagery."""

BOUNDARY_PX = 0.15 * SMALL_AREA_M2 / (4 * np.sqrt(SMALL_AREA_M2)) / 10
"""Half-width of the band of doubt along a boundary [pixels], 0.84: what makes a square of 5 ha in
10 m pixels uncertain by 15 %, so that the two rules meet there."""


def area_m2(geometry: gpd.GeoSeries) -> FloatArray:
    """Return areas on the WGS 84 ellipsoid.

    Edges are straight lines in the CRS of the geometries; they are densified to at most 1 km and
    projected to an equal-area projection (EPSG:6933), whose plane area is the ellipsoid's.

    Parameters
    ----------
    geometry
        Polygons or multipolygons with a CRS.

    Returns
    -------
    (n,) square metres; 0 for missing or empty geometries.

    Raises
    ------
    ValueError
        If there is no CRS.
    """
    projected = _dense(geometry).to_crs(EQUAL_AREA_CRS)
    areas: FloatArray = np.nan_to_num(projected.area.to_numpy())
    return areas


def area_uncertainty_m2(
    geometry: gpd.GeoSeries, areas_m2: npt.ArrayLike, *, pixel_m: float
) -> FloatArray:
    """Return the half-width of the uncertainty of areas found in a raster.

    Below 5 ha it is 15 % of the area. From there on it is a band of 0.84 pixels on either side of
    the boundary, which is 15 % for a square of 5 ha and falls with the square root of the area; for
    ragged shapes, whose boundary is longer, it is larger, but never more than 15 %.

    Parameters
    ----------
    geometry
        Polygons in a CRS with metre axes, so that their length is the boundary's.
    areas_m2
        (n,) their areas.
    pixel_m
        Pixel size of the raster [m].

    Raises
    ------
    ValueError
        If the CRS isn't projected.
    """
    if geometry.crs is None or not geometry.crs.is_projected:
        raise ValueError(
            f"boundaries are measured in a projected CRS, got {geometry.crs}; "
            "pass the geometry on the raster's grid"
        )
    areas = np.asarray(areas_m2, np.float64)
    at_most = SMALL_RELATIVE_UNCERTAINTY * areas
    band = BOUNDARY_PX * pixel_m * geometry.length.to_numpy()
    return np.where(areas < SMALL_AREA_M2, at_most, np.minimum(at_most, band))


def _dense(geometry: gpd.GeoSeries) -> gpd.GeoSeries:
    """Return geometries without long edges."""
    if geometry.crs is None:
        raise ValueError("areas need a CRS, got none; set it with geometry.set_crs(...)")
    unit_m = METRES_PER_DEGREE if geometry.crs.is_geographic else _metres_per_unit(geometry)
    dense = shapely.segmentize(geometry.to_numpy(), MAX_EDGE_M / unit_m)
    return gpd.GeoSeries(dense, crs=geometry.crs)


def _metres_per_unit(geometry: gpd.GeoSeries) -> float:
    return float(geometry.crs.axis_info[0].unit_conversion_factor)
