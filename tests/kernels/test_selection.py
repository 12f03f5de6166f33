import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.selection import LARGEST, ROW_TILE, select_ranked

select = jit(select_ranked.py_func)


def ranked(values, rank):
    digits = np.stack([values >> 7, values & 127]).astype(np.int8)
    n_pixels = rank.size
    scratch, selected = np.empty((2, n_pixels), np.int8), np.empty((2, n_pixels), np.int8)
    select(digits, len(values), rank, scratch, np.empty(n_pixels, np.int16), selected)
    return selected[0].astype(int) * 128 + selected[1]


@given(
    st.integers(0, 2**32 - 1),
    st.one_of(st.integers(1, 60), st.integers(230, 300)),
    st.sampled_from([1, 3, 1000, LARGEST]),
)
def test_ranked_value_is_that_of_a_sort(seed, n_rows, largest):
    rng = np.random.default_rng(seed)
    values = np.full((-(-n_rows // ROW_TILE) * ROW_TILE, 16), LARGEST)
    values[:n_rows] = rng.integers(0, largest, (n_rows, 16), endpoint=True)
    rank = rng.integers(1, n_rows, 16, endpoint=True).astype(np.int16)
    expected = np.sort(values, axis=0)[rank - 1, np.arange(16)]
    np.testing.assert_array_equal(ranked(values, rank), expected)
