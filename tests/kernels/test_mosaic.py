import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cvlarray.kernels.mosaic import fill_missing, missing_bounds, repeat_pixels

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
CASES = [(np.int16, -32_768), (np.uint8, 0), (np.uint16, 1), (np.float32, np.nan)]


@st.composite
def layers(draw, shapes=SHAPES):
    dtype, fill = draw(st.sampled_from(CASES))
    values = draw(hnp.arrays(dtype, shapes, elements=st.integers(2, 99)))
    is_missing = draw(hnp.arrays(bool, values.shape))
    values[is_missing] = fill
    return values, dtype(fill), is_missing


@given(layers())
def test_nothing_is_missing_outside_the_bounds_and_something_on_each(drawn):
    layer, fill, is_missing = drawn
    top, bottom, left, right = missing_bounds(layer, fill)
    inside = np.zeros_like(is_missing)
    inside[top:bottom, left:right] = True
    assert not (is_missing & ~inside).any()
    if is_missing.any():
        assert is_missing[[top, bottom - 1]].any(axis=1).all()
        assert is_missing[:, [left, right - 1]].any(axis=0).all()
    else:
        assert (top, bottom, left, right) == (0, 0, 0, 0)


@given(layers())
def test_only_what_is_missing_is_filled(drawn):
    layer, fill, is_missing = drawn
    values = np.arange(layer.size, dtype=layer.dtype).reshape(layer.shape)
    expected = np.where(is_missing, values, layer)
    was_missing = np.empty(layer.shape, bool)
    fill_missing(layer, values, fill, was_missing)
    np.testing.assert_array_equal(layer, expected)
    np.testing.assert_array_equal(was_missing, is_missing)


@pytest.mark.parametrize("repeat", [2, 3, 6])
@given(values=hnp.arrays(np.int16, (4, 5)), data=st.data())
def test_each_pixel_becomes_a_square(values, repeat, data):
    rows, cols = (
        sorted(data.draw(st.tuples(*2 * [st.integers(0, n * repeat)]))) for n in values.shape
    )
    expected = np.kron(values, np.ones((repeat, repeat), np.int16))[slice(*rows), slice(*cols)]
    out = np.full(expected.shape, -1, np.int16)
    repeat_pixels(values, repeat, (rows[0], cols[0]), out)
    np.testing.assert_array_equal(out, expected)
