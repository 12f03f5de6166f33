"""How sure a season is: its standard error, the range observations keep to, and their coverage."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.dates import days_of
from cvlarray.baseline.pixelwise import over_pixels, require_one_chunk
from cvlarray.baseline.season import time_axis
from cvlarray.kernels import coverage, residual_range, standard_error
from cvlarray.kernels.season import TimeAxis
from cvlarray.names import COEFFICIENTS, MOMENTS, SIGMA


def prediction_error(baseline: xr.Dataset, times: Any) -> xr.DataArray:
    """Return the standard error of what `predict` expects on given dates.

    Grows towards seasons that a pixel was never seen in; see
    `cvlarray.kernels.standard_error.standard_error`. A new observation scatters by
    ``sqrt(sigma² + error²)``.

    Parameters
    ----------
    baseline
        What `fit_baseline` returned.
    times
        Dates (anything `pandas.DatetimeIndex` takes).

    Returns
    -------
    float32 (feature, time, y, x) in the features' units; NaN where there is no model, inf where the
    dates can't tell its coefficients apart. The dates that count are those seen in all features.
    """
    index = pd.DatetimeIndex(times)
    strengths = _prior_strength(baseline)
    error = over_pixels(
        partial(
            _prediction_error,
            days=index.to_numpy().astype("datetime64[D]").astype(np.int64),
            axis=time_axis(baseline),
        ),
        baseline[MOMENTS.name].transpose("moment", "y", "x"),
        baseline[SIGMA.name].transpose("feature", "y", "x"),
        strengths,
        dims=("feature", "time", "y", "x"),
        sizes={"time": len(index)},
        dtype=np.float32,
    )
    attrs = {"long_name": "standard error of the expected value", "units": SIGMA.attrs["units"]}
    return error.assign_coords(time=index).rename("prediction_error").assign_attrs(attrs)


def observed_range(features: xr.DataArray, baseline: xr.Dataset) -> xr.Dataset:
    """Return how far observations lie below and above what `predict` expects.

    The tenth and ninetieth percentile of the residuals; see
    `cvlarray.kernels.residual_range.residual_range`.

    Parameters
    ----------
    features
        int16 (feature, time, y, x): the history that the baseline was fitted to; ``time`` is one
        chunk.
    baseline
        What `fit_baseline` returned for it.

    Returns
    -------
    ``residual_low`` and ``residual_high`` (feature, y, x), float32 in the features' units: what to
    add to the expected value; NaN where there is no model. Lazy if the inputs are.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk.
    """
    require_one_chunk(features, "time", "measure a range")
    packed = over_pixels(
        partial(_observed_range, days=days_of(features), axis=time_axis(baseline)),
        features.transpose("feature", "time", "y", "x"),
        baseline[COEFFICIENTS.name].transpose("feature", "coefficient", "y", "x"),
        baseline[SIGMA.name].transpose("feature", "y", "x"),
        dims=("side", "feature", "y", "x"),
        sizes={"side": 2},
        dtype=np.float32,
    )
    units = SIGMA.attrs["units"]
    return xr.Dataset(
        {
            "residual_low": packed.isel(side=0).assign_attrs(
                long_name="tenth percentile of the residuals", units=units
            ),
            "residual_high": packed.isel(side=1).assign_attrs(
                long_name="ninetieth percentile of the residuals", units=units
            ),
        }
    )


def observation_coverage(features: xr.DataArray) -> xr.Dataset:
    """Return how well each pixel's observations cover the history and the year.

    Parameters
    ----------
    features
        int16 (feature, time, y, x), -32768 missing; ``time`` is one chunk.

    Returns
    -------
    ``n_valid``, ``span_days`` and ``season_coverage`` (feature, y, x), float32; see
    `cvlarray.kernels.coverage.Coverage`. Lazy if ``features`` is.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk.
    """
    require_one_chunk(features, "time", "measure coverage")
    packed = over_pixels(
        partial(_coverage, days=days_of(features)),
        features.transpose("feature", "time", "y", "x"),
        dims=("measure", "feature", "y", "x"),
        sizes={"measure": 3},
        dtype=np.float32,
    )
    attrs = {
        "n_valid": {"long_name": "valid observations", "units": "1"},
        "span_days": {"long_name": "time from the first to the last of them", "units": "days"},
        "season_coverage": {
            "long_name": "share of the year's twelfths with an observation",
            "units": "1",
        },
    }
    return xr.Dataset(
        {
            name: packed.isel(measure=number).assign_attrs(attrs[name])
            for number, name in enumerate(attrs)
        }
    )


def _prior_strength(baseline: xr.Dataset) -> xr.DataArray:
    """Return the prior's strength (feature, coefficient), 0 where the fit had none."""
    if "prior_strength" in baseline:
        return baseline["prior_strength"].transpose("feature", "coefficient")
    return xr.zeros_like(baseline[COEFFICIENTS.name].isel(y=0, x=0, drop=True), np.float32)


def _prediction_error(
    moments: NDArray[np.float32],
    sigma: NDArray[np.float32],
    strengths: NDArray[np.float32],
    *,
    days: NDArray[np.int64],
    axis: TimeAxis,
) -> NDArray[np.float32]:
    return np.stack(
        [
            standard_error.standard_error(moments, spread, days, axis, strength)
            for spread, strength in zip(sigma, strengths, strict=True)
        ]
    )


def _observed_range(
    features: NDArray[np.int16],
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    *,
    days: NDArray[np.int64],
    axis: TimeAxis,
) -> NDArray[np.float32]:
    """Return the ranges of a block (side, feature, y, x)."""
    ranges = [
        residual_range.residual_range(series, days, model, spread, axis)
        for series, model, spread in zip(features, coefficients, sigma, strict=True)
    ]
    return np.stack(ranges, axis=1)


def _coverage(features: NDArray[np.int16], *, days: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the coverage of a block (measure, feature, y, x)."""
    found = [coverage.observation_coverage(series, days) for series in features]
    return np.stack([np.stack(one) for one in found], axis=1).astype(np.float32)
