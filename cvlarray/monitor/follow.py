"""With hindsight: what became of each changed pixel, and what changed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline import time_axis
from cvlarray.baseline.dates import days_of
from cvlarray.baseline.pixelwise import over_pixels, require_one_chunk
from cvlarray.features import FEATURES, Feature, find_feature
from cvlarray.kernels.detectors import NEVER, Alarm, Consecutive, Detector
from cvlarray.kernels.recovery import find_recoveries
from cvlarray.kernels.residual import standardise
from cvlarray.kernels.season import TimeAxis
from cvlarray.monitor.state import in_order
from cvlarray.names import (
    ALARM_CONFIRMED,
    ALARM_FIRST,
    COEFFICIENTS,
    EPISODE_VARIABLES,
    LAST_INTACT,
    N_EPISODES,
    SIGMA,
)

N_PROOFS = 3
"""Observations that show that a pixel is back; see `cvlarray.kernels.recovery.find_recoveries`."""


N_JUDGED = 20
"""Observations from its beginning on, most of which are outside in a change that lasts."""
MAX_PASSED_OVER = 5
"""Changes of a pixel, one after the other."""


def follow(
    features: xr.DataArray,
    state: xr.Dataset,
    *,
    detector: Detector = Consecutive(),  # noqa: B008  frozen
    n_proofs: int = N_PROOFS,
    passing_days: int = 0,
    definitions: Mapping[str, Feature] = FEATURES,
) -> xr.Dataset:
    """Return the disturbance of each pixel, its recovery, and the disturbance after that.

    A watch dates the first change of a pixel and keeps the season that it left. Against this
    season later observations are held: back inside its band, the pixel has recovered, in what the
    features see, and from then on the same detector looks for a second change.

    What was back within ``passing_days``, and wasn't outside in most of the first 20 observations,
    is passed over, and the next change counts as the first. In a rainforest that is smoke, haze or
    flood: what was felled doesn't look as before within a year. Where trees lose their leaves to
    insects, or stand bare in winter, nothing should be passed over.

    Parameters
    ----------
    features
        int16 (feature, time, y, x) of the whole period that was watched, -32768 missing; ``time``
        increases and is one chunk.
    state
        What `cvlarray.monitor.update` returned after the last of the dates.
    detector
        The one that watched.
    n_proofs
        Observations that a recovery takes.
    passing_days
        Within which a passing change is over [days]; 0: none is passed over.
    definitions
        Each feature's direction and noise floor by its name.

    Returns
    -------
    The variables `cvlarray.names.EPISODE_VARIABLES`, each (episode, y, x), days since 1970-01-01,
    -1 where there is none. Lazy if the inputs are.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk.
    """
    require_one_chunk(features, "time", "follow changes")
    names = [str(name) for name in state["feature"].to_numpy()]
    follower = _Follower(
        days_of(features),
        time_axis(state),
        tuple(find_feature(name, definitions) for name in names),
        detector,
        n_proofs,
        passing_days,
    )
    packed = over_pixels(
        partial(_follow, follower=follower),
        in_order(features, state).transpose("feature", "time", "y", "x"),
        state[COEFFICIENTS.name].transpose(*COEFFICIENTS.dims),
        state[SIGMA.name].transpose(*SIGMA.dims),
        *(state[one.name] for one in (ALARM_FIRST, ALARM_CONFIRMED, LAST_INTACT)),
        dims=("date", "episode", "y", "x"),
        sizes={"date": len(EPISODE_VARIABLES), "episode": N_EPISODES},
        dtype=np.int32,
    )
    return _unpacked(packed)


def _unpacked(packed: xr.DataArray) -> xr.Dataset:
    """Return each date as a variable of its own."""
    found = xr.Dataset(coords=packed.coords)
    for number, variable in enumerate(EPISODE_VARIABLES):
        found[variable.name] = packed.isel(date=number).assign_attrs(
            {**variable.attrs, **packed.attrs}
        )
    return found


@dataclass(frozen=True)
class _Follower:
    """What all blocks share."""

    days: NDArray[np.int64]
    axis: TimeAxis
    features: Sequence[Feature]
    detector: Detector
    n_proofs: int
    passing_days: int

    def residual(
        self,
        values: NDArray[np.int16],
        coefficients: NDArray[np.float32],
        sigma: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the least residual of the features (time, pixel)."""
        each = [
            standardise(
                values[number],
                self.days,
                coefficients[number],
                sigma[number],
                self.axis,
                direction=feature.direction,
                sigma_floor=feature.noise_floor,
            )
            for number, feature in enumerate(self.features)
        ]
        joint: NDArray[np.float32] = np.minimum.reduce(each)
        return joint

    def recoveries(
        self, residual: NDArray[np.float32], since: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Return when each pixel was back after a change."""
        return find_recoveries(
            residual,
            self.days,
            since,
            threshold=self.detector.threshold,
            n_proofs=self.n_proofs,
        )

    def first_lasting(
        self,
        residual: NDArray[np.float32],
        begun: NDArray[np.int32],
        intact: NDArray[np.int32],
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return the first change of each pixel that lasts, from a given one on, and its end."""
        begun, intact, back = begun.copy(), intact.copy(), self.recoveries(residual, begun)
        for _ in range(MAX_PASSED_OVER):
            passing = np.flatnonzero(self._is_passing(residual, begun, back))
            if not passing.size:
                break
            begun[passing], intact[passing] = self.next_change(residual[:, passing], back[passing])
            back[passing] = self.recoveries(residual[:, passing], begun[passing])
        return begun, intact, back

    def _is_passing(
        self, residual: NDArray[np.float32], begun: NDArray[np.int32], back: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Return whether a change was over soon, with most observations inside."""
        is_soon: NDArray[np.bool_] = (back != NEVER) & (back - begun < self.passing_days)
        if not is_soon.any():
            return is_soon
        is_seen = ~np.isnan(residual) & (self.days[:, None] >= begun)
        is_judged = is_seen & (np.cumsum(is_seen, axis=0) <= N_JUDGED)
        n_outside = (is_judged & (residual > self.detector.threshold)).sum(axis=0)
        is_mostly_inside: NDArray[np.bool_] = 2 * n_outside < is_judged.sum(axis=0)
        return is_soon & is_mostly_inside

    def next_change(
        self, residual: NDArray[np.float32], after: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the first change from a day on, and the last observation inside before it."""
        memory, alarm = self.detector.begin(after.size), Alarm.none(after.size)
        intact = np.full(after.size, NEVER, np.int32)
        for position, day in enumerate(self.days.tolist()):
            seen = np.where((after != NEVER) & (day >= after), residual[position], np.nan)
            seen = seen.astype(np.float32)
            self.detector.step(seen, day, memory, alarm)
            is_inside = (seen <= self.detector.threshold) & (alarm.first == NEVER)
            intact[is_inside] = day
        is_change = alarm.confirmed != NEVER
        return np.where(is_change, alarm.first, NEVER), np.where(is_change, intact, NEVER)


def _follow(
    features: NDArray[np.int16],
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    first: NDArray[np.int32],
    confirmed: NDArray[np.int32],
    last_intact: NDArray[np.int32],
    *,
    follower: _Follower,
) -> NDArray[np.int32]:
    """Return the dates (date, episode, y, x) of a block; only changed pixels cost anything."""
    shape = first.shape
    found = np.full((len(EPISODE_VARIABLES), N_EPISODES, first.size), NEVER, np.int32)
    changed = np.flatnonzero(confirmed.ravel() != NEVER)
    if changed.size:
        arrays: list[NDArray[Any]] = [features, coefficients, sigma]
        chosen = [one.reshape(*one.shape[:-2], -1)[..., changed] for one in arrays]
        residual = follower.residual(*chosen)
        begun, intact = (one.ravel()[changed] for one in (first, last_intact))
        for episode in range(N_EPISODES):
            begun, intact, back = follower.first_lasting(residual, begun, intact)
            found[:, episode, changed] = begun, intact, back
            begun, intact = follower.next_change(residual, back)
    return found.reshape(*found.shape[:-1], *shape)
