"""Sightings against the detections of the whole series, and against a plain Python walk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cvlarray.kernels.detectors import NEVER, Alarm, Bayesian, Consecutive
from cvlarray.kernels.evidence import Evidence, collect_evidence, findings
from cvlarray.kernels.sightings import CLEARED, CONFIRMED, PENDING, SIGHTING, find_sightings

SERIES = arrays(
    np.float32,
    st.tuples(st.integers(1, 14), st.integers(1, 5)),
    elements=st.sampled_from([np.nan, -1.0, 0.5, 2.0, 2.5, 3.0, 6.0]),
)


def days_of(residual: np.ndarray) -> np.ndarray:
    return (18_000 + 5 * np.arange(residual.shape[0])).astype(np.int32)


def watched(residual: np.ndarray, detector=Consecutive(), pending: int = 2):  # noqa: B008
    """Return the sightings and the findings of watching date by date."""
    n_pixels = residual.shape[1]
    memory = detector.begin(n_pixels)
    alarm, evidence = Alarm.none(n_pixels), Evidence.none(n_pixels)
    parts = [np.empty(0, SIGHTING)]
    for day, values in zip(days_of(residual).tolist(), residual, strict=True):
        before = Alarm(*map(np.copy, alarm)), Evidence(*map(np.copy, evidence))
        detector.step(values, day, memory, alarm)
        collect_evidence(values, day, detector.threshold, before[0].first, alarm, evidence)
        parts.append(find_sightings(values, day, pending, before, (alarm, evidence)))
    found = np.concatenate(parts)
    return found[np.lexsort((found["day"], found["pixel"]))], findings(alarm, evidence)


def sightings(residual: np.ndarray, detector=Consecutive()) -> np.ndarray:  # noqa: B008
    return watched(residual, detector)[0]


def test_a_run_is_pending_then_confirmed_and_a_normal_observation_clears_it() -> None:
    nan = np.nan
    residual = np.array(
        [[0, 4, nan, 4, 0, 4, 4, 4, 4, 0], [0, 4, 0, 4, 0, 4, 0, 4, 0, 4]], np.float32
    ).T
    found = sightings(residual)
    assert found["pixel"].tolist() == [0] * 5  # the other never has two in a row
    assert position(found, "day") == [3, 4, 6, 7, 8]
    assert found["status"].tolist() == [PENDING, CLEARED, PENDING, PENDING, CONFIRMED]
    assert position(found, "first_flagged") == [1, 1, 5, 5, 5]
    assert position(found, "interval_start") == [0, 0, 4, 4, 4]


def position(found: np.ndarray, column: str) -> list[int]:
    return ((found[column] - 18_000) // 5).tolist()


@given(SERIES, st.integers(1, 14))
def test_what_is_known_does_not_depend_on_later_dates(residual: np.ndarray, n_dates: int) -> None:
    whole = sightings(residual)
    part = sightings(residual[:n_dates])
    np.testing.assert_array_equal(whole[whole["day"] < 18_000 + 5 * n_dates], part)


@pytest.mark.parametrize("detector", [Consecutive(), Consecutive(count=1), Bayesian()])
@given(residual=SERIES)
def test_confirmed_ones_are_the_detections(residual: np.ndarray, detector) -> None:
    found, evidence = watched(residual, detector)
    for pixel in range(residual.shape[1]):
        confirmed = found[(found["pixel"] == pixel) & (found["status"] == CONFIRMED)]
        assert bool(confirmed.size) == (evidence.confirmed[pixel] != NEVER)
        if confirmed.size:
            assert confirmed["day"][0] == evidence.confirmed[pixel]
            assert set(confirmed["first_flagged"]) == {evidence.first_flagged[pixel]}
            assert set(confirmed["interval_start"]) == {evidence.interval_start[pixel]}
            assert confirmed["confidence"][-1] == pytest.approx(
                evidence.confidence[pixel], abs=2e-4
            )


@given(SERIES)
def test_runs_are_those_of_a_plain_walk(residual: np.ndarray) -> None:
    expected = []
    for pixel, series in enumerate(residual.T):
        run = 0
        for t, value in enumerate(series):
            if np.isnan(value) or run >= 4:
                continue
            if value > 2.25:
                run += 1
                expected += [(pixel, t, CONFIRMED if run == 4 else PENDING)] * (run >= 2)
            else:
                expected += [(pixel, t, CLEARED)] * (run >= 2)
                run = 0
    found = sightings(residual)
    before = found[found["status"] != CONFIRMED]
    first = found[found["status"] == CONFIRMED]
    first = first[np.unique(first["pixel"], return_index=True)[1]]
    rows = [
        (int(row["pixel"]), int(row["day"] - 18_000) // 5, int(row["status"]))
        for part in (before, first)
        for row in part
    ]
    assert sorted(rows) == sorted(expected)
