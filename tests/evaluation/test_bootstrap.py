"""Intervals by scene: as wide as theory says, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cvlarray.evaluation.bootstrap import estimate


def mean(summed):
    return np.asarray(summed[0] / summed[1])


def scenes(n, spread=0.1, seed=0):
    """Return hits and trials of scenes whose shares scatter around 0.8."""
    shares = np.random.default_rng(seed).normal(0.8, spread, n)
    return np.stack([shares * 100, np.full(n, 100.0)], axis=1)


def test_the_interval_of_a_mean_is_that_of_scipy():
    counts = scenes(60)
    found = estimate(counts, mean, n_draws=4000)
    reference = stats.bootstrap(
        (counts[:, 0] / 100,), np.mean, method="percentile", n_resamples=4000, rng=1
    ).confidence_interval
    assert float(found.value) == pytest.approx(counts[:, 0].mean() / 100)
    assert float(found.low) == pytest.approx(reference.low, abs=0.002)
    assert float(found.high) == pytest.approx(reference.high, abs=0.002)


def test_the_interval_holds_the_truth_nineteen_times_in_twenty():
    hits = 0
    for seed in range(200):
        found = estimate(scenes(40, seed=seed), mean, n_draws=300)
        hits += bool(found.low <= 0.8 <= found.high)
    assert 0.89 <= hits / 200 <= 0.98


def test_one_seed_draws_the_same_scenes_and_one_scene_has_no_spread():
    first, second = (estimate(scenes(10), mean, seed=4) for _ in range(2))
    assert (first.low, first.high) == (second.low, second.high)
    single = estimate(scenes(1), mean)
    assert single.low == single.value == single.high


def test_figures_of_any_shape_and_figures_that_are_nowhere():
    found = estimate(scenes(5), lambda summed: np.array([summed[0] / 500, np.nan]))
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()
    assert found.low[0] < found.value[0] < found.high[0]
    with pytest.raises(ValueError, match="at least one scene"):
        estimate(np.empty((0, 2)), mean)
