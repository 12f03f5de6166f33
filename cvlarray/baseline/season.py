"""Fit the seasonal model of each pixel and feature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.dates import days_of, history_axis
from cvlarray.baseline.pixelwise import over_pixels, require_one_chunk
from cvlarray.kernels import harmonics, joint
from cvlarray.kernels.online import state_of
from cvlarray.kernels.season import TimeAxis, coefficient_names, moment_names
from cvlarray.names import BASELINE_VARIABLES, COEFFICIENTS, MOMENTS, N_VALID, SIGMA

_NO_STRATUM = -1


def fit_baseline(
    features: xr.DataArray,
    *,
    history: slice | None = None,
    harmonic_order: int = 2,
    min_observations: int | None = None,
    prior: xr.Dataset | None = None,
    strata: xr.DataArray | None = None,
) -> xr.Dataset:
    """Fit a robust seasonal model to each pixel of each feature.

    Level, trend and annual harmonics by two Huber steps and one pass with Tukey's biweight; see
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
        What `regional_prior` or `strata_prior` returned; draws the seasons of pixels seldom seen to
        the region's, or their stratum's.
    strata
        Integers (y, x): the stratum of each pixel, for a prior of strata; what is in none of them
        is fitted without a prior.

    Returns
    -------
    ``coefficients`` (feature, coefficient, y, x) and ``sigma`` (feature, y, x) float32 in the
    features' units, NaN where too few observations; ``n_valid`` (feature, y, x) uint16;
    ``moments`` (moment, y, x) float32, from which `cvlarray.monitor.update` goes on; with a prior
    also its ``prior_strength`` (feature, coefficient). The attrs ``time_origin`` [days since
    1970-01-01], ``time_span_days`` and ``harmonic_order`` say what the coefficients mean. Lazy if
    ``features`` is.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk, the history holds fewer than two dates, or one of
        ``strata`` and a prior of strata is given without the other.
    TypeError
        If ``features`` isn't int16.
    """
    if (prior is not None and "stratum" in prior.dims) != (strata is not None):
        raise ValueError(
            "a prior of strata and the strata of the pixels go together, got one of them; pass "
            "fit_baseline both, or a prior that regional_prior returned"
        )
    default_minimum = 2 * (2 + 2 * harmonic_order) if prior is None else 1
    minimum = default_minimum if min_observations is None else min_observations
    drawn = [] if prior is None else [_prior_array(prior, features)]
    if prior is not None and strata is not None:
        drawn.append(_stratum_number(strata, prior["stratum"].to_numpy()))
    baseline = _fit(features, history, harmonic_order, partial(_separately, minimum=minimum), drawn)
    if prior is not None:
        baseline["prior_strength"] = prior["prior_strength"].sel(feature=baseline["feature"])
    return baseline


def fit_baseline_jointly(
    features: xr.DataArray,
    *,
    history: slice | None = None,
    harmonic_order: int = 2,
    min_observations: int | None = None,
) -> xr.Dataset:
    """Fit the seasonal models of all features with one weight an observation for all of them.

    A cloud that stands out in one feature then counts in none; see
    `cvlarray.kernels.joint.fit_joint`. Takes, returns and raises what `fit_baseline` does, except
    that there is no prior and that what is missing in one feature is missing in all.
    """
    minimum = 2 * (2 + 2 * harmonic_order) if min_observations is None else min_observations
    return _fit(features, history, harmonic_order, partial(_jointly, minimum=minimum), [])


def time_axis(baseline: xr.Dataset) -> TimeAxis:
    """Return the trend's time axis from a baseline's attrs."""
    return TimeAxis(float(baseline.attrs["time_origin"]), float(baseline.attrs["time_span_days"]))


class _Fitter(Protocol):
    """Fits the features (feature, time, y, x) of a block."""

    def __call__(
        self,
        features: NDArray[np.int16],
        *drawn: NDArray[Any],
        days: NDArray[np.int64],
        axis: TimeAxis,
        harmonic_order: int,
    ) -> harmonics.HarmonicFit:
        """Return all features' fits, the feature as first axis."""


def _fit(
    features: xr.DataArray,
    history: slice | None,
    harmonic_order: int,
    fitter: _Fitter,
    drawn: Sequence[xr.DataArray],
) -> xr.Dataset:
    """Fit each block's features, drawn to priors or not, and give the results their names."""
    if features.dtype != np.int16:
        raise TypeError(f"fit_baseline takes int16 features (-32768 missing), got {features.dtype}")
    chosen = features if history is None else features.sel(time=history)
    require_one_chunk(chosen, "time", "fit a baseline")
    days = days_of(chosen)
    axis = history_axis(days, history)
    names = coefficient_names(harmonic_order)
    n_features = chosen.sizes["feature"]
    packed = over_pixels(
        partial(_fit_baseline, fitter=fitter, days=days, axis=axis, harmonic_order=harmonic_order),
        chosen.transpose("feature", "time", "y", "x"),
        *drawn,
        dims=("packed", "y", "x"),
        sizes={"packed": n_features * (len(names) + 2) + len(moment_names(harmonic_order))},
        dtype=np.float32,
    )
    return _unpack(packed, chosen["feature"], names, axis)


def _separately(
    features: NDArray[np.int16],
    priors: NDArray[np.float32] | None = None,
    strata: NDArray[np.int16] | None = None,
    *,
    days: NDArray[np.int64],
    axis: TimeAxis,
    harmonic_order: int,
    minimum: int,
) -> harmonics.HarmonicFit:
    """Fit each feature by itself, drawn to the prior of its pixels' stratum."""
    fit_with = partial(harmonics.fit_robust, days=days, axis=axis, harmonic_order=harmonic_order)
    if priors is None:
        fits = [fit_with(series, min_observations=minimum) for series in features]
    elif strata is None:
        fits = [
            fit_with(series, min_observations=minimum, prior=_split_prior(parameters))
            for series, parameters in zip(features, priors[0], strict=True)
        ]
    else:
        fits = [
            _by_stratum(series, strata, priors[:, number], minimum, fit_with)
            for number, series in enumerate(features)
        ]
    return harmonics.HarmonicFit(*(np.stack(arrays) for arrays in zip(*fits, strict=True)))


def _by_stratum(
    series: NDArray[np.int16],
    strata: NDArray[np.int16],
    priors: NDArray[np.float32],
    minimum: int,
    fit_with: Callable[..., harmonics.HarmonicFit],
) -> harmonics.HarmonicFit:
    """Fit the pixels of each stratum with its prior, and those of none without."""
    n_coefficients = priors.shape[1] // 2
    whole = harmonics.HarmonicFit(
        np.empty((n_coefficients, *strata.shape), np.float32),
        np.empty(strata.shape, np.float32),
        np.empty(strata.shape, np.uint16),
    )
    for number in np.unique(strata):
        is_in = strata == number
        if number == _NO_STRATUM:
            without = max(minimum, 2 * n_coefficients)
            fit = fit_with(series[:, is_in], min_observations=without)
        else:
            prior = _split_prior(priors[number])
            fit = fit_with(series[:, is_in], min_observations=minimum, prior=prior)
        whole.coefficients[:, is_in] = fit.coefficients
        whole.sigma[is_in] = fit.sigma
        whole.n_valid[is_in] = fit.n_valid
    return whole


def _jointly(
    features: NDArray[np.int16],
    *,
    days: NDArray[np.int64],
    axis: TimeAxis,
    harmonic_order: int,
    minimum: int,
) -> harmonics.HarmonicFit:
    fit = joint.fit_joint(
        features, days, axis, harmonic_order=harmonic_order, min_observations=minimum
    )
    return fit._replace(n_valid=np.broadcast_to(fit.n_valid, fit.sigma.shape))


def _prior_array(prior: xr.Dataset, features: xr.DataArray) -> xr.DataArray:
    """Return mean, strength and sigma side by side (stratum, feature, parameter)."""
    chosen = prior.sel(feature=features["feature"].to_numpy())
    mean = (
        chosen["prior_mean"]
        if "stratum" in chosen.dims
        else chosen["prior_mean"].expand_dims("stratum")
    )
    parts = [
        mean.rename(coefficient="parameter"),
        chosen["prior_strength"].rename(coefficient="parameter"),
        chosen["prior_sigma"].expand_dims("parameter"),
    ]
    plain = [part.drop_vars(["parameter", "stratum"], errors="ignore") for part in parts]
    alike = [
        part if "stratum" in part.dims else part.expand_dims(stratum=mean.sizes["stratum"])
        for part in plain
    ]
    return xr.concat(alike, "parameter").transpose("stratum", "feature", "parameter")


def _stratum_number(strata: xr.DataArray, values: NDArray[np.int64]) -> xr.DataArray:
    """Return each pixel's position among the strata of a prior, `_NO_STRATUM` if in none."""
    number = xr.full_like(strata, _NO_STRATUM, np.int16)
    for position, value in enumerate(values):
        number = number.where(strata != value, np.int16(position))
    return number.transpose("y", "x")


def _fit_baseline(
    features: NDArray[np.int16],
    *drawn: NDArray[Any],
    fitter: _Fitter,
    days: NDArray[np.int64],
    axis: TimeAxis,
    harmonic_order: int,
) -> NDArray[np.float32]:
    """Return coefficients, sigma and n_valid of each feature, and the moments, along one axis."""
    n_features, n_dates, *shape = features.shape
    coefficients, sigma, n_valid = fitter(
        features, *drawn, days=days, axis=axis, harmonic_order=harmonic_order
    )
    flat = features.reshape(n_features, n_dates, -1)
    n_pixels = flat.shape[2]
    state = state_of(
        flat,
        days,
        axis,
        coefficients.reshape(n_features, -1, n_pixels),
        sigma.reshape(n_features, n_pixels),
    )
    parts = state.coefficients, state.sigma, n_valid, state.moments
    return np.concatenate([part.reshape(-1, *shape).astype(np.float32) for part in parts])


def _split_prior(parameters: NDArray[np.float32]) -> harmonics.Prior:
    mean, strength = np.split(parameters[:-1], 2)
    return harmonics.Prior(mean, strength, float(parameters[-1]))


def _unpack(
    packed: xr.DataArray, features: xr.DataArray, names: list[str], axis: TimeAxis
) -> xr.Dataset:
    """Return the baseline's variables with their names and attributes."""
    n_features, n_names = features.size, len(names)
    ends = np.cumsum([n_features * n_names, n_features, n_features]).tolist()
    coefficients, sigma, n_valid, moments = (
        packed.isel(packed=slice(start, end))
        for start, end in zip([0, *ends], [*ends, None], strict=True)
    )
    of_feature = [
        coefficients.isel(packed=slice(start, start + n_names))
        for start in range(0, n_features * n_names, n_names)
    ]
    stacked = xr.concat(of_feature, "feature", coords="minimal", compat="override")
    feature = {"feature": features.to_numpy()}
    variables = {
        COEFFICIENTS.name: stacked.rename(packed="coefficient").assign_coords(coefficient=names),
        SIGMA.name: sigma.rename(packed="feature"),
        N_VALID.name: n_valid.rename(packed="feature").astype(N_VALID.dtype),
        MOMENTS.name: moments.rename(packed="moment").assign_coords(
            moment=moment_names((n_names - 2) // 2)
        ),
    }
    attrs = {
        "time_origin": axis.origin_days,
        "time_span_days": axis.span_days,
        "harmonic_order": (n_names - 2) // 2,
    }
    baseline = xr.Dataset(variables, attrs=attrs).assign_coords(feature)
    for variable in BASELINE_VARIABLES:
        baseline[variable.name].attrs.update(variable.attrs)
    return baseline
