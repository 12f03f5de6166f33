"""The picture under the report's map: a recent day on which much of the ground was seen."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.names import NODATA_DN
from cvlarray.pipeline.context import RunContext
from cvlarray.report import Background
from cvlarray.store import open_raw

LARGEST_EDGE_PX = 1200
"""Of the picture: enough for a screen, little enough for a page."""

N_RECENT_DATES = 30
"""The picture is the clearest of so many last dates."""

RENDERINGS = {
    "true colour": ("red", "green", "blue"),
    "false colour (SWIR, near infrared, red)": ("swir16", "nir08", "red"),
    "false colour (near infrared, red, green)": ("nir", "red", "green"),
    "false colour (narrow near infrared, red, green)": ("nir08", "red", "green"),
}
"""Bands to show, best first."""


def find_background(context: RunContext, clear_share: pd.DataFrame) -> Background | None:
    """Return the clearest of the last dates as a picture, None if no band set can be shown.

    Parameters
    ----------
    clear_share
        A row a date: ``date`` and ``clear_share``.
    """
    rendering = next(
        (
            name
            for name, bands in RENDERINGS.items()
            if set(bands) <= set(context.config.cube.bands)
        ),
        None,
    )
    recent = clear_share.tail(N_RECENT_DATES)
    if rendering is None or recent["clear_share"].max() <= 0:
        return None
    # The last of equally clear dates.
    index = int(recent["clear_share"][::-1].idxmax())
    step = math.ceil(max(context.geobox.shape) / LARGEST_EDGE_PX)
    thinned = open_raw(context.workspace.cube)[list(RENDERINGS[rendering])].isel(
        time=index, y=slice(step // 2, None, step), x=slice(step // 2, None, step)
    )
    rgb = stretched(thinned.compute(scheduler="synchronous"))
    return Background(
        rgb=rgb,
        geobox=context.geobox.zoom_to(rgb.shape[:2]),
        date=clear_share["date"][index].date(),
        rendering=rendering,
    )


def stretched(bands: xr.Dataset) -> NDArray[np.uint8]:
    """Return three bands (y, x) as a picture, each from its 2nd to its 98th percentile."""
    picture = np.zeros((bands.sizes["y"], bands.sizes["x"], 3), np.uint8)
    for channel, band in enumerate(bands.data_vars.values()):
        values = np.where(band == NODATA_DN, np.nan, band)
        if np.isfinite(values).any():
            low, high = np.nanpercentile(values, [2, 98])
            scaled = (values - low) / max(high - low, 1) * 255
            picture[..., channel] = np.nan_to_num(np.clip(scaled, 0, 255)).astype(np.uint8)
    return picture
