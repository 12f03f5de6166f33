"""Where a scene lies: its footprint in longitude and latitude, also across the antimeridian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, box, shape
from shapely.geometry.base import BaseGeometry

_EAST, _WEST = box(0, -90, 180, 90), box(180, -90, 360, 90)


def read_footprint(geometry: Mapping[str, Any]) -> BaseGeometry:
    """Return a GeoJSON geometry as a valid footprint.

    Parameters
    ----------
    geometry
        GeoJSON Polygon or MultiPolygon in EPSG:4326. A ring that runs across the antimeridian
        (more than 180° wide) is taken the short way round and cut in two.

    Returns
    -------
    Polygon, or MultiPolygon of at least two parts; longitudes in [-180, 180].

    Raises
    ------
    ValueError
        If it is no polygon, is empty, or its coordinates are not degrees.
    """
    try:
        footprint = shapely.force_2d(shape(dict(geometry)))
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, ShapelyError) as error:
        raise ValueError("has a geometry that is not GeoJSON") from error
    if footprint.is_empty or not isinstance(footprint, Polygon | MultiPolygon):
        raise ValueError(f"has a {footprint.geom_type} geometry, expected an area (Polygon)")
    west, south, east, north = footprint.bounds
    if not (west >= -360 and east <= 360 and south >= -90 and north <= 90):
        raise ValueError(f"has a geometry not in degrees: bounds {footprint.bounds}")
    footprint = _within_180(footprint)
    footprint = footprint if footprint.is_valid else _polygons(shapely.make_valid(footprint))
    if footprint.is_empty:
        raise ValueError("has a geometry without area")
    return footprint


def central_longitude(footprint: BaseGeometry) -> float:
    """Return the longitude of the footprint's centroid, in [-180, 180) degrees east."""
    longitudes = shapely.get_coordinates(footprint)[:, 0]
    if np.ptp(longitudes) > 180:
        footprint = _east_positive(footprint)
    centre = float(footprint.centroid.x)
    return (centre + 180) % 360 - 180


def _within_180(footprint: BaseGeometry) -> BaseGeometry:
    """Cut a footprint that leaves [-180, 180], or spans it the long way, at the antimeridian."""
    parts = shapely.get_parts(footprint)
    widths = shapely.bounds(parts)[:, 2] - shapely.bounds(parts)[:, 0]
    west, _, east, _ = footprint.bounds
    if west >= -180 and east <= 180 and widths.max() <= 180:
        return _polygons(footprint)
    whole = shapely.make_valid(_east_positive(footprint))
    beyond = shapely.transform(whole.intersection(_WEST), lambda xy: xy - [360, 0])
    return _polygons(whole.intersection(_EAST).union(beyond))


def _east_positive(footprint: BaseGeometry) -> BaseGeometry:
    """Return the footprint with longitudes counted 0 to 360 degrees east."""
    return shapely.transform(footprint, lambda xy: np.column_stack([xy[:, 0] % 360, xy[:, 1]]))


def _polygons(geometry: BaseGeometry) -> BaseGeometry:
    """Keep what has an area; one part alone is a Polygon."""
    parts = [
        polygon
        for part in shapely.get_parts(geometry)
        for polygon in shapely.get_parts(part)
        if isinstance(polygon, Polygon) and not polygon.is_empty
    ]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
