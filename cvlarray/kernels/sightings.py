"""What each observation adds to what is known of a pixel that may have changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit, jit_inline
from cvlarray.kernels.detectors import NEVER, Alarm
from cvlarray.kernels.evidence import NO_DATE, insert_sorted
from cvlarray.kernels.likelihood import PRIOR, log_likelihood_ratio

CLEARED, PENDING, CONFIRMED = np.uint8(0), np.uint8(1), np.uint8(2)
"""What is known after an observation: as expected after all, flagged again, a confirmed change."""

SIGHTING = np.dtype(
    [
        ("day", "i4"),
        ("pixel", "i4"),
        ("status", "u1"),
        ("first_flagged", "i4"),
        ("interval_start", "i4"),
        ("confidence", "f4"),
        ("magnitude", "f4"),
    ]
)
"""One observation of one pixel. ``day`` and the dates are days since 1970-01-01, -1 where there is
none; ``interval_start`` is the last clear observation as expected; ``confidence`` the highest
probability of a change so far and ``magnitude`` the median flagged residual so far."""

CONFIDENCE_STEP = np.float32(1e-4)
"""After the confirmation, observations that raise the confidence by less tell nothing new."""

ENOUGH = np.int32(1 << 30)


def find_sightings(
    residual: NDArray[np.float32],
    days: NDArray[np.int32],
    alarm: Alarm,
    threshold: float,
    pending: int,
    is_watched: NDArray[np.bool_],
) -> NDArray[np.void]:
    """Return every observation that changes what is known of a pixel.

    A run of ``pending`` flagged observations makes a change pending; each further one adds to it,
    one as expected clears it, the detector's alarm confirms it. After that only observations count
    that raise the confidence. Nothing depends on later dates: the sightings of the first dates of a
    series are the first sightings of the whole.

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
    pending
        Flagged observations in a row, at least 1, from which a change is pending.
    is_watched
        Shape (pixel,): where to look.

    Returns
    -------
    (n,) of `SIGHTING`, by pixel and then day. Confidence and magnitude of the last one of a
    confirmed pixel are those of `cvlarray.kernels.evidence`, but for what it calls nothing new.
    """
    longest = _longest_run(residual, np.float32(threshold), alarm)
    watched = np.flatnonzero((longest >= pending) & is_watched)
    columns = np.ascontiguousarray(residual[:, watched].T)
    found = np.empty(columns.size, SIGHTING)
    flagged = np.empty(residual.shape[0], np.float32)
    alarms = Alarm(alarm.first[watched], alarm.confirmed[watched])
    n_found = _find(columns, days, alarms, np.float32(threshold), pending, flagged, found)
    found = found[:n_found].copy()
    found["pixel"] = watched[found["pixel"]]
    return found


@jit
def _longest_run(
    residual: NDArray[np.float32], threshold: np.float32, alarm: Alarm
) -> NDArray[np.int32]:
    """Return the most flagged observations in a row, `ENOUGH` where there is an alarm."""
    n_dates, n_pixels = residual.shape
    run, longest = np.zeros(n_pixels, np.int32), np.zeros(n_pixels, np.int32)
    for t in range(n_dates):
        for p in range(n_pixels):
            is_beyond = residual[t, p] > threshold
            is_expected = residual[t, p] <= threshold
            run[p] = run[p] + 1 if is_beyond else (0 if is_expected else run[p])
            longest[p] = max(longest[p], run[p])
    for p in range(n_pixels):
        longest[p] = longest[p] if alarm.confirmed[p] == NEVER else ENOUGH
    return longest


@jit
def _find(
    columns: NDArray[np.float32],
    days: NDArray[np.int32],
    alarm: Alarm,
    threshold: np.float32,
    pending: int,
    flagged: NDArray[np.float32],
    found: NDArray[np.void],
) -> int:
    """Fill ``found`` and return how many there are."""
    prior = np.log(PRIOR / (1 - PRIOR))
    n_found = 0
    for p in range(columns.shape[0]):
        run, n_flagged = 0, 0
        first, last_expected, start = np.int32(NO_DATE), np.int32(NO_DATE), np.int32(NO_DATE)
        log_odds, highest, told = prior, prior, np.float32(0)
        is_confirmed = False
        for t in range(columns.shape[1]):
            value = columns[p, t]
            if np.isnan(value):
                continue
            is_beyond = value > threshold
            is_alarm = alarm.confirmed[p] == t
            if is_alarm and (run == 0 or first != days[alarm.first[p]]):
                # Not the run itself was the detector's reason: count anew from its own first date.
                first = days[alarm.first[p]]
                start = _last_expected(columns[p], days, alarm.first[p], threshold)
                log_odds, highest, n_flagged = prior, prior, 0
                for earlier in range(alarm.first[p], t):
                    if not np.isnan(columns[p, earlier]):
                        log_odds += log_likelihood_ratio(columns[p, earlier])
                        highest = max(highest, log_odds)
                        if columns[p, earlier] > threshold:
                            insert_sorted(flagged, n_flagged, columns[p, earlier])
                            n_flagged += 1
            elif is_beyond and run == 0 and not is_confirmed:
                first, start = days[t], last_expected
                log_odds, highest, n_flagged = prior, prior, 0
            log_odds += log_likelihood_ratio(value)
            highest = max(highest, log_odds)
            if is_beyond:
                insert_sorted(flagged, n_flagged, value)
                n_flagged += 1
            else:
                last_expected = days[t]
            confidence = np.float32(1 / (1 + np.exp(-highest)))
            was_pending = run >= pending
            run = run + 1 if is_beyond else 0
            if is_alarm or is_confirmed:
                is_new = is_alarm or confidence >= told + CONFIDENCE_STEP
                is_confirmed = True
                status = CONFIRMED
            else:
                is_new = was_pending or run >= pending
                status = PENDING if is_beyond else CLEARED
            if is_new:
                told = confidence
                found[n_found]["day"] = days[t]
                found[n_found]["pixel"] = p
                found[n_found]["status"] = status
                found[n_found]["first_flagged"] = first
                found[n_found]["interval_start"] = start
                found[n_found]["confidence"] = confidence
                found[n_found]["magnitude"] = _median(flagged, n_flagged)
                n_found += 1
    return n_found


@jit_inline
def _last_expected(
    series: NDArray[np.float32], days: NDArray[np.int32], first: int, threshold: np.float32
) -> np.int32:
    """Return the date of the last observation as expected before position ``first``."""
    for t in range(first - 1, -1, -1):
        if series[t] <= threshold:
            return np.int32(days[t])
    return np.int32(NO_DATE)


@jit_inline
def _median(values: NDArray[np.float32], n: int) -> np.float32:
    """Return the median of ``n`` increasing values, NaN of none."""
    if n == 0:
        return np.float32(np.nan)
    return np.float32((values[(n - 1) // 2] + values[n // 2]) / 2)
