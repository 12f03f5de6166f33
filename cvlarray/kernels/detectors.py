"""Sequential tests over standardised residuals: when did a pixel stop being as expected.

A detector is a small frozen object that looks at one date after the other, and remembers a few
numbers a pixel in between: a period watched day by day gives what it gives in one go. Adding one
takes a dataclass here with a ``step``. All pass over missing observations, and with their defaults
none lets a single one decide: clouds get through masks.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.likelihood import log_likelihood_ratio

NEVER = np.int32(-1)


class Alarm(NamedTuple):
    """The change of each pixel, as positions in time or as days; `NEVER` where none."""

    first: NDArray[np.int32]
    """(pixel,): the observation at which the change began."""
    confirmed: NDArray[np.int32]
    """(pixel,): the observation that confirmed it; a change without is pending."""

    @classmethod
    def none(cls, n_pixels: int) -> Alarm:
        """Return that nothing has happened yet."""
        return cls(*(np.full(n_pixels, NEVER, np.int32) for _ in cls._fields))


class Detector(ABC):
    """A sequential test."""

    threshold: float
    """A residual above this [standard deviations] counts as flagged."""

    @property
    def n_remembered(self) -> int:
        """Numbers a pixel that it remembers from date to date."""
        return 1

    @property
    def beginning(self) -> float:
        """What these numbers are before the first date."""
        return 0.0

    def begin(self, n_pixels: int) -> NDArray[np.float32]:
        """Return the memory (number, pixel) before the first date."""
        return np.full((self.n_remembered, n_pixels), self.beginning, np.float32)

    @abstractmethod
    def step(
        self, residual: NDArray[np.float32], day: int, memory: NDArray[np.float32], alarm: Alarm
    ) -> None:
        """Look at one more date; ``memory`` and ``alarm`` are changed in place.

        Parameters
        ----------
        residual
            Shape (pixel,), positive is disturbed, NaN missing.
        day
            The date as a number at least 0, larger than those before; what ``alarm`` gets.
        memory
            As `begin` made it and the dates before left it.
        alarm
            Of the dates before. A confirmed alarm stays as it is.
        """

    def __call__(self, residual: NDArray[np.float32]) -> Alarm:
        """Return the confirmed alarms of residuals (time, pixel), as positions in time."""
        n_pixels = residual.shape[1]
        memory, alarm = self.begin(n_pixels), Alarm.none(n_pixels)
        for position, values in enumerate(residual):
            self.step(values, position, memory, alarm)
        return Alarm(np.where(alarm.confirmed == NEVER, NEVER, alarm.first), alarm.confirmed)


@dataclass(frozen=True)
class Consecutive(Detector):
    """Confirms a change when so many clear observations in a row are beyond the threshold.

    Missing observations neither count nor interrupt. One observation as expected ends a run. As in
    CCDC (Zhu & Woodcock 2014, doi:10.1016/j.rse.2014.01.011) and the GLAD alerts (Hansen et al.
    2016, doi:10.1088/1748-9326/11/3/034008).

    The defaults are amid what works for a temperate broadleaf forest at 10 m and 20 m: any
    threshold from 1.75 to 2.5 finds the same clearings.
    """

    threshold: float = 2.25
    """[standard deviations]"""
    count: int = 4
    """Observations in a row."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1 observation, got {self.count}")

    def step(
        self, residual: NDArray[np.float32], day: int, memory: NDArray[np.float32], alarm: Alarm
    ) -> None:
        """Look at one more date; shapes in `Detector.step`."""
        _consecutive(residual, np.int32(day), np.float32(self.threshold), self.count, memory, alarm)


@dataclass(frozen=True)
class Ewma(Detector):
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

    def step(
        self, residual: NDArray[np.float32], day: int, memory: NDArray[np.float32], alarm: Alarm
    ) -> None:
        """Look at one more date; shapes in `Detector.step`."""
        rule = _Rule(
            flag=self.threshold,
            decay=1 - self.weight,
            gain=self.weight,
            start=0.0,
            floor=-np.inf,
            limit=self.limit * math.sqrt(self.weight / (2 - self.weight)),
        )
        _add(np.minimum(residual, np.float32(self.cap)), day, rule, memory, alarm)


@dataclass(frozen=True)
class Cusum(Detector):
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

    def step(
        self, residual: NDArray[np.float32], day: int, memory: NDArray[np.float32], alarm: Alarm
    ) -> None:
        """Look at one more date; shapes in `Detector.step`."""
        rule = _Rule(
            flag=self.threshold - self.allowance,
            decay=1.0,
            gain=1.0,
            start=0.0,
            floor=0.0,
            limit=self.limit,
        )
        excess = np.minimum(residual, np.float32(self.cap)) - np.float32(self.allowance)
        _add(excess, day, rule, memory, alarm)


@dataclass(frozen=True)
class Bayesian(Detector):
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

    @property
    def beginning(self) -> float:
        """The log odds of a change before any observation, as stored."""
        return float(np.float32(math.log(self.prior / (1 - self.prior))))

    def step(
        self, residual: NDArray[np.float32], day: int, memory: NDArray[np.float32], alarm: Alarm
    ) -> None:
        """Look at one more date; shapes in `Detector.step`."""
        rule = _Rule(
            flag=log_likelihood_ratio(self.threshold),
            decay=1.0,
            gain=1.0,
            start=self.beginning,
            floor=self.beginning,
            limit=math.log(self.probability / (1 - self.probability)),
        )
        evidence = np.empty(residual.shape, np.float32)
        _weigh(residual, evidence)
        _add(evidence, day, rule, memory, alarm)


@dataclass(frozen=True)
class Mosum(Detector):
    """Confirms a change when the mean of the last clear observations is too high.

    After Chu, Hornik & Kuan 1995, doi:10.1017/S0266466600009130, with a window of observations. The
    change began with the first observation beyond the threshold since a window had none.
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

    @property
    def n_remembered(self) -> int:
        """The window's residuals, the oldest first."""
        return self.window

    @property
    def beginning(self) -> float:
        """Nothing seen yet."""
        return math.nan

    def step(
        self, residual: NDArray[np.float32], day: int, memory: NDArray[np.float32], alarm: Alarm
    ) -> None:
        """Look at one more date; shapes in `Detector.step`."""
        capped = np.minimum(residual, np.float32(self.cap))
        limit = np.float32(self.limit * self.window)
        _moving(capped, np.int32(day), np.float32(self.threshold), limit, memory, alarm)


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


def _add(
    evidence: NDArray[np.float32], day: int, rule: _Rule, memory: NDArray[np.float32], alarm: Alarm
) -> None:
    # Settings may be whole numbers, for which the kernel would be compiled anew.
    _accumulate(evidence, np.int32(day), _Rule(*map(float, rule)), memory, alarm)


@jit
def _accumulate(
    evidence: NDArray[np.float32],
    day: np.int32,
    rule: _Rule,
    memory: NDArray[np.float32],
    alarm: Alarm,
) -> None:
    for p in range(evidence.size):
        value = evidence[p]
        if np.isnan(value) or alarm.confirmed[p] != NEVER:
            continue
        total = max(rule.floor, rule.decay * memory[0, p] + rule.gain * value)
        memory[0, p] = total
        if total <= rule.start:
            alarm.first[p] = NEVER
        elif alarm.first[p] == NEVER and value > rule.flag:
            alarm.first[p] = day
        if total > rule.limit:
            alarm.confirmed[p] = day
            alarm.first[p] = day if alarm.first[p] == NEVER else alarm.first[p]


@jit
def _moving(
    residual: NDArray[np.float32],
    day: np.int32,
    threshold: np.float32,
    limit: np.float32,
    memory: NDArray[np.float32],
    alarm: Alarm,
) -> None:
    window = memory.shape[0]
    for p in range(residual.size):
        if np.isnan(residual[p]) or alarm.confirmed[p] != NEVER:
            continue
        n_flagged, total = 0, np.float32(0)
        for slot in range(window):
            value = memory[slot + 1, p] if slot + 1 < window else residual[p]
            memory[slot, p] = value
            n_flagged += value > threshold
            total += value  # NaN until the window is full
        if n_flagged == 0:
            alarm.first[p] = NEVER
        elif alarm.first[p] == NEVER:
            alarm.first[p] = day
        if total > limit:
            alarm.confirmed[p] = day
            alarm.first[p] = day if alarm.first[p] == NEVER else alarm.first[p]


@jit
def _weigh(residual: NDArray[np.float32], evidence: NDArray[np.float32]) -> None:
    for i in range(residual.size):
        value = residual[i]
        evidence[i] = value if np.isnan(value) else log_likelihood_ratio(value)


@jit
def _consecutive(
    residual: NDArray[np.float32],
    day: np.int32,
    threshold: np.float32,
    count: int,
    memory: NDArray[np.float32],
    alarm: Alarm,
) -> None:
    first, confirmed, run = alarm.first, alarm.confirmed, memory[0]
    for p in range(residual.size):
        is_open = confirmed[p] == NEVER
        is_beyond = (residual[p] > threshold) & is_open
        is_expected = (residual[p] <= threshold) & is_open
        started = day if is_beyond & (run[p] == 0) else first[p]
        first[p] = NEVER if is_expected else started
        longer = run[p] + np.float32(is_beyond)
        run[p] = np.float32(0) if is_expected else longer
        confirmed[p] = day if is_open & (run[p] >= count) else confirmed[p]
