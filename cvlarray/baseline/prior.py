"""What a region's forest has in common, for pixels that were seldom seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.season import time_axis
from cvlarray.kernels.harmonics import HarmonicFit
from cvlarray.kernels.prior import estimate_prior
from cvlarray.kernels.season import TimeAxis
from cvlarray.names import COEFFICIENTS, N_VALID, SIGMA

MAX_REFERENCE_PIXELS = 65_536
"""Pixels that a prior is taken from; of more, every n-th row and column."""


def regional_prior(baseline: xr.Dataset, is_reference: xr.DataArray, times: Any) -> xr.Dataset:
    """Return the typical season of stable pixels, and how much it says about a single one.

    Parameters
    ----------
    baseline
        What `fit_baseline` returned without a prior.
    is_reference
        Boolean (y, x): long-stable, well-observed forest, such as ``is_forest(baseline) &
        (baseline.n_valid.min("feature") >= 30)``. Medians bear less than half of it being wrong.
    times
        The dates of the history.

    Returns
    -------
    ``prior_mean`` and ``prior_strength`` (feature, coefficient) and ``prior_sigma`` (feature), for
    `fit_baseline`; see `cvlarray.kernels.prior.estimate_prior`. Lazy if ``baseline`` is.

    Raises
    ------
    ValueError
        If a feature has no reference pixel with a model.
    """
    step = math.ceil(math.sqrt(is_reference.size / MAX_REFERENCE_PIXELS))
    thinned = {dim: slice(step // 2, None, step) for dim in ("y", "x")}
    chosen = baseline.isel(thinned).where(is_reference.isel(thinned))
    arrays = [chosen[variable.name] for variable in (COEFFICIENTS, SIGMA, N_VALID)]
    whole = [one.chunk(dict.fromkeys(one.dims, -1)) if one.chunks else one for one in arrays]
    axis = time_axis(baseline)
    days = pd.DatetimeIndex(times).to_numpy().astype("datetime64[D]").astype(np.int64)
    mean, strength, sigma = xr.apply_ufunc(
        partial(_priors, days=days, axis=axis),
        *whole,
        input_core_dims=[["coefficient", "y", "x"], ["y", "x"], ["y", "x"]],
        output_core_dims=[["coefficient"], ["coefficient"], []],
        dask="parallelized",
        output_dtypes=[np.float32, np.float32, np.float32],
    )
    return xr.Dataset({"prior_mean": mean, "prior_strength": strength, "prior_sigma": sigma})


def strata_prior(
    baseline: xr.Dataset,
    is_reference: xr.DataArray,
    strata: xr.DataArray,
    values: Sequence[int],
    times: Any,
) -> xr.Dataset:
    """Return the typical season of each stratum's stable pixels, for forests that differ.

    Parameters
    ----------
    baseline, is_reference, times
        As for `regional_prior`.
    strata
        Integers (y, x), such as terra firme, floodplain and palm swamp.
    values
        The strata to tell apart; each needs reference pixels. Others' pixels count in none.

    Returns
    -------
    ``prior_mean`` (stratum, feature, coefficient); ``prior_strength`` (feature, coefficient) and
    ``prior_sigma`` (feature), of the pixels about their own stratum's mean. Lazy if ``baseline``
    is.

    Raises
    ------
    ValueError
        If a feature has no reference pixel with a model in one of the strata.
    """
    means = [
        regional_prior(baseline, is_reference & (strata == value), times)["prior_mean"]
        for value in values
    ]
    typical = sum(mean.where(strata == value, 0) for value, mean in zip(values, means, strict=True))
    about_mean = baseline.assign({COEFFICIENTS.name: baseline[COEFFICIENTS.name] - typical})
    common = regional_prior(about_mean, is_reference & strata.isin(list(values)), times)
    stratum = pd.Index(list(values), name="stratum")
    return common.assign(prior_mean=xr.concat(means, stratum))


def _priors(
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    n_valid: NDArray[np.float32],
    *,
    days: NDArray[np.int64],
    axis: TimeAxis,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return mean, strength and sigma of each feature."""
    priors = [
        estimate_prior(
            HarmonicFit(one.reshape(one.shape[0], -1), spread.ravel(), count.ravel()), days, axis
        )
        for one, spread, count in zip(coefficients, sigma, n_valid, strict=True)
    ]
    mean, strength, typical = zip(*priors, strict=True)
    return np.stack(mean), np.stack(strength), np.array(typical, np.float32)
