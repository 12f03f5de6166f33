from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.alerts.enrich.pieces import cut_lines, cut_polygons
from tests.alerts.enrich.worlds import ragged, track

seeds = st.integers(0, 10_000)
limits = st.integers(10, 60)


@given(seeds, limits)
@settings(max_examples=40)
def test_pieces_of_polygons_tile_them(seed, max_vertices):
    rng = np.random.default_rng(seed)
    hole = shapely.box(-70.02, -12.52, -69.98, -12.48)
    polygons = np.array([ragged(rng, x, 0, 20).difference(hole) for x in (0, 10)], object)
    pieces = cut_polygons(polygons, max_vertices)
    for number, polygon in enumerate(polygons):
        own = pieces.geometry[pieces.feature == number]
        assert shapely.area(own).sum() == pytest.approx(polygon.area, rel=1e-9)
        assert shapely.area(shapely.union_all(own)) == pytest.approx(polygon.area, rel=1e-9)
        assert shapely.get_num_coordinates(own).max() <= max_vertices
        assert shapely.symmetric_difference(shapely.union_all(own), polygon).area < 1e-12


@given(seeds, st.integers(2, 30))
def test_pieces_of_lines_are_the_lines(seed, max_vertices):
    rng = np.random.default_rng(seed)
    lines = np.array([track(rng, n) for n in (2, 7, 61, 120)], object)
    pieces = cut_lines(lines, max_vertices)
    assert shapely.get_num_coordinates(pieces.geometry).max() <= max_vertices
    for number, line in enumerate(lines):
        own = pieces.geometry[pieces.feature == number]
        assert shapely.length(own).sum() == pytest.approx(line.length, rel=1e-12)
        whole = np.concatenate([shapely.get_coordinates(piece)[:-1] for piece in own])
        np.testing.assert_array_equal(whole, shapely.get_coordinates(line)[:-1])


def test_borders_of_polygons_with_holes_multipolygons_and_points():
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(4, 4, 6, 6))
    geometry = np.array(
        [shapely.MultiPolygon([ring, shapely.box(20, 0, 21, 1)]), shapely.Point(3, 3)], object
    )
    pieces = cut_lines(geometry, 3)
    lengths = shapely.length(pieces.geometry)
    assert lengths[pieces.feature == 0].sum() == pytest.approx(40 + 8 + 4)
    assert pieces.geometry[pieces.feature == 1].tolist() == [shapely.Point(3, 3)]


def test_vertices_on_one_spot_do_not_cut_for_ever():
    angles = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    dot = shapely.Polygon(np.stack([-70 + 1e-13 * np.cos(angles), -12 + 1e-13 * np.sin(angles)], 1))
    pieces = cut_polygons(np.array([shapely.make_valid(dot)], object), 10)
    assert shapely.area(pieces.geometry).sum() == pytest.approx(dot.area, abs=1e-24)


def test_nothing_gives_nothing():
    nobody = np.empty(0, object)
    assert len(cut_polygons(nobody).geometry) == 0
    assert len(cut_lines(nobody).geometry) == 0
