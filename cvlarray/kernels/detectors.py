"""Sequential tests over standardised residuals: when did a pixel stop being as expected.

A detector is a small frozen object, called with all series of a block. Adding one takes a dataclass
here whose ``__call__`` returns an `Alarm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit

NEVER = np.int32(-1)


class Alarm(NamedTuple):
    """The first confirmed change of each pixel, as positions in time; `NEVER` where none."""

    first: NDArray[np.int32]
    """(pixel,): the observation at which the confirmed change began."""
    confirmed: NDArray[np.int32]
    """(pixel,): the observation that confirmed it."""


class Detector(Protocol):
    """A sequential test."""

    @property
    def threshold(self) -> float:
        """A residual above this [standard deviations] counts as flagged."""

    def __call__(self, residual: NDArray[np.float32]) -> Alarm:
        """Return the alarms of residuals (time, pixel); positive is disturbed, NaN missing."""


@dataclass(frozen=True)
class Consecutive:
    """Confirms a change when so many clear observations in a row are beyond the threshold.

    Missing observations neither count nor interrupt. One observation as expected ends a run. As in
    CCDC (Zhu & Woodcock 2014, doi:10.1016/j.rse.2014.01.011) and the GLAD alerts (Hansen et al.
    2016, doi:10.1088/1748-9326/11/3/034008).

    The defaults are the middle of what works for a temperate broadleaf forest at 10 m and 20 m: any
    threshold from 1.75 to 2.75 finds the same clearings.
    """

    threshold: float = 2.25
    """[standard deviations]"""
    count: int = 4
    """Observations in a row."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1 observation, got {self.count}")

    def __call__(self, residual: NDArray[np.float32]) -> Alarm:
        """Return the alarms; shapes in `Detector`."""
        alarm = Alarm(*(np.full(residual.shape[1], NEVER, np.int32) for _ in range(2)))
        _consecutive(residual, np.float32(self.threshold), self.count, *alarm)
        return alarm


@jit
def _consecutive(
    residual: NDArray[np.float32],
    threshold: np.float32,
    count: int,
    first: NDArray[np.int32],
    confirmed: NDArray[np.int32],
) -> None:
    n_dates, n_pixels = residual.shape
    run = np.zeros(n_pixels, np.int32)
    start = np.zeros(n_pixels, np.int32)
    for t in range(n_dates):
        for p in range(n_pixels):
            is_beyond = residual[t, p] > threshold
            is_expected = residual[t, p] <= threshold
            start[p] = t if is_beyond and run[p] == 0 else start[p]
            run[p] = run[p] + 1 if is_beyond else (0 if is_expected else run[p])
            is_new = run[p] >= count and confirmed[p] == NEVER
            confirmed[p] = t if is_new else confirmed[p]
            first[p] = start[p] if is_new else first[p]
