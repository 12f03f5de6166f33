"""Where a scene lies: its footprint in longitude and latitude, also across the antimeridian."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache, partial
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
        (more than 180° wide) is taken the short way round and cut in two; one that runs round a
        pole, or is a box from -180 to 180, has the pole, or the box, in it.

    Returns
    -------
    Polygon, or MultiPolygon of at least two parts; longitudes in [-180, 180].

    Raises
    ------
    ValueError
        If it is no polygon, is empty, or its coordinates are not degrees.
    """
    try:
        text = json.dumps(dict(geometry))
    except (TypeError, ValueError) as error:
        raise ValueError("has a geometry that is not GeoJSON") from error
    return _footprint(text)


@lru_cache(maxsize=4096)
def _footprint(text: str) -> BaseGeometry:
    """Return the footprint of a geometry's JSON: those of one tile's scenes are often the same."""
    try:
        footprint = shapely.force_2d(shape(json.loads(text)))
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


@lru_cache(maxsize=4096)
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
    polar = [polygon for polygon in map(_with_pole, parts) if polygon is not None]
    if len(polar) == len(parts):
        return _polygons(shapely.union_all([_wrapped(polygon) for polygon in polar]))
    whole = shapely.make_valid(_east_positive(footprint))
    if whole.area == 0:  # a box around the Earth: both of its sides are the antimeridian
        return _polygons(footprint)
    beyond = shapely.transform(whole.intersection(_WEST), lambda xy: xy - [360, 0])
    return _polygons(whole.intersection(_EAST).union(beyond))


def _with_pole(polygon: Polygon) -> Polygon | None:
    """Return a ring that runs round a pole as the area up to the pole; None if it doesn't."""
    xy = shapely.get_coordinates(polygon.exterior)
    longitude = np.unwrap(xy[:, 0], period=360)
    if abs(longitude[-1] - longitude[0]) < 180:
        return None
    pole = np.copysign(90.0, xy[:, 1].mean())
    edge = [(longitude[-1], pole), (longitude[0], pole)]
    return Polygon([*np.column_stack([longitude, xy[:, 1]]), *edge])


def _wrapped(footprint: BaseGeometry) -> BaseGeometry:
    """Return a footprint that leaves [-180, 180] by up to two turns, moved into it."""
    world = box(-180, -90, 180, 90)
    turns = [
        shapely.transform(footprint, partial(np.add, [turn, 0])) for turn in range(-720, 721, 360)
    ]
    return shapely.union_all(shapely.intersection(turns, world))


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
