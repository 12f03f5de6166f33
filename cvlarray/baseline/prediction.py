"""What a fitted season expects on any day."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.pixelwise import over_pixels
from cvlarray.baseline.season import time_axis
from cvlarray.kernels import harmonics
from cvlarray.kernels.season import TimeAxis
from cvlarray.names import COEFFICIENTS, SIGMA


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


def _predict(
    coefficients: NDArray[np.float32], *, days: NDArray[np.int64], axis: TimeAxis
) -> NDArray[np.float32]:
    return np.stack([harmonics.predict(one, days, axis) for one in coefficients])
