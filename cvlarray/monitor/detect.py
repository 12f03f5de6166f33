"""Date the first confirmed change of each pixel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.pixelwise import over_pixels
from cvlarray.features import FEATURES, Feature, find_feature
from cvlarray.kernels.detectors import NEVER, Consecutive, Detector
from cvlarray.kernels.evidence import findings
from cvlarray.monitor.state import pixel_state, season_of, start, state_arrays, update
from cvlarray.names import DETECTION_VARIABLES, DIRECTION

_RECORD = np.dtype([(variable.name, variable.dtype) for variable in DETECTION_VARIABLES])


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

    All features must agree: their least residual towards disturbance goes through the detector.
    What goes one way in one feature and the other way in another is no loss of forest and raises
    nothing: over rising water NDVI falls, but red falls too; green-up falls short in both.

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
    season = season_of(features, baseline)
    state = start(season, is_forest=is_forest, detector=detector)
    watched = update(state, features, dates=dates, detector=detector, definitions=definitions)
    return detections(watched, definitions=definitions)


def detections(state: xr.Dataset, *, definitions: Mapping[str, Feature] = FEATURES) -> xr.Dataset:
    """Return the confirmed changes that a state knows of; see `monitor`."""
    first = find_feature(str(state["feature"].to_numpy()[0]), definitions)
    packed = over_pixels(
        partial(_detections, direction=int(first.direction)),
        *state_arrays(state),
        dims=("y", "x"),
        sizes={},
        dtype=_RECORD,
    )
    found = xr.Dataset(coords=packed.coords)
    for variable in DETECTION_VARIABLES:
        field = packed.copy(data=packed.data[variable.name])
        found[variable.name] = field.assign_attrs(variable.attrs)
    return found


def _detections(*arrays: NDArray[Any], direction: int) -> NDArray[Any]:
    """Return the findings of a block as records (y, x)."""
    state = pixel_state(arrays)
    records = np.empty(state.is_forest.size, _RECORD)
    for name, values in findings(state.alarm, state.evidence)._asdict().items():
        records[name] = values
    records[DIRECTION.name] = np.where(state.alarm.confirmed != NEVER, direction, 0)
    return records.reshape(arrays[-1].shape)
