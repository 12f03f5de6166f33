"""Resampling through a lattice, against scipy and against itself cut elsewhere."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from cvlarray.kernels.resample import LATTICE_PX, bilinear, inside, nearest

ANGLE, SCALE = 0.03, 0.9
SOURCE_SHAPE = (120, 140)


def position(rows, cols):
    """Return source coordinates of target coordinates: a turn, a scale and a shift."""
    sin, cos = np.sin(ANGLE) * SCALE, np.cos(ANGLE) * SCALE
    return 7.3 + cos * rows - sin * cols, 3.1 + sin * rows + cos * cols


def lattice(height, width):
    nodes = [np.arange(-(-size // LATTICE_PX) + 1) * LATTICE_PX for size in (height, width)]
    return position(*np.meshgrid(*nodes, indexing="ij"))


@pytest.fixture(scope="module")
def source():
    return np.random.default_rng(1).integers(1, 9000, SOURCE_SHAPE).astype(np.int16)


def centres(height, width):
    rows, cols = np.mgrid[0:height, 0:width] + 0.5
    return position(rows, cols)


def test_bilinear_equals_scipy(source):
    height, width = 100, 90
    out = np.empty((height, width), np.float32)
    bilinear(source, (0, 0), *lattice(height, width), (0, 0), np.int16(-32768), out)
    rows, cols = centres(height, width)
    expected = map_coordinates(source.astype(float), [rows - 0.5, cols - 0.5], order=1)
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_nearest_is_the_pixel_around_the_centre(source):
    height, width = 150, 150
    out = np.empty((height, width), np.int16)
    covered = np.empty((height, width), bool)
    grid = *lattice(height, width), (0, 0)
    nearest(source, (0, 0), *grid, np.int16(-1), out)
    inside(*grid, tuple(map(float, SOURCE_SHAPE)), covered)

    rows, cols = (np.floor(values).astype(int) for values in centres(height, width))
    is_in = (rows >= 0) & (rows < SOURCE_SHAPE[0]) & (cols >= 0) & (cols < SOURCE_SHAPE[1])
    np.testing.assert_array_equal(covered, is_in)
    assert 0.1 < is_in.mean() < 0.9
    np.testing.assert_array_equal(out[is_in], source[rows[is_in], cols[is_in]])
    assert (out[~is_in] == -1).all()


@pytest.mark.parametrize("method", [bilinear, nearest])
def test_a_window_gives_the_same_bits(source, method):
    grid = lattice(100, 90)
    dtype = np.float32 if method is bilinear else np.int16
    whole, part = np.empty((100, 90), dtype), np.empty((31, 40), dtype)
    method(source, (0, 0), *grid, (0, 0), np.int16(-1), whole)
    method(source[20:, 30:], (20, 30), *grid, (55, 50), np.int16(-1), part)
    np.testing.assert_array_equal(part, whole[55:86, 50:90])


def test_missing_pixels_are_left_out():
    """Of four equal weights two with data are enough, one is not."""
    shifted = np.mgrid[0 : 2 * LATTICE_PX : LATTICE_PX, 0 : 2 * LATTICE_PX : LATTICE_PX] + 0.5
    out = np.empty((1, 1), np.float32)
    for corners, expected in [
        ([[10, 20], [30, 40]], 25.0),
        ([[10, -1], [30, -1]], 20.0),
        ([[10, -1], [-1, -1]], np.nan),
        ([[-1, -1], [-1, -1]], np.nan),
    ]:
        bilinear(np.array(corners, np.int16), (0, 0), *shifted, (0, 0), np.int16(-1), out)
        np.testing.assert_array_equal(out, [[np.float32(expected)]])


def test_nan_is_missing_in_floats():
    shifted = np.mgrid[0 : 2 * LATTICE_PX : LATTICE_PX, 0 : 2 * LATTICE_PX : LATTICE_PX] + 0.5
    out = np.empty((1, 1), np.float32)
    source = np.array([[1, np.nan], [3, np.nan]], np.float32)
    bilinear(source, (0, 0), *shifted, (0, 0), np.float32("nan"), out)
    assert out[0, 0] == 2


def test_undefined_projection_gives_fill():
    grid = np.full((2, 2), np.inf), np.full((2, 2), np.inf)
    out, covered = np.ones((3, 3), np.int16), np.ones((3, 3), bool)
    nearest(np.ones((5, 5), np.int16), (0, 0), *grid, (0, 0), np.int16(-9), out)
    inside(*grid, (0, 0), (5.0, 5.0), covered)
    assert (out == -9).all()
    assert not covered.any()
