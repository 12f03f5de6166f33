"""One pixel through time as tables: what was seen, what was expected, and when it stopped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline import predict
from cvlarray.features import Feature, find_feature
from cvlarray.names import (
    CONFIRMED,
    FIRST_FLAGGED,
    INTERVAL_END,
    INTERVAL_START,
    NO_DATE,
    NODATA_DN,
    SIGMA,
)

_PER_UNIT = 10_000
_STEP_DAYS = 5


class ChangeDates(NamedTuple):
    """When a pixel changed, datetime64[D]; the interval is None where one end wasn't seen."""

    first_flagged: np.datetime64
    confirmed: np.datetime64
    interval: tuple[np.datetime64, np.datetime64] | None


class PixelSeries(NamedTuple):
    """What is drawn of a pixel; values are in the feature's own unit, not × 10,000."""

    feature: str
    season: pd.DataFrame
    """By time, every few days: ``expected``, ``lower``, ``upper``."""
    observations: pd.DataFrame
    """By time: ``value``, ``expected``, ``deviation`` towards disturbance [standard deviations],
    ``is_flagged``."""
    change: ChangeDates | None
    """None if there is no confirmed change."""


def pixel_series(
    features: xr.DataArray, season: xr.Dataset, detections: xr.Dataset | None, half_width: float
) -> PixelSeries:
    """Return what there is to draw; takes and raises what `cvlarray.plots.plot_pixel` does."""
    if features.dims != ("time",) or "feature" not in features.coords:
        raise ValueError(
            f"a pixel's plot is of (time) of one feature, got {features.dims}; choose with "
            'features.sel(feature="ndvi").isel(y=0, x=0)'
        )
    name = str(features["feature"].item())
    feature = find_feature(name)
    model = _at(season, features).sel(feature=[name])
    spread = _spread(model, feature)
    found = None if detections is None else _change(_at(detections, features))
    return PixelSeries(
        name,
        _season(features, model, half_width * spread),
        _observations(features, model, feature.direction / spread, half_width),
        found,
    )


def _at(dataset: xr.Dataset, pixel: xr.DataArray) -> xr.Dataset:
    """Return the pixel of a dataset, with y and x of one element."""
    place = {dim: [pixel[dim].item()] for dim in ("y", "x")}
    return dataset.sel(place).compute()


def _spread(model: xr.Dataset, feature: Feature) -> float:
    sigma = float(model[SIGMA.name].item())
    return max(sigma, feature.noise_floor) / _PER_UNIT


def _expected(model: xr.Dataset, times: pd.DatetimeIndex) -> NDArray[np.float64]:
    curve = predict(model, times).transpose("feature", "time", "y", "x")
    return curve.to_numpy()[0, :, 0, 0].astype(np.float64) / _PER_UNIT


def _season(features: xr.DataArray, model: xr.Dataset, half_width: float) -> pd.DataFrame:
    days = features["time"].to_numpy().astype("datetime64[D]")
    times = pd.DatetimeIndex(np.arange(days[0], days[-1] + 1, _STEP_DAYS), name="time")
    expected = _expected(model, times)
    band = {"lower": expected - half_width, "upper": expected + half_width}
    return pd.DataFrame({"expected": expected, **band}, index=times)


def _observations(
    features: xr.DataArray, model: xr.Dataset, per_unit: float, half_width: float
) -> pd.DataFrame:
    values = features.to_numpy()
    is_seen = values != NODATA_DN
    times = pd.DatetimeIndex(features["time"].to_numpy()[is_seen], name="time")
    seen, expected = values[is_seen] / _PER_UNIT, _expected(model, times)
    table = pd.DataFrame({"value": seen, "expected": expected}, index=times)
    table["deviation"] = per_unit * (seen - expected)
    table["is_flagged"] = table["deviation"] > half_width
    return table


def _change(found: xr.Dataset) -> ChangeDates | None:
    first, confirmed, start, end = (
        _day(found, one.name) for one in (FIRST_FLAGGED, CONFIRMED, INTERVAL_START, INTERVAL_END)
    )
    if first is None or confirmed is None:
        return None
    return ChangeDates(first, confirmed, None if start is None or end is None else (start, end))


def _day(found: xr.Dataset, name: str) -> np.datetime64 | None:
    """Return a date, None if there is none."""
    value = found[name].to_numpy().ravel()[0]
    if found[name].dtype.kind == "M":
        return None if np.isnat(value) else np.datetime64(value, "D")
    return None if value == NO_DATE else np.datetime64(int(value), "D")
