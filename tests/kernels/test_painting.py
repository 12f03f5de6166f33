"""Polygons and courses as GDAL and Shapely have them, the same in any window."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.features import rasterize

from cvlarray.kernels.painting import Courses, Polygons, nearest_course, paint_polygons

SIZE = 60


def axes(row0=0, col0=0):
    return (595.0, -10.0, row0), (5.0, 10.0, col0)


def make_polygons(rings, onto=None, stays=None, is_noted=None):
    n = len(rings)
    return Polygons(
        np.vstack(rings).astype(float),
        np.concatenate([[0], np.cumsum([len(ring) for ring in rings])]),
        np.full(n, -1) if onto is None else np.array(onto),
        np.zeros(n, bool) if stays is None else np.array(stays),
        np.zeros(n, bool) if is_noted is None else np.array(is_noted),
    )


def paint(polygons, *, row0=0, col0=0, shape=(SIZE, SIZE), chosen=None, noted=None):
    painted = np.full(shape, -1, np.int32)
    which = np.arange(len(polygons.offsets) - 1) if chosen is None else np.array(chosen)
    note = np.full((0, 0), -1, np.int32) if noted is None else noted
    paint_polygons(polygons, which, *axes(row0, col0), 100, painted, note)
    return painted


def random_rings(seed, n=12):
    rng = np.random.default_rng(seed)
    rings = []
    for _ in range(n):
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 20)))
        radius = rng.uniform(5, 200) * rng.uniform(0.4, 1, angle.size)
        centre = rng.uniform(-50, 650, 2)
        rings.append(centre + np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]))
    return rings


@given(seed=st.integers(0, 10_000))
def test_pixels_are_those_that_gdal_fills(seed):
    rings = random_rings(seed)
    expected = rasterize(
        [(shapely.Polygon(ring), 100 + k) for k, ring in enumerate(rings)],
        out_shape=(SIZE, SIZE), fill=-1, dtype=np.int32,
        transform=Affine(10, 0, 0, 0, -10, 600),
    )  # fmt: skip
    np.testing.assert_array_equal(paint(make_polygons(rings)), expected)


@given(
    seed=st.integers(0, 10_000),
    row0=st.integers(0, 50),
    col0=st.integers(0, 50),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_a_window_shows_a_part_of_the_whole(seed, row0, col0, shape):
    polygons = make_polygons(random_rings(seed))
    whole = paint(polygons, shape=(100, 100))
    part = paint(polygons, row0=row0, col0=col0, shape=shape)
    np.testing.assert_array_equal(part, whole[row0:, col0:][: shape[0], : shape[1]])


def box(left, bottom, right, top):
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])


def test_a_polygon_may_wait_for_another():
    first, over, later = box(0, 0, 200, 200), box(100, 0, 200, 200), box(0, 0, 400, 400)
    painted = paint(make_polygons([first, over, later], onto=[-1, -1, 100]))
    assert (painted[-20:, :10] == 102).all()
    assert (painted[-20:, 10:20] == 101).all()
    assert (painted[:40] == -1).all()


def test_a_polygon_may_need_bare_ground_or_stay():
    first, over, bare = box(0, 0, 100, 200), box(50, 0, 200, 200), box(0, 0, 400, 200)
    painted = paint(
        make_polygons([first, over, bare], onto=[-1, -1, 7], stays=[True, False, False])
    )
    assert painted[-1, [3, 7, 15, 30]].tolist() == [100, 100, 101, -1]


def test_notes_the_first_that_counts():
    rings = [box(0, 0, 200, 200), box(0, 0, 100, 200), box(0, 0, 50, 200)]
    noted = np.full((SIZE, SIZE), -1, np.int32)
    painted = paint(make_polygons(rings, is_noted=[False, True, True]), noted=noted)
    assert painted[-1, [0, 7, 15]].tolist() == [102, 101, 100]
    assert noted[-1, [0, 7, 15]].tolist() == [1, 1, -1]


def test_only_those_chosen_are_painted():
    rings = [box(0, 0, 200, 200), box(0, 0, 200, 200)]
    assert paint(make_polygons(rings), chosen=[0]).max() == 100


def wandering(seed, n_courses=3):
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(n_courses):
        steps = rng.normal(0, 60, (14, 2)).cumsum(axis=0) + rng.uniform(100, 500, 2)
        lines.append(np.column_stack([steps, np.full(14, rng.uniform(5, 40)), np.full(14, 0.2)]))
    starts = np.arange(n_courses + 1) * 14
    return lines, Courses(np.vstack(lines), starts, np.full(n_courses, 90.0))


def find(courses, *, row0=0, col0=0, shape=(SIZE, SIZE)):
    offset = np.full(shape, np.inf, np.float32)
    half, bend = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    nearest_course(courses, *axes(row0, col0), offset, half, bend)
    return offset, half, bend


@pytest.mark.parametrize("seed", range(6))
def test_distance_to_the_bank_is_shapelys(seed):
    lines, courses = wandering(seed)
    offset, half, bend = find(courses)
    x, y = np.meshgrid(5 + 10 * np.arange(SIZE), 595 - 10 * np.arange(SIZE))
    banks = np.min(
        [shapely.distance(shapely.LineString(line[:, :2]), shapely.points(x, y)) - line[0, 2]
         for line in lines],
        axis=0,
    )  # fmt: skip
    is_near = banks < 89.9
    np.testing.assert_allclose((np.abs(offset) - half)[is_near], banks[is_near], atol=1e-3)
    assert (offset[banks > 90.1] == np.inf).all()
    assert (bend[is_near] == np.float32(0.2)).all()


def test_left_of_the_flow_is_positive():
    course = np.array([[0, 300, 20, 0.5], [600, 300, 20, 0.1]])
    found = Courses(course, np.array([0, 2]), np.array([100.0]))
    offset, _, bend = find(found)
    assert (offset[20:29] > 0).all()
    assert (offset[31:40] < 0).all()
    assert bend[30, [0, -1]] == pytest.approx([0.5, 0.1], abs=0.01)


@given(
    seed=st.integers(0, 1000),
    row0=st.integers(0, 40),
    col0=st.integers(0, 40),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
)
def test_courses_are_the_same_in_any_window(seed, row0, col0, shape):
    _, courses = wandering(seed)
    for whole, part in zip(
        find(courses, shape=(80, 80)),
        find(courses, row0=row0, col0=col0, shape=shape),
        strict=True,
    ):
        np.testing.assert_array_equal(part, whole[row0:, col0:][: shape[0], : shape[1]])
