import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cvlarray.kernels.indices import NODATA, clear_band, normalised_difference, scale_power

BANDS = npst.arrays(np.int16, 50, elements=st.integers(-32_768, 32_767))
CLEAR = npst.arrays(np.bool_, 50)


@given(BANDS, BANDS, CLEAR)
def test_equals_the_formula(first, second, is_clear):
    result = normalised_difference(first, second, is_clear)
    total = first.astype(float) + second
    is_valid = is_clear & (first != NODATA) & (second != NODATA) & (total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.clip((first.astype(float) - second) / total, -1, 1) * 1e4
    np.testing.assert_array_equal(result[~is_valid], NODATA)
    np.testing.assert_allclose(result[is_valid], expected[is_valid], atol=0.51)


def test_known_values():
    first, second = np.array([[3000, 100]], np.int16), np.array([[1000, 100]], np.int16)
    result = normalised_difference(first, second, np.ones((1, 2), bool))
    assert result.tolist() == [[5000, 0]]
    assert result.dtype == np.int16


def test_views_are_read_in_their_own_order():
    first = np.arange(1, 25, dtype=np.int16).reshape(4, 6)
    second = np.full((4, 6), 5, np.int16)
    clear = np.ones((4, 6), bool)
    whole = normalised_difference(first, second, clear)
    np.testing.assert_array_equal(normalised_difference(first.T, second.T, clear.T), whole.T)


def test_band_is_masked():
    band = np.array([5, NODATA, 7], np.int16)
    assert clear_band(band, np.array([True, True, False])).tolist() == [5, NODATA, NODATA]


def test_power_is_scaled_and_what_is_no_power_is_missing():
    power = np.array([0.0468, 4.0, 1e-6, 0.0, -0.01, np.nan, np.inf], np.float32)
    assert scale_power(power).tolist() == [468, 32_767, 1, NODATA, NODATA, NODATA, 32_767]
    assert scale_power(power).dtype == np.int16
