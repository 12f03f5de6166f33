"""Compare observations with their season, and date the changes that last."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from cvlarray.kernels.detectors import (
    NEVER,
    Alarm,
    Bayesian,
    Consecutive,
    Cusum,
    Detector,
    Ewma,
    Mosum,
)
from cvlarray.kernels.evidence import collect_evidence
from cvlarray.kernels.residual import DateStatistics, joint_residual, standardise
from cvlarray.kernels.season import TimeAxis
from cvlarray.names import COEFFICIENTS, DATE_OFFSET, DATE_SPREAD, DETECTION_VARIABLES, SIGMA
from cvlarray.normalize import date_statistics

__all__ = [
    "Bayesian",
    "Consecutive",
    "Cusum",
    "Detector",
    "Ewma",
    "Mosum",
    "measure_dates",
    "monitor",
    "standardised_residual",
]

MAX_REFERENCE_PIXELS = 65_536
"""Pixels that a date is measured on: enough for a median within 0.005 standard deviations."""

PIXELS_AT_ONCE = 65_536
"""Pixels whose residuals are held at once."""

_RECORD = np.dtype([(variable.name, variable.dtype) for variable in DETECTION_VARIABLES])


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


def measure_dates(
    features: xr.DataArray,
    baseline: xr.Dataset,
    is_forest: xr.DataArray,
    *,
    definitions: Mapping[str, Feature] = FEATURES,
) -> xr.Dataset:
    """Return how far the forest as a whole is off on each date.

    Measured on every n-th row and column where there are many pixels, and so the same for any
    chunks.

    Parameters
    ----------
    features, baseline, definitions
        As for `standardised_residual`.
    is_forest
        Boolean (y, x), such as `cvlarray.baseline.is_forest` gives.

    Returns
    -------
    ``date_offset`` and ``date_spread`` (feature, time), as `cvlarray.normalize.date_statistics`
    gives them.
    """
    step = math.ceil(math.sqrt(is_forest.size / MAX_REFERENCE_PIXELS))
    thinned = {dim: slice(step // 2, None, step) for dim in ("y", "x")}
    residual = standardised_residual(
        features.isel(thinned), baseline.isel(thinned), definitions=definitions
    )
    return date_statistics(residual, is_forest.isel(thinned))


def monitor(
    features: xr.DataArray,
    baseline: xr.Dataset,
    *,
    dates: xr.Dataset | None = None,
    is_forest: xr.DataArray | None = None,
    detector: Detector = Consecutive(),  # noqa: B008  frozen
    definitions: Mapping[str, Feature] = FEATURES,
) -> xr.Dataset:
    """Date the first confirmed change of each pixel.

    All features must agree: their least residual goes through the detector.

    Parameters
    ----------
    features
        int16 (feature, time, y, x) of the monitoring period; ``time`` increases and is one chunk.
    baseline
        What `cvlarray.baseline.fit_baseline` returned for the same features and pixels.
    dates
        What `measure_dates` returned for the same dates, perhaps over a wider region; without it
        no date is corrected, which suits single pixels.
    is_forest
        Boolean (y, x): where a change is looked for; everywhere by default.
    detector
        Sequential test.
    definitions
        Each feature's direction and noise floor by its name.

    Returns
    -------
    The variables `cvlarray.names.DETECTION_VARIABLES`, each (y, x). Dates are days since
    1970-01-01, -1 where there is no confirmed change. Observations on dates that can't be judged
    don't count as clear. Lazy if the inputs are.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk or isn't increasing, or ``dates`` are others.
    """
    require_one_chunk(features, "time", "monitor")
    days = days_of(features)
    if np.any(np.diff(days) <= 0):
        raise ValueError("time must increase from slice to slice; use features.sortby('time')")
    packed = over_pixels(
        partial(
            _monitor,
            standardiser=_standardiser(features, baseline, definitions),
            detector=detector,
        ),
        features.transpose("feature", "time", "y", "x"),
        *_model(features, baseline),
        _date_array(features, dates),
        _forest_mask(features, is_forest),
        dims=("y", "x"),
        sizes={},
        dtype=_RECORD,
    )
    return _unpack(packed)


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
    missing = [str(name) for name in wanted if name not in known]
    if missing:
        raise ValueError(
            f"the baseline has {', '.join(known)}, but not {', '.join(missing)}; fit it to them too"
        )
    chosen = baseline if wanted == known else baseline.sel(feature=wanted)
    return (
        chosen[COEFFICIENTS.name].transpose("feature", "coefficient", "y", "x"),
        chosen[SIGMA.name].transpose("feature", "y", "x"),
    )


def _date_array(features: xr.DataArray, dates: xr.Dataset | None) -> xr.DataArray:
    """Return offset and spread of each feature and date as one array (statistic, ...)."""
    dims = ("statistic", "feature", "time")
    if dates is None:
        neutral = DateStatistics.neutral(features.sizes["feature"], features.sizes["time"])
        return xr.DataArray(np.stack(neutral), dims=dims)
    if not dates.indexes["time"].equals(features.indexes["time"]):
        raise ValueError(
            f"dates must be those of features, got {dates.sizes['time']} for "
            f"{features.sizes['time']}; measure them with measure_dates"
        )
    chosen = dates[[DATE_OFFSET.name, DATE_SPREAD.name]].sel(feature=features["feature"].to_numpy())
    return chosen.to_dataarray("statistic").transpose(*dims)


def _forest_mask(features: xr.DataArray, is_forest: xr.DataArray | None) -> xr.DataArray:
    if is_forest is None:
        return xr.ones_like(features.isel(feature=0, time=0).reset_coords(drop=True), dtype=bool)
    return is_forest.transpose("y", "x")


def _monitor(
    features: NDArray[np.int16],
    coefficients: NDArray[np.float32],
    sigma: NDArray[np.float32],
    dates: NDArray[np.float32],
    is_forest: NDArray[np.bool_],
    *,
    standardiser: _Standardiser,
    detector: Detector,
) -> NDArray[Any]:
    """Return the detections of a block as records (y, x)."""
    n_features, n_dates, *shape = features.shape
    detections = np.empty(math.prod(shape), _RECORD)
    flat = features.reshape(n_features, n_dates, -1)
    model = coefficients.reshape(n_features, -1, detections.size), sigma.reshape(n_features, -1)
    for first in range(0, detections.size, PIXELS_AT_ONCE):
        part = slice(first, first + PIXELS_AT_ONCE)
        residual = standardiser.residual(flat[..., part], *(one[..., part] for one in model))
        joint = joint_residual(list(residual), DateStatistics(*dates))
        alarm = _within(detector(joint), is_forest.ravel()[part])
        days = standardiser.days.astype(np.int32)
        evidence = collect_evidence(joint, days, alarm, detector.threshold)
        for name, values in evidence._asdict().items():
            detections[name][part] = values
    return detections.reshape(shape)


def _within(alarm: Alarm, is_forest: NDArray[np.bool_]) -> Alarm:
    """Return the alarms inside the forest."""
    return Alarm(*(np.where(is_forest, position, NEVER) for position in alarm))


def _unpack(packed: xr.DataArray) -> xr.Dataset:
    """Return one variable for each field of the records."""
    detections = xr.Dataset(coords=packed.coords)
    for variable in DETECTION_VARIABLES:
        field = packed.copy(data=packed.data[variable.name])
        detections[variable.name] = field.assign_attrs(variable.attrs)
    return detections
