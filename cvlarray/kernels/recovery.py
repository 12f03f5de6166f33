"""When a disturbed pixel was back as its season expects it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.detectors import NEVER
from cvlarray.kernels.season import DAYS_PER_YEAR

SAME_SEASON_DAYS = 30.0
"""Days by which two dates of different years may differ to be of the same time of year."""


def find_recoveries(
    residual: NDArray[np.float32],
    days: NDArray[np.int64],
    since: NDArray[np.int32],
    *,
    threshold: float,
    n_proofs: int,
) -> NDArray[np.int32]:
    """Return when each pixel came back inside its expected band, and stayed.

    Where grass or bare ground looks like forest for a part of the year, to be inside the band then
    proves nothing. What does is an observation inside it at a time of year (±30 days) at which the
    pixel was outside in an earlier year since the change. A pixel is back from the first
    observation of a run inside the band that holds enough of these. A single observation outside
    between two inside doesn't break a run: clouds get through masks.

    Parameters
    ----------
    residual
        (time, pixel), towards disturbance, standard deviations of the season that the pixel left;
        NaN is missing.
    days
        (time,), days since 1970-01-01, increasing.
    since
        (pixel,): day on which the change began; -1 where there was none.
    threshold
        Up to which a residual is inside the band.
    n_proofs
        Observations inside at a time of year at which it had been outside.

    Returns
    -------
    (pixel,) day of the run's first observation; -1 where it isn't back.
    """
    recovered = np.full(since.size, NEVER, np.int32)
    _find(
        np.ascontiguousarray(residual.T),
        days.astype(np.int64),
        since,
        np.float32(threshold),
        n_proofs,
        recovered,
    )
    return recovered


@jit
def _find(
    residual: NDArray[np.float32],
    days: NDArray[np.int64],
    since: NDArray[np.int32],
    threshold: np.float32,
    n_proofs: int,
    recovered: NDArray[np.int32],
) -> None:
    n_dates = days.size
    day = np.empty(n_dates, np.int64)
    outside = np.empty(n_dates, np.bool_)
    lasting = np.empty(n_dates, np.bool_)
    for p in range(since.size):
        if since[p] < 0:
            continue
        n = 0
        for t in range(n_dates):
            if days[t] >= since[p] and not np.isnan(residual[p, t]):
                day[n] = days[t]
                outside[n] = residual[p, t] > threshold
                n += 1
        for i in range(n):
            beside = (i > 0 and outside[i - 1]) or (i + 1 < n and outside[i + 1])
            lasting[i] = outside[i] and beside
        start, found = -1, 0
        for i in range(n):
            if lasting[i]:
                start, found = -1, 0
                continue
            if outside[i]:
                continue
            if start < 0:
                start = i
            for j in range(start):
                years = np.rint((day[i] - day[j]) / DAYS_PER_YEAR)
                apart = abs(day[i] - day[j] - years * DAYS_PER_YEAR)
                if lasting[j] and years >= 1 and apart <= SAME_SEASON_DAYS:
                    found += 1
                    break
            if found >= n_proofs:
                recovered[p] = day[start]
                break
