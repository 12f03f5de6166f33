import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.kernels.selection import LARGEST, ROW_TILE, select_ranked


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([1, 3, 1000, LARGEST]))
def test_ranked_value_is_that_of_a_sort(seed, n_rows, largest):
    rng = np.random.default_rng(seed)
    values = np.full((-(-n_rows // ROW_TILE) * ROW_TILE, 16), LARGEST, np.int16)
    values[:n_rows] = rng.integers(0, largest, (n_rows, 16), endpoint=True)
    rank = rng.integers(1, n_rows, 16, endpoint=True).astype(np.int16)
    selected, candidate, below = (np.empty(16, np.int16) for _ in range(3))
    select_ranked(values, len(values), rank, candidate, below, selected)
    np.testing.assert_array_equal(selected, np.sort(values, axis=0)[rank - 1, np.arange(16)])
