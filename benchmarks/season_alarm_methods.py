"""How methods see a change: what each takes from NDVI, in the last year, after three of history.

All need a number of observations in a row: the least of them is the evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmarks.season_alarm_blocks import FIRST, HELD_OUT, LAST
from cvlarray.baseline import fit_baseline, is_forest
from cvlarray.features import FEATURES
from cvlarray.kernels.detectors import Alarm, Detector
from cvlarray.kernels.harmonics import fit_ols
from cvlarray.kernels.residual import standardise
from cvlarray.kernels.season import TimeAxis
from cvlarray.monitor import measure_dates, monitor
from cvlarray.names import NODATA_DN
from cvlarray.simulate.season import day_number

FEATURE = "ndvi"
_HISTORY = slice(str(FIRST), str(np.datetime64(HELD_OUT) - 1))
_YEAR = slice(str(HELD_OUT), str(LAST))
_DAYS_FROM_LAST_YEAR = 20
"""How far from the same day of last year an observation may be."""

Method = Callable[[xr.DataArray, int], NDArray[np.float32]]
"""Takes features (feature, time, y, x) of all four years and a count of observations; returns the
evidence (time, pixel) of the last year, NaN where there is none."""


def previous_date(features: xr.DataArray, count: int) -> NDArray[np.float32]:
    """The last ``count`` observations against the one before them."""
    fallen = _fallen(features)
    in_year = np.asarray(features["time"] >= np.datetime64(HELD_OUT))
    return _least_of_last(fallen, count, against_before=True)[in_year]


def last_year(features: xr.DataArray, count: int) -> NDArray[np.float32]:
    """Each observation against the nearest to the same day of the year before."""
    fallen, days = _fallen(features), _days(features)
    in_year = np.flatnonzero(days >= day_number(HELD_OUT))
    change = np.full((in_year.size, fallen.shape[1]), np.nan, np.float32)
    for row, t in enumerate(in_year):
        apart = np.abs(days - (days[t] - 365))
        nearest = [one for one in np.argsort(-apart) if apart[one] <= _DAYS_FROM_LAST_YEAR]
        for one in nearest:  # the nearest comes last
            seen = ~np.isnan(fallen[one])
            change[row, seen] = (fallen[t] - fallen[one])[seen]
    return _least_of_last(change, count)


def median_anomaly(features: xr.DataArray, count: int) -> NDArray[np.float32]:
    """Each observation against the median of the three years before."""
    fallen, days = _fallen(features), _days(features)
    is_history = days < day_number(HELD_OUT)
    median = np.nanmedian(fallen[is_history], axis=0)
    return _least_of_last(fallen[~is_history] - median, count)


def ols_z(features: xr.DataArray, count: int) -> NDArray[np.float32]:
    """Our model, but fitted by ordinary least squares and without the dates' statistics."""
    history, year = (_series(features.sel(time=period)) for period in (_HISTORY, _YEAR))
    days = _days(features)
    in_year = days >= day_number(HELD_OUT)
    axis = TimeAxis.over(day_number(FIRST), day_number(HELD_OUT) - 1)
    fit = fit_ols(history, days[~in_year], axis)
    feature = FEATURES[FEATURE]
    residual = standardise(
        year,
        days[in_year],
        fit.coefficients,
        fit.sigma,
        axis,
        direction=feature.direction,
        sigma_floor=feature.noise_floor,
    )
    return _least_of_last(residual, count)


def ours(features: xr.DataArray, count: int) -> NDArray[np.float32]:
    """The residual that `cvlarray.monitor.monitor` shows to its detector."""
    baseline = fit_baseline(features, history=_HISTORY)
    forest = is_forest(baseline)
    year = features.sel(time=_YEAR)
    recorder = _Recorder()
    dates = measure_dates(year, baseline, forest)
    monitor(year, baseline, dates=dates, is_forest=forest, detector=recorder)
    return _least_of_last(np.stack(recorder.shown), count)


@dataclass(frozen=True)
class _Recorder(Detector):
    """Keeps what it is shown, date by date, and raises nothing."""

    threshold: float = math.inf
    shown: list[NDArray[np.float32]] = field(default_factory=list, repr=False)

    def step(
        self,
        residual: NDArray[np.float32],
        day: int,  # noqa: ARG002
        memory: NDArray[np.float32],  # noqa: ARG002
        alarm: Alarm,  # noqa: ARG002
    ) -> None:
        """Look at one more date."""
        self.shown.append(residual.copy())


METHODS: dict[str, Method] = {
    "previous date": previous_date,
    "last year": last_year,
    "3-year median": median_anomaly,
    "OLS z": ols_z,
    "ours": ours,
}


def _days(features: xr.DataArray) -> NDArray[np.int64]:
    return features["time"].to_numpy().astype("datetime64[D]").astype(np.int64)


def _series(features: xr.DataArray) -> NDArray[np.int16]:
    """Return the feature (time, pixel)."""
    return features.sel(feature=FEATURE).to_numpy().reshape(features.sizes["time"], -1)


def _fallen(features: xr.DataArray) -> NDArray[np.float32]:
    """Return the feature (time, pixel), NaN missing, turned so that disturbance makes it rise."""
    series = _series(features)
    turned = np.float32(FEATURES[FEATURE].direction) * series
    return np.where(series == NODATA_DN, np.float32(np.nan), turned).astype(np.float32)


def _least_of_last(
    scores: NDArray[np.float32], count: int, *, against_before: bool = False
) -> NDArray[np.float32]:
    """Return the least of each pixel's last ``count`` scores, or by how much it exceeds the one
    before them."""
    last = np.full((count + 1, scores.shape[1]), np.nan, np.float32)
    least = np.full_like(scores, np.nan)
    for row, values in zip(least, scores, strict=True):
        seen = ~np.isnan(values)
        last[:, seen] = np.concatenate([last[1:, seen], values[np.newaxis, seen]])
        lowest = last[1:].min(axis=0) - (last[0] if against_before else 0)
        row[seen] = lowest[seen]
    return least
