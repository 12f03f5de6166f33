"""Coordinates as people on the ground write them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

__all__ = ["Utm", "degrees_minutes_seconds", "outline_vertices", "utm"]

UTM_NORTH, UTM_SOUTH = 32600, 32700
DEGREES_PER_ZONE = 6
LETTERS = "CDEFGHJKLMNPQRSTUVWX"
"""Latitude bands of 8° from 80° S; the last is of 12°."""


class Utm(NamedTuple):
    """A point in WGS 84 / UTM."""

    zone: str
    """Number and letter of the latitude band, such as ``19L``."""
    easting_m: float
    northing_m: float


def utm(longitude: float, latitude: float, *, zone: int | None = None) -> Utm:
    """Return a point in UTM, in the zone it lies in or in the one given."""
    zone = zone or int((longitude + 180) // DEGREES_PER_ZONE) % 60 + 1
    epsg = (UTM_SOUTH if latitude < 0 else UTM_NORTH) + zone
    project = Transformer.from_crs("EPSG:4326", CRS.from_epsg(epsg), always_xy=True)
    easting, northing = project.transform(longitude, latitude)
    letter = LETTERS[min(max(int((latitude + 80) // 8), 0), len(LETTERS) - 1)]
    return Utm(f"{zone}{letter}", float(easting), float(northing))


def degrees_minutes_seconds(value: float, *, directions: str) -> str:
    """Return an angle as 12° 35′ 24.05″ S; ``directions`` are the letters of plus and minus."""
    hundredths = round(abs(value) * 360_000)
    minutes, rest = divmod(hundredths, 6_000)
    degrees, minutes = divmod(minutes, 60)
    letter = directions[0] if value >= 0 else directions[1]
    return f"{degrees}° {minutes:02d}′ {rest / 100:05.2f}″ {letter}"


def outline_vertices(geometry: BaseGeometry) -> list[tuple[float, float]]:
    """Return the (longitude, latitude) of the outer rings' vertices, each once a ring."""
    rings = [shapely.get_exterior_ring(part) for part in shapely.get_parts(geometry)]
    points = [shapely.get_coordinates(ring)[:-1] for ring in rings]
    return [(float(x), float(y)) for x, y in np.concatenate(points)]
