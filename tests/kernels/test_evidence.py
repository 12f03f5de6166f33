import numpy as np
import pytest
from scipy.stats import norm

from cvlarray.kernels.detectors import Alarm, Consecutive
from cvlarray.kernels.evidence import collect_evidence
from cvlarray.kernels.likelihood import PRIOR

DAYS = np.array([100, 110, 125, 130, 190, 200, 210, 230], np.int32)


def evidence_of(*columns):
    residual = np.array(columns, np.float32).T
    detector = Consecutive(threshold=2, count=2)
    return collect_evidence(residual, DAYS[: len(residual)], detector(residual), 2)


def test_dates_of_a_change():
    nan = np.nan
    evidence = evidence_of([0, nan, 1, nan, 3, 5, 4, 0])
    assert evidence.interval_start[0] == 125
    assert evidence.first_flagged[0] == evidence.interval_end[0] == 190
    assert evidence.confirmed[0] == 200
    assert evidence.n_flagged[0] == 3
    assert evidence.n_clear[0] == 6
    assert evidence.magnitude[0] == 4
    assert evidence.max_gap_days[0] == 65


def test_no_change():
    evidence = evidence_of([0, 0, 5, 0, 0, 0, 0, 0])
    for dates in evidence[:4]:
        assert dates[0] == -1
    assert np.isnan(evidence.confidence[0])
    assert np.isnan(evidence.magnitude[0])
    assert evidence.n_flagged[0] == 0


def test_changed_from_the_start():
    evidence = evidence_of([9] * 8)
    assert evidence.interval_start[0] == -1
    assert evidence.first_flagged[0] == 100


def test_gaps_count_from_the_first_to_the_last_date():
    nan = np.nan
    evidence = evidence_of([nan] * 8, [nan, nan, 0, 0, nan, nan, nan, nan], [0] * 8)
    assert evidence.max_gap_days.tolist() == [130, 100, 60]
    assert evidence.n_clear.tolist() == [0, 2, 8]


def test_no_dates():
    evidence = collect_evidence(
        np.empty((0, 2), np.float32), np.empty(0, np.int32), Consecutive()(np.empty((0, 2))), 2
    )
    assert evidence.n_clear.tolist() == [0, 0]
    assert evidence.max_gap_days.tolist() == [0, 0]


def test_confidence_is_the_bayesian_posterior():
    values = np.array([2.2, 2.5, 2.1])
    likelihoods = norm.pdf(values, 5, 2) / norm.pdf(values)
    odds = PRIOR / (1 - PRIOR) * np.prod(np.clip(likelihoods, 1 / 9, 9))
    evidence = evidence_of([0, 0, *values])
    assert evidence.confidence[0] == pytest.approx(odds / (1 + odds), rel=1e-5)


def test_confidence_grows_with_number_and_size():
    few, more = evidence_of([0, 2.2, 2.2, 0]), evidence_of([0, 2.2, 2.2, 2.2])
    larger = evidence_of([0, 2.9, 2.9, 0])
    assert few.confidence[0] < more.confidence[0]
    assert few.confidence[0] < larger.confidence[0]
    assert 0 < few.confidence[0] < evidence_of([9] * 8).confidence[0] <= 1


def test_no_single_observation_decides():
    huge, large = evidence_of([0, 100, 100, 0]), evidence_of([0, 6, 6, 0])
    assert huge.confidence[0] == large.confidence[0] < 0.91


def test_regrowth_takes_nothing_back():
    lasting, regrown = evidence_of([9, 9, 9]), evidence_of([9, 9, 9, 0, 0, 0])
    assert regrown.confidence[0] == lasting.confidence[0]


def test_magnitude_is_the_median():
    rng = np.random.default_rng(0)
    values = rng.uniform(2.1, 9, 7)
    for n in (2, 5, 6):
        expected = np.median(values[:n].astype(np.float32))
        assert evidence_of([0, *values[:n]]).magnitude[0] == pytest.approx(expected)


def test_alarm_without_a_flagged_observation():
    residual = np.full((4, 1), 1.5, np.float32)
    alarm = Alarm(np.array([1], np.int32), np.array([3], np.int32))
    evidence = collect_evidence(residual, DAYS[:4], alarm, 2)
    assert evidence.n_flagged[0] == 0
    assert np.isnan(evidence.magnitude[0])
    assert evidence.confirmed[0] == 130
