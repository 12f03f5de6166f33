"""The picture under the report's map: a recent day on which much of the ground was seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cvlarray.alerts import choose_rendering
from cvlarray.names import NODATA_DN
from cvlarray.pipeline.context import RunContext
from cvlarray.report import Background
from cvlarray.store import open_raw

LARGEST_EDGE_PX = 1200
"""Of the picture: enough for a screen, little enough for a page."""

N_RECENT_DATES = 30
"""The picture is the clearest of so many last dates."""


def find_background(context: RunContext, clear_share: pd.DataFrame) -> Background | None:
    """Return the clearest of the last dates as a picture, None if nothing was seen on any.

    Parameters
    ----------
    clear_share
        A row a date: ``date`` and ``clear_share``.
    """
    recent = clear_share.tail(N_RECENT_DATES)
    if recent["clear_share"].max() <= 0:
        return None
    rendering, bands = choose_rendering(context.config.cube.bands)
    # The last of equally clear dates.
    shares = recent["clear_share"].to_numpy()
    index = len(clear_share) - 1 - int(np.argmax(shares[::-1]))
    step = math.ceil(max(context.geobox.shape) / LARGEST_EDGE_PX)
    thinned = open_raw(context.workspace.cube)[list(dict.fromkeys(bands))].isel(
        time=index, y=slice(step // 2, None, step), x=slice(step // 2, None, step)
    )
    layers = thinned.compute(scheduler="synchronous")
    rgb = stretched([layers[band].to_numpy() for band in bands])
    return Background(
        rgb=rgb,
        geobox=context.geobox.zoom_to(rgb.shape[:2]),
        date=clear_share["date"].iloc[index].date(),
        rendering=rendering,
    )


def stretched(layers: Sequence[NDArray[np.int16]]) -> NDArray[np.uint8]:
    """Return three bands (y, x) as a picture, each from its 2nd to its 98th percentile."""
    picture = np.zeros((*layers[0].shape, len(layers)), np.uint8)
    for channel, layer in enumerate(layers):
        values = np.where(layer == NODATA_DN, np.nan, layer.astype(np.float32))
        if np.isfinite(values).any():
            low, high = np.nanpercentile(values, [2, 98])
            scaled = (values - low) / max(high - low, 1) * 255
            picture[..., channel] = np.nan_to_num(np.clip(scaled, 0, 255)).astype(np.uint8)
    return picture
