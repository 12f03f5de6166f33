"""One pixel through time: what was seen, what was expected, and when it stopped."""

from __future__ import annotations

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cvlarray.plots.pixel_series import ChangeDates, pixel_series

_SEEN, _FLAGGED, _EXPECTED, _WHEN = "#4c6a5d", "#c4431a", "#1f5c4a", "#7a1f0b"


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
    series = pixel_series(features, season, detections, half_width)
    if axes is None:
        axes = Figure(figsize=(9, 3.2), layout="constrained").subplots()
    _draw_season(axes, series.season)
    _draw_observations(axes, series.observations)
    if series.change is not None:
        _draw_dates(axes, series.change)
    axes.set_ylabel(series.feature)
    axes.margins(x=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.18), ncols=5, frameon=False, fontsize=8)
    return axes


def _draw_season(axes: Axes, season: pd.DataFrame) -> None:
    times = season.index.to_numpy()
    axes.plot(times, season["expected"].to_numpy(), color=_EXPECTED, lw=1.2, label="expected")
    axes.fill_between(
        times,
        season["lower"].to_numpy(),
        season["upper"].to_numpy(),
        color=_EXPECTED,
        alpha=0.15,
        lw=0,
        label="as expected",
    )


def _draw_observations(axes: Axes, observations: pd.DataFrame) -> None:
    is_flagged = observations["is_flagged"]
    for chosen, colour, label in (
        (observations[~is_flagged], _SEEN, "observed"),
        (observations[is_flagged], _FLAGGED, "flagged"),
    ):
        times, values = chosen.index.to_numpy(), chosen["value"].to_numpy()
        axes.scatter(times, values, s=10, color=colour, label=label, zorder=3)


def _draw_dates(axes: Axes, change: ChangeDates) -> None:
    if change.interval is not None:
        begin, end = (int(day.astype(int)) for day in change.interval)
        axes.axvspan(begin, end, color=_WHEN, alpha=0.12, lw=0, label="changed within")
    for date, style, label in (
        (change.first_flagged, "--", "first flagged"),
        (change.confirmed, "-", "confirmed"),
    ):
        axes.axvline(int(date.astype(int)), color=_WHEN, ls=style, lw=1, label=f"{label} {date}")
