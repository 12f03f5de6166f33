"""How far a state drifts from a full refit while it is only updated; see `cvlarray.kernels.online`.

Three years of history and 73 more dates of the same seasons, 60 % missing, 4 % clouds that got
through the mask.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmarks.registry import Measurement, measures
from cvlarray.baseline import fit_baseline
from cvlarray.kernels.harmonics import fit_robust
from cvlarray.kernels.online import residuals, state_of, update
from cvlarray.kernels.season import TimeAxis, design_matrix
from cvlarray.monitor import start

N_UPDATES = 73
DAYS = np.arange(17_897, 17_897 + 5 * (219 + N_UPDATES), 5)
AXIS = TimeAxis.over(DAYS[0], DAYS[-1])
N_PIXELS = 20_000
MISSING = -32_768


@measures("update_drift_p50")
def update_drift_p50() -> Measurement:
    """Predictions at all dates, over the refit's sigma."""
    return _percentile(50)


@measures("update_drift_p99")
def update_drift_p99() -> Measurement:
    """Predictions at all dates, over the refit's sigma."""
    return _percentile(99)


@measures("state_size")
def state_size() -> Measurement:
    """Of the arrays that a daily run reads and writes, not compressed."""
    names = ["ndvi", "nbr", "ndmi", "red", "swir16", "swir22"]
    times = DAYS.astype("datetime64[D]").astype("datetime64[ns]")
    values = np.resize(_series()[:, :1], (len(names), DAYS.size, 1, 1))
    coords = {"feature": names, "time": times, "y": [0.0], "x": [0.0]}
    features = xr.DataArray(values, coords, ("feature", "time", "y", "x"))
    state = start(fit_baseline(features))
    return Measurement(sum(one.nbytes for one in state.data_vars.values()), "B")


def _percentile(share: int) -> Measurement:
    drift = float(np.percentile(_drift(), share))
    return Measurement(drift, "sigma", note=f"{N_PIXELS:,} pixels × {DAYS.size} dates")


@cache
def _drift() -> NDArray[np.float64]:
    series = _series()
    history, days = series[:-N_UPDATES], DAYS[:-N_UPDATES]
    fit = fit_robust(history, days, AXIS)
    state = state_of(history[None], days, AXIS, fit.coefficients[None], fit.sigma[None])
    for day, observation in zip(DAYS[-N_UPDATES:], series[-N_UPDATES:], strict=True):
        update(state, residuals(state, observation[None], float(day), AXIS), float(day), AXIS)
    refit = fit_robust(series, DAYS, AXIS)
    difference = state.coefficients[0].astype(np.float64) - refit.coefficients
    return np.abs(design_matrix(DAYS, AXIS).T @ difference) / refit.sigma


def _series() -> NDArray[np.int16]:
    rng = np.random.default_rng(5)
    seasons = np.array([6000, 100, -900, 500, 150, 80])[:, None] * rng.normal(1, 0.2, (6, N_PIXELS))
    series = design_matrix(DAYS, AXIS).T @ seasons
    series += rng.normal(0, 250, series.shape)
    series[rng.random(series.shape) < 0.04] -= 4_000
    series[rng.random(series.shape) < 0.6] = MISSING
    return series.round().astype(np.int16)
