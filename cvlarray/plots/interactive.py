"""One pixel through time, to zoom into and to point at; needs the extra ``interactive``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from cvlarray.plots.pixel_series import ChangeDates, pixel_series

if TYPE_CHECKING:
    import holoviews as hv

_SEEN, _FLAGGED, _EXPECTED, _WHEN = "#4c6a5d", "#c4431a", "#1f5c4a", "#7a1f0b"


def explore_pixel(
    features: xr.DataArray,
    season: xr.Dataset,
    detections: xr.Dataset | None = None,
    *,
    half_width: float = 2.25,
) -> hv.Overlay:
    """Return what `plot_pixel` draws as a plot to zoom into, by hvplot on Bokeh.

    Pointing at an observation tells its date, its value, what was expected, and how far it is off.

    Parameters
    ----------
    features, season, detections, half_width
        As for `plot_pixel`.

    Raises
    ------
    ImportError
        Without hvplot: ``pip install cvlarray[interactive]``.
    ValueError
        If ``features`` isn't one pixel of one feature.
    """
    try:
        import holoviews as hv  # noqa: PLC0415 - an extra
        from hvplot import hvPlot  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "explore_pixel needs hvplot; install it with: pip install 'cvlarray[interactive]'"
        ) from error

    series = pixel_series(features, season, detections, half_width)
    band, seen = hvPlot(series.season.reset_index()), series.observations
    layers = [
        band.area("time", "lower", "upper", color=_EXPECTED, alpha=0.15, line_alpha=0),
        band.line("time", "expected", color=_EXPECTED, label="expected"),
        *(
            hvPlot(chosen.reset_index()).scatter(
                "time", "value", color=colour, hover_cols=["expected", "deviation"], label=label
            )
            for chosen, colour, label in (
                (seen[~seen["is_flagged"]], _SEEN, "observed"),
                (seen[seen["is_flagged"]], _FLAGGED, "flagged"),
            )
        ),
    ]
    if series.change is not None:
        layers += [hv.VLine(day).opts(color=_WHEN) for day in _days(series.change)]
    overlay: hv.Overlay = hv.Overlay(layers).opts(
        xlabel="", ylabel=series.feature, responsive=True, height=320, legend_position="top_left"
    )
    return overlay


def _days(change: ChangeDates) -> list[pd.Timestamp]:
    return [pd.Timestamp(change.first_flagged), pd.Timestamp(change.confirmed)]
