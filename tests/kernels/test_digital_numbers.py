import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cvlarray.kernels.digital_numbers import shift_and_fill

DN = hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 20_000))


@given(DN, st.integers(-5000, 0), st.sampled_from([None, 0, 7, 65_535, 0.5, float("nan")]))
def test_valid_values_are_shifted_and_missing_ones_filled(values, offset, nodata):
    expected = [
        [-32_768 if value == nodata else value + offset for value in row] for row in values.tolist()
    ]
    shift_and_fill(values, offset=offset, nodata=nodata, fill=-32_768)
    assert values.tolist() == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_codes_in_a_part_of_a_larger_array(dtype):
    whole = np.arange(30, dtype=dtype).reshape(5, 6)
    part = whole[1:4, 2:5]
    expected = np.where(part == 15, 1, part)
    shift_and_fill(part, offset=0, nodata=15, fill=1)
    np.testing.assert_array_equal(whole[1:4, 2:5], expected)
    assert whole[0].tolist() == [0, 1, 2, 3, 4, 5]
