"""Speckle filtered over dates: each date keeps its own mean and takes its texture from all.

Quegan & Yu, "Filtering of multichannel SAR images", IEEE TGRS 39(11), 2001,
doi:10.1109/36.964973: J_k = m_k / M × sum over i of I_i / m_i, with m the local mean of a date. In
power; it changes no local mean, and with M dates of independent speckle and a window of N pixels
the looks grow by N M / (N + M - 1).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage


def filter_speckle(power: xr.DataArray, *, window_px: int = 7) -> xr.DataArray:
    """Return a series with its speckle filtered over dates.

    Parameters
    ----------
    power
        Linear backscatter (time, y, x) of one orbit, float, NaN missing; ``time`` one chunk.
    window_px
        Side of the window of the local mean, odd, 3 or more.

    Returns
    -------
    float32, NaN where ``power`` is. The same for any chunks of y and x. Lazy if ``power`` is.

    Raises
    ------
    ValueError
        If the window is even or smaller than 3, or ``time`` has several chunks.
    """
    if window_px < 3 or window_px % 2 == 0:
        raise ValueError(f"window_px must be odd and 3 or more, got {window_px}")
    series = power.transpose("time", "y", "x")
    function = partial(_filter, window_px=window_px)
    if series.chunks is None:
        return series.copy(data=function(series.to_numpy()))
    if len(series.chunks[0]) > 1:
        raise ValueError(
            f"time must be one chunk to filter speckle over dates, got {len(series.chunks[0])}; "
            "rechunk with power.chunk(time=-1)"
        )
    reach = window_px // 2
    data = series.data.map_overlap(
        function, depth={1: reach, 2: reach}, boundary="none", dtype=np.float32
    )
    return series.copy(data=data)


def _filter(power: NDArray[np.floating], *, window_px: int) -> NDArray[np.float32]:
    """Return J of images (time, y, x)."""
    is_known = np.isfinite(power)
    size = (1, window_px, window_px)
    share = ndimage.uniform_filter(is_known.astype(np.float64), size, mode="constant")
    total = ndimage.uniform_filter(
        np.where(is_known, power, 0).astype(np.float64), size, mode="constant"
    )
    mean = total / np.where(share > 1e-9, share, np.nan)
    mean[~is_known | (mean <= 0)] = np.nan
    ratio = np.where(is_known & (mean > 0), power / np.where(mean > 0, mean, 1), 0)
    n_known = np.count_nonzero(is_known & (mean > 0), axis=0)
    texture = ratio.sum(axis=0) / np.where(n_known > 0, n_known, np.nan)
    filtered: NDArray[np.float32] = (mean * texture).astype(np.float32)
    return filtered
