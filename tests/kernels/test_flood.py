import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from cvlarray.kernels.flood import fill_basins

IMAGES = arrays(
    np.int16, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-50, 50)
)


def reconstructed(image, level):
    """Morphological reconstruction by erosion, as it is defined: erode until nothing changes."""
    framed = np.pad(image.astype(int), 1, constant_values=level)
    marker = np.full(framed.shape, 10**6)
    marker[0], marker[-1], marker[:, 0], marker[:, -1] = level, level, level, level
    while True:
        lower = np.maximum(ndimage.grey_erosion(marker, size=3), framed)
        if np.array_equal(lower, marker):
            return marker[1:-1, 1:-1]
        marker = lower


@given(IMAGES, st.integers(-60, 60))
def test_is_reconstruction_by_erosion(image, level):
    np.testing.assert_array_equal(fill_basins(image, level), reconstructed(image, level))


@given(IMAGES, st.integers(-60, 60))
def test_filling_twice_changes_nothing(image, level):
    filled = fill_basins(image, level)
    assert (filled >= image).all()
    np.testing.assert_array_equal(fill_basins(filled, level), filled)


@pytest.mark.parametrize("value", [-32_768, 0, 32_767])
def test_extreme_values(value):
    image = np.full((5, 6), value, np.int16)
    np.testing.assert_array_equal(fill_basins(image, -32_768), image)


def test_larger_image():
    random = np.random.default_rng(3)
    image = ndimage.gaussian_filter(random.normal(0, 1e4, (90, 110)), 3).astype(np.int16)
    np.testing.assert_array_equal(fill_basins(image, -100), reconstructed(image, -100))


def test_nothing():
    assert fill_basins(np.empty((0, 4), np.int16), 0).shape == (0, 4)
