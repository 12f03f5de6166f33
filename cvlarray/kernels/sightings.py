"""What each observation adds to what is known of a pixel that may have changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.detectors import NEVER, Alarm
from cvlarray.kernels.evidence import Evidence, magnitudes

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
probability of a change so far and ``magnitude`` the median of the flagged residuals kept so far."""

CONFIDENCE_STEP = np.float32(1e-4)
"""After the confirmation, observations that raise the confidence by less tell nothing new."""

_NOTHING = np.uint8(255)


def find_sightings(
    residual: NDArray[np.float32],
    day: int,
    pending: int,
    before: tuple[Alarm, Evidence],
    after: tuple[Alarm, Evidence],
) -> NDArray[np.void]:
    """Return which pixels a date tells something new of.

    A change is pending from ``pending`` flagged observations on; each further one adds to it, one
    with which the detector gives it up clears it, the detector's alarm confirms it. After that only
    observations count that raise the confidence.

    Parameters
    ----------
    residual
        Shape (pixel,), what the detector looked at on the date; NaN is missing.
    day
        Days since 1970-01-01.
    pending
        Flagged observations of one change, at least 1.
    before, after
        Alarms and evidence without and with the date.

    Returns
    -------
    (n,) of `SIGHTING`, by pixel.
    """
    status = np.full(residual.size, _NOTHING)
    _find(residual, np.int32(day), pending, before, after, status)
    pixels = np.flatnonzero(status != _NOTHING)
    found = np.empty(pixels.size, SIGHTING)
    found["day"], found["pixel"], found["status"] = day, pixels, status[pixels]
    # Of one that was given up, what it was is told once more.
    is_over = found["status"] == CLEARED
    for these, (alarm, evidence) in ((~is_over, after), (is_over, before)):
        some = pixels[these]
        found["first_flagged"][these] = alarm.first[some]
        found["interval_start"][these] = evidence.last_intact[some]
        found["confidence"][these] = 1 / (1 + np.exp(-evidence.peak_log_odds[some]))
        found["magnitude"][these] = magnitudes(evidence, some)
    return found


@jit
def _find(
    residual: NDArray[np.float32],
    day: np.int32,
    pending: int,
    before: tuple[Alarm, Evidence],
    after: tuple[Alarm, Evidence],
    status: NDArray[np.uint8],
) -> None:
    (old_alarm, old_evidence), (alarm, evidence) = before, after
    for p in range(residual.size):
        if np.isnan(residual[p]):
            continue
        if alarm.confirmed[p] == day:
            status[p] = CONFIRMED
        elif alarm.confirmed[p] != NEVER:
            confidence = 1 / (1 + np.exp(-evidence.peak_log_odds[p]))
            if confidence - 1 / (1 + np.exp(-old_evidence.peak_log_odds[p])) >= CONFIDENCE_STEP:
                status[p] = CONFIRMED
        elif alarm.first[p] != NEVER and evidence.n_flagged[p] >= pending:
            status[p] = PENDING
        elif old_alarm.first[p] != NEVER and old_evidence.n_flagged[p] >= pending:
            status[p] = CLEARED
