"""How far observations are from their season."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline import predict, time_axis
from cvlarray.baseline.dates import days_of
from cvlarray.baseline.pixelwise import over_pixels
from cvlarray.features import FEATURES, Feature, find_feature
from cvlarray.kernels.residual import standardise
from cvlarray.kernels.season import TimeAxis
from cvlarray.names import COEFFICIENTS, NODATA_DN, SIGMA


def residual(features: xr.DataArray, baseline: xr.Dataset) -> xr.DataArray:
    """Return observed less expected, in the features' own units.

    Parameters
    ----------
    features
        int16 (feature, time, y, x), as `cvlarray.features.feature_cube` makes it.
    baseline
        What `cvlarray.baseline.fit_baseline` returned for the same features and pixels.

    Returns
    -------
    float32 (feature, time, y, x) × 10,000, NaN where missing or without a model. Lazy if the
    inputs are.

    Raises
    ------
    ValueError
        If the baseline lacks a feature.
    """
    names = features["feature"].to_numpy()
    _require_features(names, baseline)
    expected = predict(baseline.sel(feature=names), features["time"].to_numpy())
    observed = features.where(features != NODATA_DN).astype(np.float32)
    attrs = {"long_name": "observed less expected", "units": SIGMA.attrs["units"]}
    return (observed - expected).rename("residual").assign_attrs(attrs)


def standardised_residual(
    features: xr.DataArray,
    baseline: xr.Dataset,
    *,
    definitions: Mapping[str, Feature] = FEATURES,
) -> xr.DataArray:
    """Return how far observations are from their season, positive towards disturbance.

    Parameters
    ----------
    features
        int16 (feature, time, y, x), as `cvlarray.features.feature_cube` makes it.
    baseline
        What `cvlarray.baseline.fit_baseline` returned for the same features and pixels.
    definitions
        Each feature's direction and noise floor by its name.

    Returns
    -------
    float32 (feature, time, y, x) in standard deviations, which are at least the feature's noise
    floor; NaN where missing or without a model. Lazy if the inputs are.
    """
    residual = over_pixels(
        _standardiser(features, baseline, definitions).residual,
        features.transpose("feature", "time", "y", "x"),
        *_model(features, baseline),
        dims=("feature", "time", "y", "x"),
        sizes={},
        dtype=np.float32,
    )
    attrs = {"long_name": "residual towards disturbance, standardised", "units": "1"}
    return residual.rename("residual").assign_attrs(attrs)


@dataclass(frozen=True)
class _Standardiser:
    """What all blocks need to know of dates and features."""

    days: NDArray[np.int64]
    axis: TimeAxis
    definitions: tuple[Feature, ...]

    def residual(
        self,
        features: NDArray[np.int16],
        coefficients: NDArray[np.float32],
        sigma: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the residuals (feature, time, ...) of a block."""
        residual = np.empty(features.shape, np.float32)
        for number, feature in enumerate(self.definitions):
            residual[number] = standardise(
                features[number],
                self.days,
                coefficients[number],
                sigma[number],
                self.axis,
                direction=feature.direction,
                sigma_floor=feature.noise_floor,
            )
        return residual


def _standardiser(
    features: xr.DataArray, baseline: xr.Dataset, definitions: Mapping[str, Feature]
) -> _Standardiser:
    found = [find_feature(str(name), definitions) for name in features["feature"].to_numpy()]
    return _Standardiser(days_of(features), time_axis(baseline), tuple(found))


def _model(features: xr.DataArray, baseline: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return coefficients and sigma of the features, in their order."""
    wanted, known = list(features["feature"].to_numpy()), list(baseline["feature"].to_numpy())
    _require_features(wanted, baseline)
    chosen = baseline if wanted == known else baseline.sel(feature=wanted)
    return (
        chosen[COEFFICIENTS.name].transpose("feature", "coefficient", "y", "x"),
        chosen[SIGMA.name].transpose("feature", "y", "x"),
    )


def _require_features(wanted: Iterable[Any], baseline: xr.Dataset) -> None:
    known = [str(name) for name in baseline["feature"].to_numpy()]
    missing = [str(name) for name in wanted if name not in known]
    if missing:
        raise ValueError(
            f"the baseline has {', '.join(known)}, but not {', '.join(missing)}; fit it to them too"
        )
