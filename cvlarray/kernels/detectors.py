"""Sequential tests over standardised residuals: when did a pixel stop being as expected.

A detector is a small frozen object, called with all series of a block. Adding one takes a dataclass
here whose ``__call__`` returns an `Alarm`. All pass over missing observations, and with their
defaults none lets a single one decide: clouds get through masks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.likelihood import log_likelihood_ratio

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
        alarm = _no_alarm(residual)
        _consecutive(residual, np.float32(self.threshold), self.count, *alarm)
        return alarm


@dataclass(frozen=True)
class Ewma:
    """Confirms a change when the exponentially weighted mean of the residuals is too high.

    Roberts 1959, doi:10.1080/00401706.1959.10489860; for forest Brooks et al. 2014,
    doi:10.1109/TGRS.2013.2272545. The change began with the first observation beyond the threshold
    since the mean was last below zero.
    """

    threshold: float = 2.25
    """[standard deviations]"""
    weight: float = 0.3
    """Of the newest observation, above 0 up to 1."""
    limit: float = 5.0
    """What the mean may reach, in its own standard deviations for independent residuals."""
    cap: float = 6.0
    """Residuals count as no larger than this [standard deviations]."""

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise ValueError(f"weight must be above 0 and at most 1, got {self.weight:g}")

    def __call__(self, residual: NDArray[np.float32]) -> Alarm:
        """Return the alarms; shapes in `Detector`."""
        rule = _Rule(
            flag=self.threshold,
            decay=1 - self.weight,
            gain=self.weight,
            start=0.0,
            floor=-np.inf,
            limit=self.limit * math.sqrt(self.weight / (2 - self.weight)),
        )
        return _accumulated(np.minimum(residual, np.float32(self.cap)), rule)


@dataclass(frozen=True)
class Cusum:
    """Confirms a change when the residuals' excess over an allowance adds up to too much.

    The sum never falls below zero (Page 1954, doi:10.1093/biomet/41.1-2.100). The change began with
    the first observation beyond the threshold since it was last zero.
    """

    threshold: float = 2.25
    """[standard deviations]"""
    allowance: float = 1.5
    """What a residual may be without adding to the sum [standard deviations]."""
    limit: float = 8.0
    """[standard deviations]"""
    cap: float = 6.0
    """Residuals count as no larger than this [standard deviations]."""

    def __call__(self, residual: NDArray[np.float32]) -> Alarm:
        """Return the alarms; shapes in `Detector`."""
        rule = _Rule(
            flag=self.threshold - self.allowance,
            decay=1.0,
            gain=1.0,
            start=0.0,
            floor=0.0,
            limit=self.limit,
        )
        capped = np.minimum(residual, np.float32(self.cap))
        return _accumulated(capped - np.float32(self.allowance), rule)


@dataclass(frozen=True)
class Bayesian:
    """Confirms a change when its probability, updated by each observation, is high enough.

    As in the RADD alerts (Reiche et al. 2021, doi:10.1088/1748-9326/abd0a8), with
    `cvlarray.kernels.likelihood`. The change began with the first observation beyond the threshold
    since the probability was last the prior.
    """

    threshold: float = 2.25
    """[standard deviations]"""
    prior: float = 0.01
    """Probability of a change before any observation; it never falls below."""
    probability: float = 0.975
    """That confirms."""

    def __post_init__(self) -> None:
        if not 0 < self.prior < self.probability < 1:
            raise ValueError(
                "prior and probability must be between 0 and 1, prior the smaller, "
                f"got {self.prior:g} and {self.probability:g}"
            )

    def __call__(self, residual: NDArray[np.float32]) -> Alarm:
        """Return the alarms; shapes in `Detector`."""
        start = math.log(self.prior / (1 - self.prior))
        rule = _Rule(
            flag=log_likelihood_ratio(self.threshold),
            decay=1.0,
            gain=1.0,
            start=start,
            floor=start,
            limit=math.log(self.probability / (1 - self.probability)),
        )
        evidence = np.empty(residual.shape, np.float32)
        _weigh(np.ascontiguousarray(residual).reshape(-1), evidence.reshape(-1))
        return _accumulated(evidence, rule)


@dataclass(frozen=True)
class Mosum:
    """Confirms a change when the mean of the last clear observations is too high.

    After Chu, Hornik & Kuan 1995, doi:10.1017/S0266466600009130, with a window of observations. The
    change began with the first observation of the window that is beyond the threshold.
    """

    threshold: float = 2.25
    """[standard deviations]"""
    window: int = 5
    """Observations."""
    limit: float = 2.25
    """What the mean may be [standard deviations]."""
    cap: float = 6.0
    """Residuals count as no larger than this [standard deviations]."""

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window must be at least 1 observation, got {self.window}")

    def __call__(self, residual: NDArray[np.float32]) -> Alarm:
        """Return the alarms; shapes in `Detector`."""
        alarm = _no_alarm(residual)
        capped = np.minimum(residual, np.float32(self.cap))
        _moving(capped, self.window, self.threshold, self.limit * self.window, alarm)
        return alarm


class _Rule(NamedTuple):
    """How evidence accumulates: ``sum = max(floor, decay * sum + gain * evidence)``."""

    flag: float
    """Evidence above it is that of a flagged observation."""
    decay: float
    gain: float
    start: float
    """The sum at first; back at or below it, all begins anew."""
    floor: float
    limit: float
    """A sum above it confirms."""


def _no_alarm(residual: NDArray[np.float32]) -> Alarm:
    first, confirmed = (np.full(residual.shape[1], NEVER, np.int32) for _ in range(2))
    return Alarm(first, confirmed)


def _accumulated(evidence: NDArray[np.float32], rule: _Rule) -> Alarm:
    alarm = _no_alarm(evidence)
    _accumulate(evidence, _Rule(*(float(number) for number in rule)), alarm)
    return alarm


@jit
def _accumulate(evidence: NDArray[np.float32], rule: _Rule, alarm: Alarm) -> None:
    n_dates, n_pixels = evidence.shape
    total = np.full(n_pixels, rule.start)
    start = np.full(n_pixels, NEVER, np.int32)
    for t in range(n_dates):
        for p in range(n_pixels):
            value = evidence[t, p]
            if np.isnan(value) or alarm.confirmed[p] != NEVER:
                continue
            total[p] = max(rule.floor, rule.decay * total[p] + rule.gain * value)
            if total[p] <= rule.start:
                start[p] = NEVER
            elif start[p] == NEVER and value > rule.flag:
                start[p] = t
            if total[p] > rule.limit:
                alarm.confirmed[p] = t
                alarm.first[p] = t if start[p] == NEVER else start[p]


@jit
def _moving(
    residual: NDArray[np.float32], window: int, threshold: float, limit: float, alarm: Alarm
) -> None:
    n_dates, n_pixels = residual.shape
    positions = np.empty(n_dates, np.int32)
    for p in range(n_pixels):
        n_seen, total = 0, 0.0
        for t in range(n_dates):
            if np.isnan(residual[t, p]):
                continue
            positions[n_seen] = t
            total += residual[t, p]
            if n_seen >= window:
                total -= residual[positions[n_seen - window], p]
            n_seen += 1
            if n_seen >= window and total > limit:
                alarm.confirmed[p] = t
                alarm.first[p] = t
                for earlier in range(n_seen - window, n_seen):
                    if residual[positions[earlier], p] > threshold:
                        alarm.first[p] = positions[earlier]
                        break
                break


@jit
def _weigh(residual: NDArray[np.float32], evidence: NDArray[np.float32]) -> None:
    for i in range(residual.size):
        value = residual[i]
        evidence[i] = value if np.isnan(value) else log_likelihood_ratio(value)


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
