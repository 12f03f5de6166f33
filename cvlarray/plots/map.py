"""A map of one variable: how often a pixel was seen, how noisy it is, what changed and when."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cvlarray.names import NO_DATE

_MISSING = "#ececec"
_LABEL_WIDTH = 42
_DATES = "days since 1970-01-01"


def plot_map(variable: xr.DataArray, *, axes: Axes | None = None) -> Axes:
    """Draw a variable of a baseline, a state or detections as a map with a legend.

    Parameters
    ----------
    variable
        (y, x) with coordinates: ``n_valid`` or ``sigma`` of one feature, ``magnitude``,
        ``confidence``, ``first_flagged``, ... Computed if lazy. Missing values and -1 of dates are
        grey; the colours span what lies between the 2nd and the 98th percentile.
    axes
        To draw into; a figure of its own by default.

    Returns
    -------
    The axes; their figure is ``axes.figure``.

    Raises
    ------
    ValueError
        If ``variable`` isn't a map.
    """
    if set(variable.dims) != {"y", "x"}:
        raise ValueError(
            f"plot_map draws (y, x), got {variable.dims}; choose the other dims, such as "
            'baseline.sigma.sel(feature="ndvi")'
        )
    is_date = variable.attrs.get("units") == _DATES or variable.dtype.kind == "M"
    values = _values(variable.transpose("y", "x").compute(), is_date)
    if axes is None:
        axes = Figure(figsize=(6, 5), layout="constrained").subplots()
    low, high = _span(values)
    image = axes.imshow(
        np.ma.masked_invalid(values),
        extent=_extent(variable),
        vmin=low,
        vmax=high,
        cmap=colormaps["viridis"].with_extremes(bad=_MISSING),
    )
    locator = AutoDateLocator() if is_date else None
    bar = axes.figure.colorbar(
        image,
        ax=axes,
        ticks=locator,
        format=ConciseDateFormatter(locator) if locator else None,
        extend="both",
        shrink=0.85,
    )
    bar.set_label("\n".join(wrap(_label(variable, is_date), _LABEL_WIDTH)))
    axes.set_title(str(variable.name or ""), loc="left", fontsize="medium")
    axes.ticklabel_format(style="plain", useOffset=False)
    axes.tick_params(labelsize=7)
    return axes


def _values(variable: xr.DataArray, is_date: bool) -> NDArray[np.float64]:
    """Return numbers that matplotlib understands, NaN where missing."""
    raw = variable.to_numpy()
    if not is_date:
        return raw.astype(np.float64)
    if raw.dtype.kind != "M":
        return np.where(raw == NO_DATE, np.nan, raw.astype(np.float64))
    days = raw.astype("datetime64[D]").astype(np.float64)  # as matplotlib counts them
    return np.where(np.isnat(raw), np.nan, days)


def _span(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None, None
    low, high = np.percentile(finite, [2, 98])
    return float(low), float(max(high, np.nextafter(low, np.inf)))


def _extent(variable: xr.DataArray) -> tuple[float, float, float, float]:
    """Return west, east, south and north of the pixels' outer edges."""
    edges = []
    for dim in ("x", "y"):
        centres = variable[dim].to_numpy().astype(np.float64)
        half = abs(centres[1] - centres[0]) / 2 if centres.size > 1 else 0.5
        edges += [centres.min() - half, centres.max() + half]
    west, east, south, north = edges
    return west, east, south, north


def _label(variable: xr.DataArray, is_date: bool) -> str:
    name = str(variable.attrs.get("long_name", variable.name or ""))
    units = variable.attrs.get("units", "1")
    return name if is_date or units == "1" else f"{name} [{units}]"
