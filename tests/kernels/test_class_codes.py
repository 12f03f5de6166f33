import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cvlarray.kernels.class_codes import look_up

CODES = hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3, max_side=9))


@given(CODES, st.sampled_from([np.bool_, np.uint8]))
def test_look_up_is_indexing(codes, dtype):
    table = np.random.default_rng(0).integers(0, 2, 256).astype(dtype)
    found = look_up(table, codes)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, table[codes])


def test_look_up_takes_sixteen_bits_and_any_order():
    codes = np.random.default_rng(0).integers(0, 1 << 16, (7, 5), np.uint16)
    table = np.arange(1 << 16, dtype=np.uint8)
    np.testing.assert_array_equal(look_up(table, codes.T), table[codes.T])


def test_short_table_is_refused():
    with pytest.raises(ValueError, match="256 values doesn't hold every uint16 code"):
        look_up(np.zeros(256, np.uint8), np.zeros(3, np.uint16))
