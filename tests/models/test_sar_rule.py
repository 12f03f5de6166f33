"""The radar rule: what it says of forest, of loss, of rain, and of what was never forest."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cvlarray.models import RadarRule


def said(vv, vh, usual_vh=-13.3) -> float:
    """Return the probability of a change over even ground."""
    chips = np.ones((1, 5, 9, 9), np.float32) * np.array(
        [vv, vh, vh - vv, -7.7, usual_vh], np.float32
    ).reshape(1, 5, 1, 1)
    shares = RadarRule().predict(chips, np.ones((1, 9, 9), bool))
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    return float(shares[0, 1, 4, 4])


@pytest.mark.parametrize(("vv", "vh"), [(0.0, 0.0), (-0.7, -0.9), (-2.0, -2.3), (-1.0, 0.0)])
def test_two_normal_distributions_share_the_probability(vv, vh):
    changed = stats.norm.pdf(vv, -2.0, 1.3) * stats.norm.pdf(vh, -2.3, 1.3)
    forest = stats.norm.pdf(vv, 0, 0.6) * stats.norm.pdf(vh, 0, 0.6)
    assert said(vv, vh) == pytest.approx(changed / (changed + forest), rel=1e-4)


def test_rain_is_no_loss_and_pasture_is_not_watched():
    assert said(2.0, 2.0) == said(0.0, 0.0) < 0.02
    assert said(-3.0, -4.0) > 0.99
    assert said(-3.0, -4.0, usual_vh=-17.0) == 0


def test_missing_pixels_do_not_count():
    random = np.random.default_rng(0)
    chips = random.normal(-1, 1, (1, 5, 16, 16)).astype(np.float32)
    chips[:, 4] = -13
    is_valid = random.random((1, 16, 16)) > 0.2
    rule = RadarRule()
    garbage = np.where(is_valid[:, None], chips, np.float32(99))
    np.testing.assert_array_equal(rule.predict(chips, is_valid), rule.predict(garbage, is_valid))
