from __future__ import annotations

import numpy as np
import pytest

from cvlarray.alerts.feedback import judge_candidate


def counts(precision, n_scenes=40, n_found=50, seed=0):
    true = np.random.default_rng(seed).binomial(n_found, precision, n_scenes)
    return np.column_stack([true, n_found - true])


def test_a_better_checkpoint_is_promoted_and_a_worse_one_is_not():
    current = counts(0.90)
    better, worse = counts(0.95, seed=1), counts(0.85, seed=2)
    assert judge_candidate(current, better).may_promote
    refused = judge_candidate(current, worse)
    assert not refused.may_promote
    assert "falls" in refused.reason
    assert refused.candidate_precision == worse[:, 0].sum() / worse.sum()


def test_the_same_checkpoint_may_be_promoted_and_one_more_mistake_may_not():
    current = counts(0.9)
    assert judge_candidate(current, current).may_promote
    worse = current.copy()
    worse[0, 1] += 1
    assert not judge_candidate(current, worse).may_promote


def test_the_interval_covers_the_true_difference():
    covered = 0
    for trial in range(60):
        one = judge_candidate(
            counts(0.9, seed=2 * trial), counts(0.93, seed=2 * trial + 1), n_resamples=400
        )
        covered += one.difference_low <= 0.03 <= one.difference_high
    assert covered >= 51  # of 57 expected; a binomial's one-in-a-hundred


@pytest.mark.parametrize(
    ("current", "candidate", "message"),
    [
        ([[1, 0]], [[1, 0], [1, 0]], "same scenes"),
        ([[1, 0, 0]], [[1, 0]], r"current must hold .* \(n, 2\)"),
        ([[1, 0]], [[-1, 2]], "not negative"),
        ([[1, 0]], [[0, 0]], "candidate found nothing"),
    ],
)
def test_counts_that_say_nothing_are_refused(current, candidate, message):
    with pytest.raises(ValueError, match=message):
        judge_candidate(current, candidate)
