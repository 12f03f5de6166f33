import numpy as np
import pytest
from scipy.stats import norm

from cvlarray.kernels.detectors import Alarm, Consecutive, Cusum, Ewma
from cvlarray.kernels.evidence import N_KEPT, Evidence, collect_evidence, findings
from cvlarray.kernels.likelihood import PRIOR

DAYS = np.array([100, 110, 125, 130, 190, 200, 210, 230], np.int32)


def evidence_of(*columns, detector=Consecutive(threshold=2, count=2)):  # noqa: B008  frozen
    residual = np.array(columns, np.float32).T
    n_pixels = residual.shape[1]
    memory, alarm, evidence = (
        detector.begin(n_pixels),
        Alarm.none(n_pixels),
        Evidence.none(n_pixels),
    )
    for day, values in zip(DAYS[: len(residual)], residual, strict=True):
        before = alarm.first.copy()
        detector.step(values, day, memory, alarm)
        collect_evidence(values, day, detector.threshold, before, alarm, evidence)
    return findings(alarm, evidence)


def test_dates_of_a_change():
    nan = np.nan
    evidence = evidence_of([0, nan, 1, nan, 3, 5, 4, 0])
    assert evidence.interval_start[0] == 125
    assert evidence.first_flagged[0] == evidence.interval_end[0] == 190
    assert evidence.confirmed[0] == 200
    assert evidence.n_flagged[0] == 3
    assert evidence.n_since[0] == 4
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
    found = findings(Alarm.none(2), Evidence.none(2))
    assert found.n_clear.tolist() == [0, 0]
    assert found.max_gap_days.tolist() == [0, 0]
    assert found.confirmed.tolist() == [-1, -1]


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


def test_magnitude_is_the_median_of_the_first_flagged():
    rng = np.random.default_rng(0)
    values = rng.uniform(2.1, 9, 7)
    for n in (2, 4, 5, 7):
        expected = np.median(values[: min(n, N_KEPT)].astype(np.float32))
        assert evidence_of([0, *values[:n]]).magnitude[0] == pytest.approx(expected)


def test_a_run_that_came_to_nothing_leaves_nothing():
    found = evidence_of([0, 9, 0, 0, 3, 4, 0, 0], [0, 0, 0, 0, 3, 4, 0, 0])
    for broken, untouched in found:
        assert broken == untouched


def test_an_alarm_without_a_flagged_observation():
    found = evidence_of([1.9] * 8, detector=Cusum(threshold=2, allowance=1.5, limit=1))
    assert found.confirmed[0] == 125
    assert found.first_flagged[0] == 125
    assert found.n_flagged[0] == 0
    assert np.isnan(found.magnitude[0])


def test_what_lies_between_flags_of_a_pending_change_is_not_intact():
    found = evidence_of([0, 0, 3, 1.5, 3, 3, 3, 3], detector=Ewma(threshold=2))
    assert found.first_flagged[0] == 125
    assert found.interval_start[0] == 110
    assert found.n_since[0] == 6
    assert found.n_flagged[0] == 5
