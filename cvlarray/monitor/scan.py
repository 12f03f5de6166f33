"""One date after the other over plain arrays: judge it, look for a change, learn from the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.features import Feature
from cvlarray.kernels.detectors import NEVER, Alarm, Detector
from cvlarray.kernels.evidence import Evidence, collect_evidence
from cvlarray.kernels.online import SeasonState, residuals, update
from cvlarray.kernels.residual import DateStatistics, judge, median_and_spread
from cvlarray.kernels.season import TimeAxis

PIXELS_AT_ONCE = 8_192
"""Pixels that see all dates before the next ones: their state stays in the cache."""


class PixelState(NamedTuple):
    """All that watching goes on from; the last axis of each array is the pixel.

    Flat, it is in the order of `cvlarray.names.STATE_VARIABLES`.
    """

    season: SeasonState
    memory: NDArray[np.float32]
    alarm: Alarm
    evidence: Evidence
    is_forest: NDArray[np.bool_]

    @classmethod
    def begin(
        cls, detector: Detector, season: SeasonState, is_forest: NDArray[np.bool_]
    ) -> PixelState:
        """Return the state before the first date."""
        n_pixels = is_forest.size
        memory = detector.begin(n_pixels)
        return cls(season, memory, Alarm.none(n_pixels), Evidence.none(n_pixels), is_forest)

    @classmethod
    def of(cls, arrays: Iterable[NDArray[Any]]) -> PixelState:
        """Return the state that consists of these arrays."""
        given = list(arrays)
        evidence_end = 6 + len(Evidence._fields)
        return cls(
            SeasonState(*given[:3]),
            given[3],
            Alarm(*given[4:6]),
            Evidence(*given[6:evidence_end]),
            given[evidence_end],
        )

    def with_findings_kept(self) -> PixelState:
        """Return the same state with alarms and evidence in arrays of their own."""
        evidence: list[Any] = [one.copy() for one in self.evidence]
        alarm = Alarm(*(one.copy() for one in self.alarm))
        return self._replace(alarm=alarm, evidence=Evidence(*evidence))

    def arrays(self) -> list[NDArray[Any]]:
        """Return all arrays in their order."""
        return [*self.season, self.memory, *self.alarm, *self.evidence, self.is_forest]


Note = Callable[[NDArray[np.float32], int, PixelState, PixelState, int], None]
"""See `scan`."""


@dataclass(frozen=True)
class Watch:
    """How dates are judged: the same for all pixels."""

    axis: TimeAxis
    features: tuple[Feature, ...]
    detector: Detector
    prior_strength: tuple[tuple[float, ...], ...] | None = None
    """(feature, coefficient) of the prior that the season was fitted with."""

    @property
    def directions(self) -> NDArray[np.float32]:
        """Where each feature goes when forest is lost."""
        return np.array([feature.direction for feature in self.features], np.float32)

    @property
    def floors(self) -> NDArray[np.float32]:
        """The least standard deviation of each feature."""
        return np.array([feature.noise_floor for feature in self.features], np.float32)

    def take(
        self,
        state: PixelState,
        residual: NDArray[np.float32],
        day: int,
        dates: DateStatistics,
    ) -> NDArray[np.float32]:
        """Take one date into the state, in place.

        Parameters
        ----------
        state
            Of the dates before.
        residual
            Shape (feature, pixel), observed less expected; overwritten.
        day
            Days since 1970-01-01.
        dates
            Of this date, arrays (feature,).

        Returns
        -------
        Shape (pixel,): what the detector looked at, NaN where missing or no forest.
        """
        joint = judge(residual, state.season.sigma, self.directions, self.floors, dates)
        looked_at = np.where(state.is_forest, joint, np.float32(np.nan))
        before = state.alarm.first.copy()
        self.detector.step(looked_at, day, state.memory, state.alarm)
        collect_evidence(joint, day, self.detector.threshold, before, state.alarm, state.evidence)
        is_withheld = np.isnan(looked_at) | (state.alarm.first != NEVER)
        residual[:, is_withheld] = np.nan
        strength = (
            None if self.prior_strength is None else np.array(self.prior_strength, np.float32)
        )
        update(state.season, residual, day, self.axis, strength)
        return looked_at


def scan(
    watch: Watch,
    state: PixelState,
    features: NDArray[np.int16],
    days: Sequence[int],
    dates: DateStatistics,
    note: Note | None = None,
) -> None:
    """Take dates into the state, in place.

    Parameters
    ----------
    watch
        How to judge.
    state
        Of the dates before.
    features
        Shape (feature, time, pixel); -32768 is missing.
    days
        (time,), increasing.
    dates
        Arrays (feature, time).
    note
        Told of each date what the detector looked at, the day, the state without and with it, and
        which pixel is the first of these.
    """
    n_pixels = features.shape[-1]
    for first in range(0, n_pixels, PIXELS_AT_ONCE):
        pixels = slice(first, first + PIXELS_AT_ONCE)
        part = PixelState.of(np.ascontiguousarray(one[..., pixels]) for one in state.arrays())
        for position, day in enumerate(days):
            observation = features[:, position, pixels]
            residual = residuals(part.season, observation, day, watch.axis)
            of_date = DateStatistics(*(one[:, position] for one in dates))
            before = None if note is None else part.with_findings_kept()
            looked_at = watch.take(part, residual, day, of_date)
            if note is not None and before is not None:
                note(looked_at, day, before, part, first)
        for whole, new in zip(state.arrays(), part.arrays(), strict=True):
            whole[..., pixels] = new


def measure(
    watch: Watch,
    state: PixelState,
    features: NDArray[np.int16],
    days: Sequence[int],
    min_count: int,
) -> DateStatistics:
    """Return how far the forest as a whole is off on each date, which changes ``state``.

    Each date is measured with the season as the dates before have left it, on the forest that
    stands: where a change has been confirmed, a pixel says nothing more of the date.

    Parameters
    ----------
    watch, state, features, days
        As for `scan`.
    min_count
        Forest pixels that must be seen; dates with fewer get NaN.

    Returns
    -------
    Arrays (feature, time).
    """
    shape = (len(watch.features), len(days))
    offset, spread = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for position, day in enumerate(days):
        residual = residuals(state.season, features[:, position], day, watch.axis)
        scale = np.maximum(state.season.sigma, watch.floors[:, None])
        with np.errstate(invalid="ignore"):
            standardised = (watch.directions[:, None] * residual / scale).astype(np.float32)
        stands = state.is_forest & (state.alarm.confirmed == NEVER)
        of_date = median_and_spread(standardised[:, stands], min_count)
        offset[:, position], spread[:, position] = of_date
        watch.take(state, residual, day, DateStatistics(*of_date))
    return DateStatistics(offset, spread)
