"""The picture under the report's map: a recent day on which much of the ground was seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.alerts.chips import choose_rendering, full_scale, scaled_picture, without_haze
from cvlarray.names import NODATA_DN
from cvlarray.pipeline.context import RunContext
from cvlarray.report import Background
from cvlarray.store import open_raw

LARGEST_EDGE_PX = 1200
"""Of the picture: enough for a screen, little enough for a page."""

N_RECENT_DATES = 40
"""The picture is one of so many last dates,"""

ALMOST = 0.98
MIN_CLEAR_SHARE = 0.05
"""of those that saw nearly as much as the best of them, and something at all,"""

N_COMPARED = 6
"""of the last of these, the darkest: haze is bright."""


def find_background(context: RunContext, clear_share: pd.DataFrame) -> Background | None:
    """Return a recent date with much seen and little haze as a picture, None if nothing was seen.

    Parameters
    ----------
    clear_share
        A row a date: ``date`` and ``clear_share``.
    """
    shares = clear_share["clear_share"].to_numpy()[-N_RECENT_DATES:]
    first = len(clear_share) - len(shares)
    clearest = first + np.flatnonzero(shares >= max(ALMOST * shares.max(), MIN_CLEAR_SHARE))
    rendering, bands = choose_rendering(context.config.cube.bands)
    step = math.ceil(max(context.geobox.shape) / LARGEST_EDGE_PX)
    thinned = {dim: slice(step // 2, None, step) for dim in ("y", "x")}
    cube = open_raw(context.workspace.cube)[list(dict.fromkeys(bands))].isel(thinned)
    compared = clearest[-N_COMPARED:]
    if not compared.size:
        return None
    layers = _layers(cube, bands, compared)
    darkest = min(range(len(layers)), key=lambda one: _median(layers[one]))
    index, rgb = int(compared[darkest]), without_haze(_with_nan(layers[darkest]))
    picture = scaled_picture(rgb, full_scale([rgb]))
    return Background(
        rgb=picture,
        geobox=context.geobox.zoom_to(picture.shape[:2]),
        date=clear_share["date"].iloc[index].date(),
        rendering=rendering,
    )


def _layers(cube: xr.Dataset, bands: Sequence[str], dates: NDArray[np.intp]) -> NDArray[np.int16]:
    """Return (time, y, x, 3) reflectance × 10,000 of some dates."""
    # At once, because dates lie together in the store.
    read = cube.isel(time=dates).compute(scheduler="synchronous")
    return np.stack([read[band].to_numpy() for band in bands], axis=-1)


def _median(layer: NDArray[np.int16]) -> float:
    """Return the median of what isn't missing, NaN without any."""
    valid = layer[layer != NODATA_DN]
    return float(np.median(valid)) if valid.size else math.nan


def _with_nan(layer: NDArray[np.int16]) -> NDArray[np.float64]:
    return np.where(layer == NODATA_DN, np.nan, layer.astype(np.float64))
