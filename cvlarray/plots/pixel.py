"""One pixel through time: what was seen, what was expected, and when it stopped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
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

_SEEN, _FLAGGED, _EXPECTED, _WHEN = "#4c6a5d", "#c4431a", "#1f5c4a", "#7a1f0b"
_PER_UNIT = 10_000
_STEP_DAYS = 5


def plot_pixel(
    features: xr.DataArray,
    season: xr.Dataset,
    detections: xr.Dataset | None = None,
    *,
    half_width: float = 2.25,
    axes: Axes | None = None,
) -> Axes:
    """Draw one pixel's observations, its season with a band, and the dates of its change.

    Parameters
    ----------
    features
        int16 (time) of one feature and pixel, such as ``features.sel(feature="ndvi").isel(y=3,
        x=5)``; -32768 is missing. Computed if lazy.
    season
        What `cvlarray.baseline.fit_baseline` or `cvlarray.monitor.update` returned, of any pixels:
        that of ``features`` is taken by its coordinates.
    detections
        What `cvlarray.monitor.monitor` or `detections` returned; without it no dates are drawn.
    half_width
        Half of the band's width [standard deviations, at least the feature's noise floor]; what is
        beyond it towards disturbance is drawn as flagged.
    axes
        To draw into; a figure of its own by default.

    Returns
    -------
    The axes; their figure is ``axes.figure``. Values are in the feature's own unit, not × 10,000.

    Raises
    ------
    ValueError
        If ``features`` isn't one pixel of one feature.
    """
    if features.dims != ("time",) or "feature" not in features.coords:
        raise ValueError(
            f"plot_pixel draws (time) of one feature, got {features.dims}; choose with "
            'features.sel(feature="ndvi").isel(y=0, x=0)'
        )
    name = str(features["feature"].item())
    feature = find_feature(name)
    model = _at(season, features).sel(feature=[name])
    if axes is None:
        axes = Figure(figsize=(9, 3.2), layout="constrained").subplots()
    _draw_season(axes, features, model, half_width * _spread(model, feature))
    _draw_observations(axes, features, model, feature, half_width)
    if detections is not None:
        _draw_dates(axes, _at(detections, features))
    axes.set_ylabel(name)
    axes.margins(x=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.18), ncols=5, frameon=False, fontsize=8)
    return axes


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


def _draw_season(axes: Axes, features: xr.DataArray, model: xr.Dataset, half_width: float) -> None:
    days = features["time"].to_numpy().astype("datetime64[D]")
    times = pd.DatetimeIndex(np.arange(days[0], days[-1] + 1, _STEP_DAYS))
    expected = _expected(model, times)
    axes.plot(times.to_numpy(), expected, color=_EXPECTED, lw=1.2, label="expected")
    axes.fill_between(
        times.to_numpy(),
        expected - half_width,
        expected + half_width,
        color=_EXPECTED,
        alpha=0.15,
        lw=0,
        label="as expected",
    )


def _draw_observations(
    axes: Axes, features: xr.DataArray, model: xr.Dataset, feature: Feature, half_width: float
) -> None:
    values = features.to_numpy()
    is_seen = values != NODATA_DN
    times = pd.DatetimeIndex(features["time"].to_numpy()[is_seen])
    seen = values[is_seen] / _PER_UNIT
    beyond = feature.direction * (seen - _expected(model, times)) / _spread(model, feature)
    is_flagged = beyond > half_width
    for chosen, colour, label in (
        (~is_flagged, _SEEN, "observed"),
        (is_flagged, _FLAGGED, "flagged"),
    ):
        axes.scatter(
            times[chosen].to_numpy(), seen[chosen], s=10, color=colour, label=label, zorder=3
        )


def _draw_dates(axes: Axes, found: xr.Dataset) -> None:
    first, confirmed, begin, end = (
        _day(found, one.name) for one in (FIRST_FLAGGED, CONFIRMED, INTERVAL_START, INTERVAL_END)
    )
    if first is None or confirmed is None:
        return
    if begin is not None and end is not None:
        axes.axvspan(begin, end, color=_WHEN, alpha=0.12, lw=0, label="changed within")
    for day, style, label in ((first, "--", "first flagged"), (confirmed, "-", "confirmed")):
        date = np.datetime64(day, "D")
        axes.axvline(day, color=_WHEN, ls=style, lw=1, label=f"{label} {date}")


def _day(found: xr.Dataset, name: str) -> int | None:
    """Return a date as matplotlib counts days, since 1970-01-01; None if there is none."""
    value = found[name].to_numpy().ravel()[0]
    if found[name].dtype.kind == "M":
        return None if np.isnat(value) else int(value.astype("datetime64[D]").astype(int))
    return None if value == NO_DATE else int(value)
