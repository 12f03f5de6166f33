"""What the observations say about an alarm: its dates, its size, how likely it is real.

Collected date by date, like the alarms themselves: what is asked after a period doesn't depend on
how the period was cut into runs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit, jit_inline
from cvlarray.kernels.detectors import NEVER, Alarm
from cvlarray.kernels.likelihood import PRIOR, log_likelihood_ratio

NO_DATE = np.int32(-1)

N_KEPT = 5
"""Flagged residuals that the magnitude is the median of: the first ones, so that it tells of the
change and not of the years of regrowth or bare ground after it."""

_PRIOR_LOG_ODDS = np.float32(np.log(PRIOR / (1 - PRIOR)))


class Evidence(NamedTuple):
    """What is known of each pixel so far; days since 1970-01-01, -1 where there is none."""

    last_intact: NDArray[np.int32]
    """(pixel,): last clear observation as expected before the pending or confirmed change."""
    last_clear: NDArray[np.int32]
    """(pixel,): last clear observation; the first date where there was none."""
    n_clear: NDArray[np.uint16]
    """(pixel,): clear observations."""
    max_gap_days: NDArray[np.uint16]
    """(pixel,): longest time without one, from the first date to the last."""
    n_since: NDArray[np.uint16]
    """(pixel,): clear observations from the change's first on."""
    n_flagged: NDArray[np.uint16]
    """(pixel,): of these, those beyond the threshold."""
    flagged: NDArray[np.float32]
    """(`N_KEPT`, pixel): the first of their residuals by size; infinite where there are fewer."""
    log_odds: NDArray[np.float32]
    peak_log_odds: NDArray[np.float32]
    """(pixel,): of a change, now and at their highest since it began."""

    @classmethod
    def none(cls, n_pixels: int) -> Evidence:
        """Return that nothing has been seen yet."""
        return cls(
            last_intact=np.full(n_pixels, NO_DATE, np.int32),
            last_clear=np.full(n_pixels, NO_DATE, np.int32),
            n_clear=np.zeros(n_pixels, np.uint16),
            max_gap_days=np.zeros(n_pixels, np.uint16),
            n_since=np.zeros(n_pixels, np.uint16),
            n_flagged=np.zeros(n_pixels, np.uint16),
            flagged=np.full((N_KEPT, n_pixels), np.inf, np.float32),
            log_odds=np.full(n_pixels, _PRIOR_LOG_ODDS, np.float32),
            peak_log_odds=np.full(n_pixels, _PRIOR_LOG_ODDS, np.float32),
        )


class Findings(NamedTuple):
    """Arrays (pixel,) of the confirmed alarms; days since 1970-01-01, -1 where there is none."""

    first_flagged: NDArray[np.int32]
    confirmed: NDArray[np.int32]
    interval_start: NDArray[np.int32]
    """Last clear observation as expected before the change; -1 also if there was none."""
    interval_end: NDArray[np.int32]
    """First clear observation that was changed."""
    magnitude: NDArray[np.float32]
    """Median of the first flagged residuals; NaN without any."""
    confidence: NDArray[np.float32]
    """Probability that the pixel has changed; NaN without an alarm."""
    n_flagged: NDArray[np.uint16]
    """Observations beyond the threshold from the first flagged one on."""
    n_since: NDArray[np.uint16]
    """Clear observations from the first flagged one on."""
    n_clear: NDArray[np.uint16]
    """Clear observations."""
    max_gap_days: NDArray[np.uint16]
    """Longest time without one, from the first date to the last."""


def collect_evidence(
    residual: NDArray[np.float32],
    day: int,
    threshold: float,
    before: NDArray[np.int32],
    alarm: Alarm,
    evidence: Evidence,
) -> None:
    """Add one date to the evidence, in place.

    The odds of a change are a Bayesian update over the observations from its first on, as in the
    RADD alerts (Reiche et al. 2021, doi:10.1088/1748-9326/abd0a8): the odds of `likelihood.PRIOR`,
    times `likelihood.log_likelihood_ratio` of each.

    Parameters
    ----------
    residual
        Shape (pixel,), positive towards disturbance; NaN is missing.
    day
        Days since 1970-01-01, later than the dates before.
    threshold
        Residuals above it count as flagged.
    before
        ``alarm.first`` before this date.
    alarm
        After this date.
    evidence
        Of the dates before.
    """
    _collect(residual, np.int32(day), np.float32(threshold), before, alarm.first, evidence)


def findings(alarm: Alarm, evidence: Evidence) -> Findings:
    """Return what is to be told of each pixel.

    The confidence is the highest that was reached, so that regrowth years later takes nothing back.
    """
    is_confirmed = alarm.confirmed != NEVER
    magnitude = magnitudes(evidence, np.arange(is_confirmed.size))
    confidence = 1 / (1 + np.exp(-evidence.peak_log_odds))
    first = np.where(is_confirmed, alarm.first, NO_DATE)
    return Findings(
        first_flagged=first,
        confirmed=alarm.confirmed,
        interval_start=np.where(is_confirmed, evidence.last_intact, NO_DATE),
        interval_end=first,
        magnitude=np.where(is_confirmed, magnitude, np.float32(np.nan)),
        confidence=np.where(is_confirmed, confidence, np.float32(np.nan)),
        n_flagged=np.where(is_confirmed, evidence.n_flagged, np.uint16(0)),
        n_since=np.where(is_confirmed, evidence.n_since, np.uint16(0)),
        n_clear=evidence.n_clear,
        max_gap_days=evidence.max_gap_days,
    )


def magnitudes(evidence: Evidence, pixels: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the median of the flagged residuals that are kept of each pixel, NaN without any."""
    n_kept = np.minimum(evidence.n_flagged[pixels], N_KEPT).astype(np.intp)
    low, high = np.maximum(n_kept - 1, 0) // 2, n_kept // 2
    with np.errstate(invalid="ignore"):
        median = (evidence.flagged[low, pixels] + evidence.flagged[high, pixels]) / 2
    return np.where(n_kept > 0, median, np.float32(np.nan)).astype(np.float32)


@jit
def _collect(
    residual: NDArray[np.float32],
    day: np.int32,
    threshold: np.float32,
    before: NDArray[np.int32],
    first: NDArray[np.int32],
    evidence: Evidence,
) -> None:
    for p in range(residual.size):
        value = residual[p]
        is_clear = not np.isnan(value)
        last = evidence.last_clear[p]
        gap = day - last if last != NO_DATE else np.int32(0)
        evidence.max_gap_days[p] = min(max(np.int32(evidence.max_gap_days[p]), gap), 65_535)
        evidence.last_clear[p] = day if is_clear or last == NO_DATE else last
        evidence.n_clear[p] += np.uint16(is_clear)
        if first[p] != before[p]:
            evidence.n_since[p] = 0
            evidence.n_flagged[p] = 0
            evidence.log_odds[p] = _PRIOR_LOG_ODDS
            evidence.peak_log_odds[p] = _PRIOR_LOG_ODDS
        if first[p] == NEVER:
            if is_clear and value <= threshold:
                evidence.last_intact[p] = day
        elif is_clear:
            evidence.n_since[p] += np.uint16(1)
            evidence.log_odds[p] += np.float32(log_likelihood_ratio(value))
            evidence.peak_log_odds[p] = max(evidence.peak_log_odds[p], evidence.log_odds[p])
            if value > threshold:
                if evidence.n_flagged[p] < evidence.flagged.shape[0]:
                    insert_sorted(evidence.flagged[:, p], evidence.n_flagged[p], value)
                evidence.n_flagged[p] += np.uint16(1)


@jit_inline
def insert_sorted(values: NDArray[np.float32], n: int, value: np.float32) -> None:
    """Put a value into its place among ``n`` increasing ones."""
    i = n
    while i > 0 and values[i - 1] > value:
        values[i] = values[i - 1]
        i -= 1
    values[i] = value
