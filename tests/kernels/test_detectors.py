import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.stats import norm

from cvlarray.kernels.detectors import NEVER, Bayesian, Consecutive, Cusum, Ewma, Mosum

RESIDUALS = npst.arrays(
    np.float32,
    (25, 4),
    elements=st.sampled_from([np.float32(value) for value in (-1.0, 1.0, 4.0, np.nan)]),
)

DETECTORS = [Consecutive(), Ewma(), Cusum(), Mosum(), Bayesian()]


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


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda one: type(one).__name__)
class TestAnyDetector:
    @given(RESIDUALS)
    def test_missing_dates_change_nothing_but_positions(self, detector, residual):
        alarm = detector(residual)
        doubled = np.full((50, 4), np.nan, np.float32)
        doubled[::2] = residual
        later = detector(doubled)
        for one, other in zip(alarm, later, strict=True):
            np.testing.assert_array_equal(other, np.where(one == NEVER, NEVER, 2 * one))

    @given(RESIDUALS)
    def test_what_comes_later_changes_nothing(self, detector, residual):
        alarm, part = detector(residual), detector(residual[:15])
        is_within = alarm.confirmed < 15
        np.testing.assert_array_equal(part.first[is_within], alarm.first[is_within])
        assert (part.confirmed[~is_within] == NEVER).all()

    def test_a_lasting_change_is_dated(self, detector):
        residual = np.random.default_rng(0).normal(size=(60, 2_000)).astype(np.float32)
        residual[30:] += 5
        alarm = detector(residual)
        assert (alarm.confirmed >= 30).mean() > 0.98
        late = alarm.confirmed >= 30
        assert (alarm.confirmed[late] <= 37).mean() > 0.95
        assert np.isin(alarm.first[late], [30, 31]).mean() > 0.85

    def test_noise_hardly_ever_raises_an_alarm(self, detector):
        residual = np.random.default_rng(1).normal(size=(100, 5_000)).astype(np.float32)
        assert (detector(residual).confirmed != NEVER).mean() < 0.02

    def test_a_single_cloud_raises_none(self, detector):
        residual = np.zeros((40, 1), np.float32)
        residual[20] = 500
        assert detector(residual).confirmed[0] == NEVER

    def test_growth_raises_none(self, detector):
        assert detector(np.full((40, 1), -8, np.float32)).confirmed[0] == NEVER

    def test_nothing_observed(self, detector):
        assert detector(np.full((40, 3), np.nan, np.float32)).first.tolist() == [NEVER] * 3
        assert detector(np.empty((0, 3), np.float32)).first.tolist() == [NEVER] * 3


def test_ewma_is_the_recursion():
    residual = np.random.default_rng(2).normal(1.2, 1, size=(80, 50)).astype(np.float32)
    detector = Ewma(weight=0.2, limit=4)
    means = np.zeros(50)
    expected = np.full(50, NEVER)
    for t, values in enumerate(residual):
        means = 0.8 * means + 0.2 * values
        expected[(means > 4 * np.sqrt(0.2 / 1.8)) & (expected == NEVER)] = t
    np.testing.assert_array_equal(detector(residual).confirmed, expected)


def test_cusum_is_the_recursion():
    residual = np.random.default_rng(3).normal(1.5, 1, size=(80, 50)).astype(np.float32)
    sums, expected = np.zeros(50), np.full(50, NEVER)
    for t, values in enumerate(residual):
        sums = np.maximum(0, sums + values - 1.5)
        expected[(sums > 5) & (expected == NEVER)] = t
    np.testing.assert_array_equal(Cusum(allowance=1.5, limit=5)(residual).confirmed, expected)


def test_probability_is_that_of_bayes():
    values = np.array([3.0, 2.5, 3.5, 4.0], np.float32)
    ratios = np.clip(norm.pdf(values, 5, 2) / norm.pdf(values), 1 / 9, 9)
    odds = 0.01 / 0.99 * np.cumprod(ratios)
    expected = int(np.argmax(odds / (1 + odds) > 0.5))
    alarm = Bayesian(probability=0.5)(values[:, None])
    assert alarm.confirmed[0] == expected
    assert alarm.first[0] == 0


def test_moving_mean_starts_inside_its_window():
    residual = np.array([0, 3, 0, 0, 1, 5, 6, 1], np.float32)[:, None]
    alarm = Mosum(window=3, limit=3.5)(residual)
    assert alarm.confirmed[0] == 6
    assert alarm.first[0] == 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ewma(weight=0), "above 0 and at most 1, got 0"),
        (lambda: Mosum(window=0), "at least 1 observation, got 0"),
        (lambda: Bayesian(prior=0.99), "prior the smaller, got 0.99 and 0.975"),
    ],
)
def test_settings_that_make_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_value_at_the_threshold_is_as_expected():
    residual = np.full((6, 1), 2.25, np.float32)
    assert Consecutive()(residual).first[0] == NEVER


def test_count_must_be_positive():
    with pytest.raises(ValueError, match="at least 1 observation, got 0"):
        Consecutive(count=0)
