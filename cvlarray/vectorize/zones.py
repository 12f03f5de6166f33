"""Rasters in neighbouring UTM zones as one set of polygons, merged right across the meridian."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
import xarray as xr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cvlarray.vectorize.area import area_m2
from cvlarray.vectorize.polygons import Connectivity, raster_geobox, vectorize

__all__ = ["vectorize_zones"]

ZONE_DEGREES = 6
MAX_EDGE_M = 100.0
"""A straight edge in one zone is none in the other: at this length they part by less than a mm."""

GEOGRAPHIC = "EPSG:4326"

Geometries = npt.NDArray[np.object_]
KeyArray = npt.NDArray[np.int64]


def vectorize_zones(
    zones: Sequence[xr.DataArray],
    *,
    connectivity: Connectivity = 4,
    min_area_m2: float = 0.0,
    max_workers: int = 1,
) -> gpd.GeoDataFrame:
    """Turn patches of equal values into polygons, as if the rasters' zones had no border.

    Each raster counts up to the meridian between its zone and the next one, and is expected to
    reach over it by a pixel or more. What lies beyond is the other raster's: nothing is there
    twice, and nothing is missing between. As the two grids are turned against each other, values
    that change within a pixel of the meridian may leave parts of pixels there; ``min_area_m2``
    takes them away.

    Parameters
    ----------
    zones
        Integer rasters as for `vectorize`, one for each of one or more neighbouring UTM zones.
    connectivity
        4: pieces that share a part of the meridian belong together. 8: those that touch in a point
        of it, too.
    min_area_m2
        Smaller polygons are left out, once they are merged.
    max_workers
        Threads that trace blocks.

    Returns
    -------
    Columns ``value``, ``area_m2`` (on the ellipsoid) and ``geometry`` (EPSG:4326, valid), ordered
    from north to south and from west to east.

    Raises
    ------
    ValueError
        If there is no raster, one isn't in a UTM zone, or zones aren't neighbours, of one datum and
        hemisphere.
    """
    ordered = sorted(zones, key=lambda raster: _zone_of(raster)[1])
    _check_neighbours([_zone_of(raster) for raster in ordered])
    parts = []
    for number, raster in enumerate(ordered):
        west, east = _meridians(_zone_of(raster)[1], number, len(ordered))
        found = vectorize(raster, connectivity=connectivity, max_workers=max_workers)
        parts.append(_within(found, west, east))
    pieces = pd.concat(parts, ignore_index=True)
    group = _groups(pieces, connectivity)
    polygons = _united(pieces.geometry.to_numpy(), group)
    _, firsts = np.unique(group, return_index=True)
    table = gpd.GeoDataFrame(
        {"value": pieces["value"].to_numpy()[firsts]}, geometry=polygons, crs=GEOGRAPHIC
    )
    table.insert(1, "area_m2", area_m2(table.geometry))
    west, _, _, north = shapely.bounds(polygons).T
    kept = table.iloc[np.lexsort((west, -north))]
    return kept[kept["area_m2"] >= min_area_m2].reset_index(drop=True)


def _zone_of(raster: xr.DataArray) -> tuple[str, int]:
    """Return datum and hemisphere of a raster's CRS in one text, and the number of its zone."""
    crs = pyproj.CRS(str(raster_geobox(raster).crs))
    zone = crs.utm_zone
    if zone is None:
        raise ValueError(f"each raster must be in a UTM zone, got {crs.name}; use vectorize")
    datum = crs.datum.name if crs.datum else ""
    return f"{datum}, {zone[-1]}", int(zone[:-1])


def _check_neighbours(zones: Sequence[tuple[str, int]]) -> None:
    """Refuse zones that have no meridian in common."""
    names = [f"{zone} ({datum})" for datum, zone in zones]
    numbers = [zone for _, zone in zones]
    if not zones or len({datum for datum, _ in zones}) > 1:
        raise ValueError(f"zones must be of one datum and hemisphere, got {names or 'none'}")
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise ValueError(f"zones must be neighbours, each one raster, got {names}")


def _meridians(zone: int, number: int, n_zones: int) -> tuple[float, float]:
    """Return from where to where the raster ``number`` counts; the outer ones have all outside."""
    west = -180.0 + ZONE_DEGREES * (zone - 1)
    first, last = number == 0, number == n_zones - 1
    return -180.0 if first else west, 180.0 if last else west + ZONE_DEGREES


def _within(found: gpd.GeoDataFrame, west: float, east: float) -> gpd.GeoDataFrame:
    """Return what of the polygons lies between two meridians, in degrees, each part by itself."""
    geometry = found.geometry.to_numpy()
    dense = gpd.GeoSeries(shapely.segmentize(geometry, MAX_EDGE_M), crs=found.crs)
    degrees = dense.to_crs(GEOGRAPHIC).to_numpy()
    left, _, right, _ = shapely.bounds(degrees).T
    crosses = (left < west) | (right > east)
    degrees[crosses] = shapely.intersection(degrees[crosses], shapely.box(west, -90, east, 90))
    parts, owner = shapely.get_parts(degrees, return_index=True)
    is_area = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (
        shapely.area(parts) > 0
    )
    values = found["value"].to_numpy()[owner[is_area]]
    return gpd.GeoDataFrame({"value": values}, geometry=parts[is_area], crs=GEOGRAPHIC)


def _groups(pieces: gpd.GeoDataFrame, connectivity: Connectivity) -> KeyArray:
    """Return a number for each piece, the same for those that are one patch."""
    geometry, value = pieces.geometry.to_numpy(), pieces["value"].to_numpy()
    one, other = shapely.STRtree(geometry).query(geometry, predicate="intersects")
    is_pair = (one < other) & (value[one] == value[other])
    one, other = one[is_pair], other[is_pair]
    if connectivity == 4:
        common = shapely.intersection(geometry[one], geometry[other])
        shares_border = shapely.length(common) > 0
        one, other = one[shares_border], other[shares_border]
    links = coo_array((np.ones(one.size), (one, other)), shape=(len(pieces), len(pieces)))
    _, group = connected_components(links, directed=False)
    numbers: KeyArray = group.astype(np.int64)
    return numbers


def _united(geometry: Geometries, group: KeyArray) -> Geometries:
    """Return the union of each group, by its number."""
    order = np.argsort(group, kind="stable")
    firsts = np.searchsorted(group[order], np.arange(int(group.max(initial=-1)) + 1))
    sets = np.split(geometry[order], firsts[1:]) if group.size else []
    unions = np.empty(len(sets), object)
    for number, parts in enumerate(sets):
        unions[number] = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return unions
