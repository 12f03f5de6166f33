import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from cvlarray.kernels.morphology import grown, majority, without_small

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=24))


@given(MASKS, st.integers(0, 9))
def test_grown_is_within_the_distance(mask, radius):
    distance = ndimage.distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, 1e9)
    np.testing.assert_array_equal(grown(mask, radius), distance <= radius + 1e-9)


@pytest.mark.parametrize("radius", [100, 254])
def test_grown_far(radius):
    mask = np.zeros((40, 600), bool)
    mask[20, 300] = True
    y, x = np.mgrid[:40, :600]
    expected = (y - 20) ** 2 + (x - 300) ** 2 <= radius**2
    np.testing.assert_array_equal(grown(mask, radius), expected)


@given(MASKS, st.integers(1, 12))
def test_without_small_counts_what_touches(mask, min_px):
    labels, n_objects = ndimage.label(mask, np.ones((3, 3)))
    expected = np.zeros_like(mask)
    for label in range(1, n_objects + 1):
        if (labels == label).sum() >= min_px:
            expected |= labels == label
    np.testing.assert_array_equal(without_small(mask, min_px), expected)


@given(MASKS)
def test_majority_of_nine(mask):
    count = ndimage.convolve(mask.astype(int), np.ones((3, 3), int), mode="constant")
    np.testing.assert_array_equal(majority(mask), count >= 5)
