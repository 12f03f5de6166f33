"""How far the forest as a whole is off on each date."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.pixelwise import over_pixels
from cvlarray.features import FEATURES, Feature
from cvlarray.kernels.detectors import Consecutive, Detector
from cvlarray.monitor.scan import Watch, measure
from cvlarray.monitor.state import (
    days_to_watch,
    flat_pixels,
    in_order,
    pixel_state,
    season_of,
    start,
    state_arrays,
    watch_of,
)
from cvlarray.names import ALARM_FIRST, DATE_VARIABLES
from cvlarray.normalize import least_count

MAX_REFERENCE_PIXELS = 65_536
"""Pixels that a date is measured on: enough for a median within 0.005 standard deviations."""


def reference_pixels(sizes: Mapping[Any, int]) -> dict[str, slice]:
    """Return the rows and columns that dates are measured on.

    Whoever takes them out of the bands first makes the features of these pixels only.

    Parameters
    ----------
    sizes
        Length of ``y`` and ``x``.
    """
    step = math.ceil(math.sqrt(sizes["y"] * sizes["x"] / MAX_REFERENCE_PIXELS))
    return {dim: slice(step // 2, None, step) for dim in ("y", "x")}


def measure_dates(
    features: xr.DataArray,
    season: xr.Dataset,
    is_forest: xr.DataArray | None = None,
    *,
    detector: Detector = Consecutive(),  # noqa: B008  frozen
    definitions: Mapping[str, Feature] = FEATURES,
) -> xr.Dataset:
    """Return how far the forest as a whole is off on each date.

    Measured on every n-th row and column where there are many pixels, and so the same for any
    chunks. These pixels are watched date by date as all are: each date is measured against the
    season as the dates before have left it.

    Parameters
    ----------
    features
        int16 (feature, time, y, x), as `cvlarray.features.feature_cube` makes it; ``time`` is one
        chunk.
    season
        A baseline, or a state that holds the dates before.
    is_forest
        Boolean (y, x), such as `cvlarray.baseline.is_forest` gives; a state has its own.
    detector, definitions
        As for `monitor`.

    Returns
    -------
    ``date_offset`` and ``date_spread`` (feature, time), as `cvlarray.normalize.date_statistics`
    gives them. Lazy if the inputs are.
    """
    state = season
    if ALARM_FIRST.name not in season:
        state = start(season_of(features, season), is_forest=is_forest, detector=detector)
    thinned = reference_pixels(features.sizes)
    seen = in_order(features, state).isel(thinned).transpose("feature", "time", "y", "x")
    watch = watch_of(state, features, detector, definitions)
    measured = over_pixels(
        partial(_measure, watch=watch, days=days_to_watch(state, features)),
        seen,
        *(one.isel(thinned) for one in state_arrays(state)),
        dims=("statistic", "feature", "time"),
        sizes={"statistic": 2},
        dtype=np.float32,
    )
    statistics = xr.Dataset(coords=measured.coords)
    for number, variable in enumerate(DATE_VARIABLES):
        found = measured.isel(statistic=number)
        statistics[variable.name] = found.drop_attrs().assign_attrs(variable.attrs)
    return statistics


def _measure(
    features: NDArray[np.int16], *arrays: NDArray[Any], watch: Watch, days: list[int]
) -> NDArray[np.float32]:
    state = pixel_state(arrays)
    min_count = least_count(int(state.is_forest.sum()))
    return np.stack(measure(watch, state, flat_pixels(features), days, min_count))
