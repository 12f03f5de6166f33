"""What the observations say about an alarm: its dates, its size, how likely it is real."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit, jit_inline
from cvlarray.kernels.detectors import NEVER, Alarm
from cvlarray.kernels.likelihood import PRIOR, log_likelihood_ratio

NO_DATE = -1


class Evidence(NamedTuple):
    """Arrays (pixel,); dates are days since 1970-01-01, -1 where there is none."""

    first_flagged: NDArray[np.int32]
    confirmed: NDArray[np.int32]
    interval_start: NDArray[np.int32]
    """Last clear observation as expected before the change; -1 also if there was none."""
    interval_end: NDArray[np.int32]
    """First clear observation that was changed."""
    magnitude: NDArray[np.float32]
    """Median residual of the flagged observations; NaN without any."""
    confidence: NDArray[np.float32]
    """Probability that the pixel has changed; NaN without an alarm."""
    n_flagged: NDArray[np.uint16]
    """Observations beyond the threshold from the first flagged one on."""
    n_clear: NDArray[np.uint16]
    """Clear observations."""
    max_gap_days: NDArray[np.uint16]
    """Longest time without one, from the first date to the last."""


def collect_evidence(
    residual: NDArray[np.float32], days: NDArray[np.int32], alarm: Alarm, threshold: float
) -> Evidence:
    """Return what is known about each pixel's alarm.

    The confidence is a Bayesian update over the observations from the first flagged one on, as in
    the RADD alerts (Reiche et al. 2021, doi:10.1088/1748-9326/abd0a8): the odds of
    `likelihood.PRIOR`, times `likelihood.log_likelihood_ratio` of each. It is the highest value
    reached, so that regrowth years later takes nothing back.

    Parameters
    ----------
    residual
        Shape (time, pixel), positive towards disturbance; NaN is missing.
    days
        Shape (time,), increasing, days since 1970-01-01.
    alarm
        What a detector found.
    threshold
        Residuals above it count as flagged.
    """
    evidence = _empty_evidence(residual.shape[1])
    _observability(residual, days, evidence)
    flagged = np.empty(residual.shape[0], np.float32)
    _describe(residual, days, alarm, np.float32(threshold), flagged, evidence)
    return evidence


def _empty_evidence(n_pixels: int) -> Evidence:
    return Evidence(
        first_flagged=np.full(n_pixels, NO_DATE, np.int32),
        confirmed=np.full(n_pixels, NO_DATE, np.int32),
        interval_start=np.full(n_pixels, NO_DATE, np.int32),
        interval_end=np.full(n_pixels, NO_DATE, np.int32),
        magnitude=np.full(n_pixels, np.nan, np.float32),
        confidence=np.full(n_pixels, np.nan, np.float32),
        n_flagged=np.zeros(n_pixels, np.uint16),
        n_clear=np.zeros(n_pixels, np.uint16),
        max_gap_days=np.zeros(n_pixels, np.uint16),
    )


@jit
def _observability(
    residual: NDArray[np.float32], days: NDArray[np.int32], evidence: Evidence
) -> None:
    """Count clear observations and find the longest gap."""
    n_dates, n_pixels = residual.shape
    if n_dates == 0:
        return
    last, longest = np.full(n_pixels, days[0], np.int32), np.zeros(n_pixels, np.int32)
    n_clear = np.zeros(n_pixels, np.int32)
    for t in range(n_dates):
        for p in range(n_pixels):
            is_clear = not np.isnan(residual[t, p])
            longest[p] = max(longest[p], days[t] - last[p])
            last[p] = days[t] if is_clear else last[p]
            n_clear[p] += np.int32(is_clear)
    for p in range(n_pixels):
        evidence.n_clear[p] = n_clear[p]
        evidence.max_gap_days[p] = min(longest[p], 65_535)


@jit
def _describe(
    residual: NDArray[np.float32],
    days: NDArray[np.int32],
    alarm: Alarm,
    threshold: np.float32,
    flagged: NDArray[np.float32],
    evidence: Evidence,
) -> None:
    for p in range(residual.shape[1]):
        first = alarm.first[p]
        if first == NEVER:
            continue
        evidence.first_flagged[p] = days[first]
        evidence.interval_end[p] = days[first]
        evidence.confirmed[p] = days[alarm.confirmed[p]]
        for t in range(first - 1, -1, -1):
            if residual[t, p] <= threshold:
                evidence.interval_start[p] = days[t]
                break
        n_flagged = 0
        log_odds = np.log(PRIOR / (1 - PRIOR))
        highest = log_odds
        for t in range(first, residual.shape[0]):
            value = residual[t, p]
            if np.isnan(value):
                continue
            log_odds += log_likelihood_ratio(value)
            highest = max(highest, log_odds)
            if value > threshold:
                insert_sorted(flagged, n_flagged, value)
                n_flagged += 1
        evidence.n_flagged[p] = n_flagged
        if n_flagged:
            middle = flagged[(n_flagged - 1) // 2] + flagged[n_flagged // 2]
            evidence.magnitude[p] = middle / 2
        evidence.confidence[p] = 1 / (1 + np.exp(-highest))


@jit_inline
def insert_sorted(values: NDArray[np.float32], n: int, value: np.float32) -> None:
    """Put a value into its place among ``n`` increasing ones."""
    i = n
    while i > 0 and values[i - 1] > value:
        values[i] = values[i - 1]
        i -= 1
    values[i] = value
