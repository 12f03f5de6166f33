"""The embedded backend: GeoPandas and shapely, no server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyproj import Geod, Transformer

from cvlarray.alerts.enrich.backend import (
    DISTANCE_CRS,
    MAX_EDGE_DEG,
    MIN_OVERLAP_M2,
    dense_edges,
    ground_area_m2,
    join_near,
    local_scale,
    relations,
)
from cvlarray.alerts.enrich.layer import Relation
from cvlarray.alerts.enrich.pieces import Pieces, cut_lines, cut_polygons
from cvlarray.alerts.enrich.snapshot import Snapshot

__all__ = ["GeoPandasBackend"]

FloatArray = npt.NDArray[np.float64]
GeometryArray = npt.NDArray[np.object_]
IndexArray = npt.NDArray[np.int64]

ELLIPSOID = Geod(ellps="WGS84")


class GeoPandasBackend:
    """Measures in memory. Indexes of a snapshot are built once and kept while it is in use."""

    def __init__(self) -> None:
        self._indexed: dict[str, _Index] = {}

    def measure(self, alerts: gpd.GeoSeries, snapshots: Sequence[Snapshot]) -> pd.DataFrame:
        """Hold alerts against layers; see `cvlarray.alerts.enrich.backend.Backend`."""
        shapes = _Alerts(alerts.reset_index(drop=True))
        self._indexed = {
            snapshot.key: self._indexed.get(snapshot.key) or _Index(snapshot)
            for snapshot in snapshots
        }
        tables = [_measure(shapes, self._indexed[snapshot.key]) for snapshot in snapshots]
        return relations(table.assign(layer=layer) for layer, table in enumerate(tables))


class _Alerts:
    """Alerts in the two planes, with what is measured of them once."""

    def __init__(self, degrees: gpd.GeoSeries) -> None:
        self._degrees = degrees
        self.geometry: GeometryArray = degrees.to_numpy()

    @cached_property
    def area_m2(self) -> FloatArray:
        return ground_area_m2(self.geometry)

    @cached_property
    def mercator(self) -> GeometryArray:
        return _in_distance_plane(self._degrees)

    @cached_property
    def scale(self) -> FloatArray:
        return local_scale(self._degrees)


class _Index:
    """A layer's features in pieces, in the two planes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.layer = snapshot.layer
        self._features: gpd.GeoSeries = snapshot.features.geometry

    @cached_property
    def areas(self) -> _Tree:
        """Pieces of the polygons in degrees."""
        geometry = self._features.to_numpy()
        areal = np.flatnonzero(shapely.get_dimensions(geometry) == 2)
        pieces = cut_polygons(geometry[areal])
        return _Tree(Pieces(pieces.geometry, areal[pieces.feature]))

    @cached_property
    def borders(self) -> _Tree:
        """Pieces of outlines, lines and points in the plane of distances."""
        return _Tree(cut_lines(_in_distance_plane(self._features)))


class _Tree:
    """Pieces and their index."""

    def __init__(self, pieces: Pieces) -> None:
        self.geometry, self.feature = pieces
        shapely.prepare(self.geometry)
        self._tree = shapely.STRtree(self.geometry)

    def intersecting(self, geometry: GeometryArray) -> tuple[IndexArray, IndexArray]:
        alert, piece = self._tree.query(geometry, predicate="intersects")
        return alert, piece

    def within(self, geometry: GeometryArray, distance: FloatArray) -> pd.DataFrame:
        """Return which alerts have which features nearer than a distance of their own."""
        alert, piece = self._tree.query(geometry, predicate="dwithin", distance=distance)
        pairs = pd.DataFrame({"alert": alert, "feature": self.feature[piece]})
        return pairs.drop_duplicates(ignore_index=True)

    def nearest(self, geometry: GeometryArray) -> tuple[IndexArray, IndexArray]:
        """Return the nearest piece of each alert; of several as near, that of the first feature."""
        alert, piece = self._tree.query_nearest(geometry, all_matches=True)
        order = np.lexsort((self.feature[piece], alert))
        alert, first = np.unique(alert[order], return_index=True)
        return alert, piece[order][first]


def _in_distance_plane(degrees: gpd.GeoSeries) -> GeometryArray:
    """Return geometries in Mercator, whose long edges follow those that are straight in degrees."""
    dense = dense_edges(degrees.to_numpy(), MAX_EDGE_DEG)
    plane: GeometryArray = gpd.GeoSeries(dense, crs=degrees.crs).to_crs(DISTANCE_CRS).to_numpy()
    return plane


def _measure(alerts: _Alerts, index: _Index) -> pd.DataFrame:
    if index.layer.relation is Relation.NEAREST:
        return _nearest(alerts, index)
    overlaps = _overlaps(alerts, index)
    if index.layer.relation is Relation.MATCH:
        reach = index.layer.match.distance_m
        near = index.borders.within(alerts.mercator, reach * alerts.scale)
        return join_near(overlaps, near)
    uncertainty = index.layer.boundary_uncertainty_m
    if not uncertainty:
        return overlaps
    near = index.borders.within(alerts.mercator, uncertainty * alerts.scale)
    return join_near(overlaps, near.assign(near_border=True))


def _overlaps(alerts: _Alerts, index: _Index) -> pd.DataFrame:
    """Return the area that alerts share with features."""
    tree = index.areas
    alert, piece = tree.intersecting(alerts.geometry)
    inside = shapely.covers(tree.geometry[piece], alerts.geometry[alert])
    area = np.where(inside, alerts.area_m2[alert], 0.0)
    cut = shapely.intersection(tree.geometry[piece[~inside]], alerts.geometry[alert[~inside]])
    area[~inside] = ground_area_m2(cut)
    parts = pd.DataFrame({"alert": alert, "feature": tree.feature[piece], "area_m2": area})
    overlaps = parts.groupby(["alert", "feature"], as_index=False).agg(area_m2=("area_m2", "sum"))
    return overlaps.loc[overlaps["area_m2"] >= MIN_OVERLAP_M2]


def _nearest(alerts: _Alerts, index: _Index) -> pd.DataFrame:
    """Return the nearest feature of each alert, and the way to it on the ellipsoid."""
    tree = index.borders
    alert, piece = tree.nearest(alerts.mercator)
    way = shapely.shortest_line(alerts.mercator[alert], tree.geometry[piece])
    table = pd.DataFrame({"alert": alert, "feature": tree.feature[piece]})
    table["distance_m"] = _ground_length(way)
    return _touching(alerts, index, table) if len(index.areas.geometry) else table


def _touching(alerts: _Alerts, index: _Index, nearest: pd.DataFrame) -> pd.DataFrame:
    """Put 0 m for alerts that lie in or across a polygon, such as a wide river."""
    alert, piece = index.areas.intersecting(alerts.geometry)
    inside = pd.DataFrame({"alert": alert, "feature": index.areas.feature[piece]})
    first = inside.groupby("alert")["feature"].min()
    touching = nearest["alert"].map(first)
    return nearest.assign(
        feature=touching.fillna(nearest["feature"]).astype(np.int64),
        distance_m=nearest["distance_m"].mask(touching.notna(), 0.0),
    )


def _ground_length(way: GeometryArray) -> FloatArray:
    """Return lengths on the ellipsoid of lines of two points in the plane of distances."""
    to_degrees = Transformer.from_crs(DISTANCE_CRS, 4326, always_xy=True)
    ends = shapely.get_coordinates(way).reshape(-1, 2, 2)
    longitude, latitude = to_degrees.transform(ends[..., 0], ends[..., 1])
    length: FloatArray = ELLIPSOID.inv(
        longitude[:, 0], latitude[:, 0], longitude[:, 1], latitude[:, 1]
    )[2]
    return length
