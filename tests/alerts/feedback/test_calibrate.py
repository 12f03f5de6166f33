from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.alerts.feedback import calibrate, expected_calibration_error

verdict_lists = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def overconfident(n, seed):
    """Alerts of which the square of what they state is true."""
    random = np.random.default_rng(seed)
    stated = random.random(n)
    return stated, random.random(n) < stated**2


def test_calibrated_confidence_is_the_share_that_is_confirmed():
    curve = calibrate(*overconfident(20_000, seed=1))
    stated, confirmed = overconfident(20_000, seed=2)  # held out
    levels = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(curve(levels), levels**2, atol=0.04)
    before = expected_calibration_error(stated, confirmed)
    after = expected_calibration_error(curve(stated), confirmed)
    assert before == pytest.approx(1 / 2 - 1 / 3, abs=0.01)  # the integral of c - c²
    assert after < 0.02


@given(verdict_lists)
def test_more_confidence_never_means_less_and_nothing_is_certain(pairs):
    stated, confirmed = zip(*pairs, strict=True)
    calibrated = calibrate(stated, confirmed)(np.linspace(0, 1, 101))
    assert np.all(np.diff(calibrated) >= 0)
    assert 0 < calibrated.min() <= calibrated.max() < 1


@given(st.floats(0, 1), st.integers(1, 30))
def test_verdicts_of_one_kind_follow_laplace(stated, n):
    assert calibrate([stated] * n, [True] * n)(stated) == pytest.approx((n + 1) / (n + 2))
    assert calibrate([stated] * n, [False] * n)(stated) == pytest.approx(1 / (n + 2))


def test_missing_confidence_is_left_out_and_stays_missing():
    curve = calibrate([0.5, np.nan], [True, False])
    assert curve.n_verdicts == 1
    assert np.isnan(curve(np.nan))


@pytest.mark.parametrize(
    ("confidence", "confirmed", "message"),
    [
        ([0.5], [True, False], "one length"),
        ([1.5], [True], "between 0 and 1"),
        ([], [], "no verdict"),
        ([np.nan], [True], "no verdict"),
    ],
)
def test_what_cannot_be_calibrated_by_is_refused(confidence, confirmed, message):
    with pytest.raises(ValueError, match=message):
        calibrate(confidence, confirmed)
