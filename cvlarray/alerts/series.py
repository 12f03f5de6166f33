"""What was seen and what was expected at the place of an alert, ready to be drawn."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox

from cvlarray.alerts.window import alert_window
from cvlarray.baseline import predict
from cvlarray.features import find_feature
from cvlarray.names import NODATA_DN, SIGMA

__all__ = ["AlertSeries", "alert_series"]

FEATURE_SCALE = 10_000
"""Features are stored × 10,000."""

CURVE_STEP_DAYS = 5

MIN_SEEN_SHARE = 0.5
"""Dates on which fewer of the alert's pixels were seen have no median."""


@dataclass(frozen=True)
class AlertSeries:
    """Time series of one feature over the pixels of one alert.

    Raises
    ------
    ValueError
        If arrays that belong together differ in length.
    """

    event_id: str
    feature: str
    """Name of the feature, such as ``ndvi``."""
    dates: npt.NDArray[np.datetime64]
    """(n,) datetime64[D]: the dates with a clear observation, increasing."""
    observed: npt.NDArray[np.float32]
    """(n,) median over the alert's clear pixels [feature's unit, 1 for an index]; never NaN."""
    curve_dates: npt.NDArray[np.datetime64]
    """(m,) datetime64[D]: regular dates over the same time, for the lines below."""
    expected: npt.NDArray[np.float32]
    """(m,) what the season leads one to expect; NaN where the baseline has no model."""
    lower: npt.NDArray[np.float32]
    """(m,) lower edge of the expected band."""
    upper: npt.NDArray[np.float32]
    """(m,) upper edge of the expected band."""
    monitoring_start: dt.date
    """First date watched; before it lies the history that the curve was learned from."""
    first_detected: dt.date
    confirmed: dt.date

    def __post_init__(self) -> None:
        _same_length("dates", self.dates, observed=self.observed)
        _same_length(
            "curve_dates",
            self.curve_dates,
            expected=self.expected,
            lower=self.lower,
            upper=self.upper,
        )


def alert_series(
    features: xr.DataArray,
    baseline: xr.Dataset,
    alert: pd.Series,
    *,
    geobox: GeoBox,
    feature: str,
    monitoring_start: dt.date,
    half_width: float = 3.0,
) -> AlertSeries:
    """Return what was seen and expected over the pixels of an alert.

    Parameters
    ----------
    features
        int16 (feature, time, y, x) × 10,000 of the history and the monitoring period, -32768 where
        not clear, as `cvlarray.features.feature_cube` makes it. Lazy is best: only the alert's
        window is read.
    baseline
        What `cvlarray.baseline.fit_baseline` returned for the same grid.
    alert
        A row of `cvlarray.alerts.build_alerts`.
    geobox
        Grid of both (arithmetic makes xarray forget the CRS).
    feature
        Which of the features, such as ``ndvi``.
    monitoring_start
        First date watched.
    half_width
        Half of the expected band's width, in the standard deviations by which the monitor judges:
        those of the residuals, but at least the feature's noise floor.

    Returns
    -------
    Medians over the alert's pixels, of dates on which at least half of them were seen.

    Raises
    ------
    ValueError
        If the feature is unknown, or the alert isn't on the grid.
    """
    known = [str(name) for name in features["feature"].to_numpy()]
    if feature not in known:
        raise ValueError(f"feature must be one of {', '.join(known)}, got {feature}")
    noise_floor = find_feature(feature).noise_floor
    window = alert_window(alert["geometry"], geobox)
    place = {"y": window.y, "x": window.x}
    series = features.sel(feature=feature).isel(place).transpose("time", "y", "x")
    dates = series["time"].to_numpy().astype("datetime64[D]")
    is_dated, observed = _medians(series.to_numpy()[:, window.is_inside])
    curve_dates = _regular(dates)
    model = baseline.sel(feature=[feature]).isel(place)
    curve = predict(model, curve_dates.astype("datetime64[ns]")).transpose(
        "feature", "time", "y", "x"
    )
    expected = _median(curve.to_numpy()[0][:, window.is_inside])
    sigma = model[SIGMA.name].transpose("feature", "y", "x").to_numpy()[0][window.is_inside]
    spread = half_width * _median(np.maximum(sigma, noise_floor)[None])
    return AlertSeries(
        event_id=str(alert["event_id"]),
        feature=feature,
        dates=dates[is_dated],
        observed=_in_units(observed),
        curve_dates=curve_dates,
        expected=_in_units(expected),
        lower=_in_units(expected - spread),
        upper=_in_units(expected + spread),
        monitoring_start=monitoring_start,
        first_detected=alert["first_detected"].date(),
        confirmed=alert["confirmed"].date(),
    )


def _medians(
    values: npt.NDArray[np.int16],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Return the dates with enough of the pixels (time, pixel), and their medians."""
    seen = np.where(values == NODATA_DN, np.nan, values.astype(np.float32))
    is_dated = np.isfinite(seen).mean(axis=1) >= MIN_SEEN_SHARE
    return is_dated, _median(seen[is_dated])


def _median(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the median of each row, leaving NaN out; NaN where there is nothing else."""
    ordered = np.sort(values, axis=1)  # NaN last
    count = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(ordered))
    middle = (
        ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, count // 2 % values.shape[1]]
    )
    return np.where(count > 0, middle / 2, np.float32("nan")).astype(np.float32)


def _regular(dates: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
    """Return dates every few days from the first to the last."""
    if dates.size == 0:
        return dates
    return np.append(np.arange(dates[0], dates[-1], CURVE_STEP_DAYS), dates[-1])


def _in_units(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return (values / FEATURE_SCALE).astype(np.float32)


def _same_length(
    axis: str, dates: npt.NDArray[np.datetime64], **values: npt.NDArray[np.float32]
) -> None:
    for name, array in values.items():
        if array.shape != dates.shape:
            raise ValueError(
                f"{name} must have one value per {axis}, got shape {array.shape} for {dates.shape}"
            )
