import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cvlarray.kernels.detectors import NEVER, Consecutive

RESIDUALS = npst.arrays(
    np.float32,
    (25, 4),
    elements=st.sampled_from([np.float32(value) for value in (-1.0, 1.0, 4.0, np.nan)]),
)


def by_hand(column, threshold, count):
    """Return first and confirming position of the first run among the values that are there."""
    seen = [t for t in range(column.size) if np.isfinite(column[t])]
    for i in range(len(seen) - count + 1):
        run = seen[i : i + count]
        if all(column[t] > threshold for t in run):
            return run[0], run[-1]
    return NEVER, NEVER


@given(RESIDUALS, st.integers(1, 5))
def test_first_run_of_consecutive_observations(residual, count):
    alarm = Consecutive(threshold=2, count=count)(residual)
    expected = [by_hand(column, 2, count) for column in residual.T]
    assert list(zip(alarm.first.tolist(), alarm.confirmed.tolist(), strict=True)) == expected


@given(RESIDUALS)
def test_missing_dates_change_nothing_but_positions(residual):
    alarm = Consecutive(2, 3)(residual)
    doubled = np.full((50, 4), np.nan, np.float32)
    doubled[::2] = residual
    later = Consecutive(2, 3)(doubled)
    np.testing.assert_array_equal(
        later.first, np.where(alarm.first == NEVER, NEVER, 2 * alarm.first)
    )


def test_a_value_at_the_threshold_is_as_expected():
    residual = np.full((6, 1), 2.25, np.float32)
    assert Consecutive()(residual).first[0] == NEVER


def test_count_must_be_positive():
    with pytest.raises(ValueError, match="at least 1 observation, got 0"):
        Consecutive(count=0)
