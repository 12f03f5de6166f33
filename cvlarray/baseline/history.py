"""Take only the stable part of each pixel's history as normal."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.baseline.dates import days_of, history_axis
from cvlarray.baseline.pixelwise import over_pixels, require_one_chunk
from cvlarray.kernels.history import stable_start
from cvlarray.kernels.season import TimeAxis, design_matrix
from cvlarray.names import NODATA_DN

KEPT_DAYS = 365
"""At the end of a history, which aren't cut: a whole season."""


def stable_history(
    features: xr.DataArray, *, harmonic_order: int = 1, significance: float = 0.01
) -> xr.DataArray:
    """Return features without what lies before the last break of each pixel's history.

    A reverse-ordered CUSUM test of recursive residuals finds the break; see
    `cvlarray.kernels.history.stable_start`. What is earlier in any feature becomes missing in all,
    but for a pixel's last year: a season of which a part was never seen is extrapolated there, to
    hundreds of standard deviations.

    Parameters
    ----------
    features
        int16 (feature, time, y, x) of the history, -32768 missing; ``time`` increases and is one
        chunk.
    harmonic_order
        Annual harmonics of the test's model, without trend: a trend would follow a break.
    significance
        Probability of cutting a stable history.

    Returns
    -------
    As ``features``. Lazy if they are.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk or isn't increasing.
    """
    require_one_chunk(features, "time", "test the history")
    days = days_of(features)
    if np.any(np.diff(days) <= 0):
        raise ValueError("time must increase from slice to slice; use features.sortby('time')")
    kept = over_pixels(
        partial(
            _keep_stable,
            days=days,
            axis=history_axis(days, None),
            harmonic_order=harmonic_order,
            significance=significance,
        ),
        features.transpose("feature", "time", "y", "x"),
        dims=("feature", "time", "y", "x"),
        sizes={},
        dtype=np.int16,
    )
    return kept.rename(features.name).assign_attrs(features.attrs)


def _keep_stable(
    features: NDArray[np.int16],
    *,
    days: NDArray[np.int64],
    axis: TimeAxis,
    harmonic_order: int,
    significance: float,
) -> NDArray[np.int16]:
    n_features, n_dates = features.shape[:2]
    design = np.delete(design_matrix(days, axis, harmonic_order=harmonic_order), 1, axis=0)
    flat = features.reshape(n_features, n_dates, -1)
    start = np.zeros(flat.shape[2], np.int64)
    for series in flat:
        values = np.where(series == NODATA_DN, np.nan, series)
        np.maximum(start, stable_start(values, design, significance=significance), out=start)
    is_seen = (flat != NODATA_DN).all(axis=0)
    last = days[n_dates - 1 - np.argmax(is_seen[::-1], axis=0)]
    is_stable = (np.arange(n_dates)[:, None] >= start) | (days[:, None] > last - KEPT_DAYS)
    return np.where(is_stable, flat, NODATA_DN).reshape(features.shape)
