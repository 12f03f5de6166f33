"""Windows of an endless grid."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from cvlarray.simulate.pixels import Pixels, pixels_of

numbers = st.integers(-400_000, 400_000)


def grid(left, top, shape=(30, 40), size=10):
    return GeoBox(shape, Affine(size, 0, left, 0, -size, top), "EPSG:32719")


@given(
    col0=numbers,
    row0=numbers,
    inside=st.tuples(st.integers(0, 25), st.integers(0, 25)),
    size=st.sampled_from([10.0, 20.0, 30.0, 0.1]),
    shift=st.tuples(st.floats(-8, 8), st.floats(-8, 8)),
)
def test_a_pixel_has_the_same_coordinates_in_every_window(col0, row0, inside, size, shift):
    whole = Pixels(row0, col0, (30, 30), size, (15.0, 15.0), shift)
    part = Pixels(row0 + inside[0], col0 + inside[1], (5, 5), size, (15.0, 15.0), shift)
    rows, cols = part.within(whole)
    np.testing.assert_array_equal(part.x[: 30 - inside[1]], whole.x[cols])
    np.testing.assert_array_equal(part.y[: 30 - inside[0]], whole.y[rows])


def test_centres_are_those_of_the_geobox():
    geobox = grid(399_960, 8_600_040)
    pixels = pixels_of(geobox, 10.0)
    np.testing.assert_array_equal(pixels.x, geobox.coordinates["x"].values)
    np.testing.assert_array_equal(pixels.y, geobox.coordinates["y"].values)
    assert pixels.bounds == (399_965, 8_599_745, 400_355, 8_600_035)


def test_coarser_and_finer_cover_the_same_ground():
    pixels = Pixels(-6, 12, (12, 18), 10.0, (5.0, -5.0))
    coarse = pixels.coarser(3)
    assert coarse.finer(3) == pixels
    np.testing.assert_allclose(coarse.x, pixels.x.reshape(-1, 3).mean(axis=1))
    np.testing.assert_allclose(coarse.y, pixels.y.reshape(-1, 3).mean(axis=1))


@given(row0=numbers, col0=numbers, margin=st.integers(0, 9), multiple=st.integers(1, 6))
def test_padded_windows_begin_and_end_on_multiples(row0, col0, margin, multiple):
    pixels = Pixels(row0, col0, (7, 11), 10.0)
    padded = pixels.padded(margin, multiple)
    rows, cols = pixels.within(padded)
    assert rows.start >= margin
    assert cols.start >= margin
    assert padded.shape[0] - rows.stop >= margin
    assert padded.shape[1] - cols.stop >= margin
    assert max(rows.start, padded.shape[0] - rows.stop) < margin + multiple
    for n in (padded.row0, padded.col0, *padded.shape):
        assert n % multiple == 0


def test_looking_beside_the_place():
    pixels = Pixels(0, 0, (3, 3), 10.0)
    shifted = pixels.shifted(2.5, -1).shifted(0.5, 0)
    np.testing.assert_allclose(shifted.x, pixels.x + 3)
    np.testing.assert_allclose(shifted.y, pixels.y - 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pixels_of(grid(0, 0, size=20), 10.0), "must be 10 m, north-up, got 20 × -20 m"),
        (
            lambda: pixels_of(grid(3, 0), 10.0, origin=(0.0, 0.0)),
            r"corner must lie at \(0.0, 0.0\)",
        ),
        (lambda: Pixels(1, 0, (4, 4), 10.0).coarser(2), "pixels 2 times as large.*got row 1"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()
