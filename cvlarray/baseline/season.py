"""Fit the seasonal model of each pixel and feature, and predict from it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.dates import days_of, history_axis
from cvlarray.baseline.pixelwise import over_pixels, require_one_chunk
from cvlarray.kernels import harmonics
from cvlarray.kernels.season import TimeAxis, coefficient_names
from cvlarray.names import BASELINE_VARIABLES, COEFFICIENTS, N_VALID, SIGMA


def fit_baseline(
    features: xr.DataArray,
    *,
    history: slice | None = None,
    harmonic_order: int = 2,
    min_observations: int | None = None,
    prior: xr.Dataset | None = None,
) -> xr.Dataset:
    """Fit a robust seasonal model to each pixel of each feature.

    Level, trend and annual harmonics by two Huber passes and one of Tukey's biweight; see
    `cvlarray.kernels.harmonics.fit_robust`.

    Parameters
    ----------
    features
        int16 (feature, time, y, x) × 10,000, -32768 missing, as `cvlarray.features.feature_cube`
        makes it; NumPy or dask, with ``time`` one chunk.
    history
        Dates to fit to, such as ``slice("2015-08-01", "2018-08-31")``, both included; all dates of
        ``features`` by default. The trend's time runs over it.
    harmonic_order
        Annual harmonics; the model has ``2 + 2 * harmonic_order`` coefficients.
    min_observations
        Pixels with fewer valid observations get NaN; twice the coefficients by default, or 1 with a
        prior.
    prior
        What `regional_prior` returned; draws the seasons of pixels seldom seen to the region's.

    Returns
    -------
    ``coefficients`` (feature, coefficient, y, x) and ``sigma`` (feature, y, x) float32 in the
    features' units, NaN where too few observations; ``n_valid`` (feature, y, x) uint16. The attrs
    ``time_origin`` [days since 1970-01-01], ``time_span_days`` and ``harmonic_order`` say what the
    coefficients mean. Lazy if ``features`` is.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk, or the history holds fewer than two dates.
    TypeError
        If ``features`` isn't int16.
    """
    if features.dtype != np.int16:
        raise TypeError(f"fit_baseline takes int16 features (-32768 missing), got {features.dtype}")
    chosen = features if history is None else features.sel(time=history)
    require_one_chunk(chosen, "time", "fit a baseline")
    days = days_of(chosen)
    axis = history_axis(days, history)
    names = coefficient_names(harmonic_order)
    default_minimum = 2 * len(names) if prior is None else 1
    function = partial(
        _fit_baseline,
        days=days,
        axis=axis,
        harmonic_order=harmonic_order,
        min_observations=default_minimum if min_observations is None else min_observations,
    )
    packed = over_pixels(
        function,
        chosen.transpose("feature", "time", "y", "x"),
        *([] if prior is None else [_prior_array(prior, chosen)]),
        dims=("feature", "packed", "y", "x"),
        sizes={"packed": len(names) + 2},
        dtype=np.float32,
    )
    return _unpack(packed, names, axis)


def predict(baseline: xr.Dataset, times: Any) -> xr.DataArray:
    """Return what the seasonal model expects on given dates.

    Parameters
    ----------
    baseline
        What `fit_baseline` returned.
    times
        Dates (anything `pandas.DatetimeIndex` takes), inside the history or not; beyond it the
        trend is held.

    Returns
    -------
    float32 (feature, time, y, x) in the features' units; NaN where there is no model.
    """
    index = pd.DatetimeIndex(times)
    days = index.to_numpy().astype("datetime64[D]").astype(np.int64)
    expected = over_pixels(
        partial(_predict, days=days, axis=time_axis(baseline)),
        baseline[COEFFICIENTS.name].transpose("feature", "coefficient", "y", "x"),
        dims=("feature", "time", "y", "x"),
        sizes={"time": len(index)},
        dtype=np.float32,
    )
    attrs = {"long_name": "expected value", "units": SIGMA.attrs["units"]}
    return expected.assign_coords(time=index).rename("expected").assign_attrs(attrs)


def time_axis(baseline: xr.Dataset) -> TimeAxis:
    """Return the trend's time axis from a baseline's attrs."""
    return TimeAxis(float(baseline.attrs["time_origin"]), float(baseline.attrs["time_span_days"]))


def _prior_array(prior: xr.Dataset, features: xr.DataArray) -> xr.DataArray:
    """Return mean, strength and sigma of each feature side by side (feature, parameter)."""
    chosen = prior.sel(feature=features["feature"].to_numpy())
    parts = [
        chosen["prior_mean"].rename(coefficient="parameter"),
        chosen["prior_strength"].rename(coefficient="parameter"),
        chosen["prior_sigma"].expand_dims("parameter"),
    ]
    plain = [part.drop_vars("parameter", errors="ignore") for part in parts]
    return xr.concat(plain, "parameter").transpose("feature", "parameter")


def _fit_baseline(
    features: NDArray[np.int16],
    priors: NDArray[np.float32] | None = None,
    *,
    days: NDArray[np.int64],
    axis: TimeAxis,
    harmonic_order: int,
    min_observations: int,
) -> NDArray[np.float32]:
    """Return coefficients, sigma and n_valid of a block, stacked along one axis."""
    n_features, _, *shape = features.shape
    packed = np.empty((n_features, 2 * harmonic_order + 4, *shape), np.float32)
    for number, (series, out) in enumerate(zip(features, packed, strict=True)):
        fit = harmonics.fit_robust(
            series,
            days,
            axis,
            harmonic_order=harmonic_order,
            min_observations=min_observations,
            prior=None if priors is None else _split_prior(priors[number]),
        )
        out[:-2], out[-2], out[-1] = fit
    return packed


def _split_prior(parameters: NDArray[np.float32]) -> harmonics.Prior:
    mean, strength = np.split(parameters[:-1], 2)
    return harmonics.Prior(mean, strength, float(parameters[-1]))


def _unpack(packed: xr.DataArray, names: list[str], axis: TimeAxis) -> xr.Dataset:
    """Return the baseline's variables with their names and attributes."""
    coefficients = packed.isel(packed=slice(0, -2)).rename(packed="coefficient")
    variables = {
        COEFFICIENTS.name: coefficients.assign_coords(coefficient=names),
        SIGMA.name: packed.isel(packed=-2),
        N_VALID.name: packed.isel(packed=-1).astype(N_VALID.dtype),
    }
    attrs = {
        "time_origin": axis.origin_days,
        "time_span_days": axis.span_days,
        "harmonic_order": (len(names) - 2) // 2,
    }
    baseline = xr.Dataset(variables, attrs=attrs)
    for variable in BASELINE_VARIABLES:
        baseline[variable.name].attrs.update(variable.attrs)
    return baseline


def _predict(
    coefficients: NDArray[np.float32], *, days: NDArray[np.int64], axis: TimeAxis
) -> NDArray[np.float32]:
    return np.stack([harmonics.predict(one, days, axis) for one in coefficients])
