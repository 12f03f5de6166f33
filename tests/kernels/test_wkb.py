"""WKB bytes that another library reads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely

from cvlarray.kernels.wkb import polygons_to_wkb


def coordinates(values: list[float]) -> np.ndarray:
    return np.array(values, "<f8").view(np.uint8).reshape(-1, 8)


def test_polygons_with_holes_are_read_by_geos() -> None:
    square = np.array([[0, 0], [3, 0], [3, 3], [0, 3]])
    hole = np.array([[1, 1], [1, 2], [2, 2], [2, 1]])
    points = np.concatenate((square, hole, square)).astype(np.int32)
    x, y = [0.1, 10.0, 20.0, 30.5], [5.0, -5.0, -15.0, -25.25]
    wkb, offsets = polygons_to_wkb(
        points, np.array([0, 4, 8, 12]), np.array([0, 2, 3]), coordinates(x), coordinates(y)
    )
    found = [shapely.from_wkb(wkb[a:b].tobytes()) for a, b in pairwise(offsets)]
    outer = shapely.box(0.1, -25.25, 30.5, 5.0)
    assert found[0].equals(outer.difference(shapely.box(10, -15, 20, -5)))
    assert found[1].equals(outer)
    assert offsets[-1] == wkb.size


def test_no_polygons_are_no_bytes() -> None:
    none = np.zeros(1, np.int64)
    wkb, offsets = polygons_to_wkb(
        np.empty((0, 2), np.int32), none, none, coordinates([0.0]), coordinates([0.0])
    )
    assert wkb.size == 0
    assert offsets.tolist() == [0]
