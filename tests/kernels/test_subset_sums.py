import numpy as np
import pytest

from cvlarray.kernels.subset_sums import (
    FIRST_BIT,
    GROUP,
    LANES,
    n_groups,
    subset_sums,
    sum_seen,
)


@pytest.mark.parametrize(("n_rows", "n_dates"), [(1, 1), (15, 220), (16, 24), (21, 25), (33, 100)])
def test_sums_are_those_of_the_dates_seen(n_rows, n_dates):
    rng = np.random.default_rng(n_dates)
    rows = rng.normal(size=(n_rows, n_dates))
    is_seen = rng.random((n_dates, 37)) < 0.4
    padded = np.zeros((n_groups(n_dates) * GROUP, 37), bool)
    padded[:n_dates] = is_seen
    bits = padded.reshape(-1, GROUP, 37) * (FIRST_BIT << np.arange(GROUP)[:, None])
    scratch = np.empty((-(-n_rows // LANES), 37, LANES), np.float32)
    sums = np.empty((n_rows, 37), np.float32)
    sum_seen(bits.sum(axis=1).astype(np.int16), subset_sums(rows), scratch, sums)
    np.testing.assert_allclose(sums, rows @ is_seen, rtol=1e-5, atol=1e-5)
