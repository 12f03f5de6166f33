"""What is off on a date as a whole: haze, snow, a shifted calibration, a late spring.

Stable forest should be as its season expects. Where its residuals have a median other than 0 on a
date, that is taken off all residuals of the date; where they scatter more than usual, all are
divided by as much, so that a patchy haze isn't taken for clearings. Nothing is learned from the
pixels that are judged, except that most of the forest stands.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.residual import median_and_spread
from cvlarray.names import DATE_OFFSET, DATE_SPREAD

MIN_PIXELS = 30
MIN_SHARE = 0.01
"""Least reference pixels seen on a date, alone and as a share of all: the few that show through a
closed cloud deck are cloud themselves."""


def least_count(
    n_reference: int, *, min_pixels: int = MIN_PIXELS, min_share: float = MIN_SHARE
) -> int:
    """Return how many of the reference pixels must be seen for a date to be judged."""
    return max(min_pixels, math.ceil(min_share * n_reference))


def date_statistics(
    residual: xr.DataArray,
    is_reference: xr.DataArray,
    *,
    min_pixels: int = MIN_PIXELS,
    min_share: float = MIN_SHARE,
) -> xr.Dataset:
    """Return how far, and how widely, the reference pixels are off on each date.

    Parameters
    ----------
    residual
        Standardised residuals (feature, time, y, x); NaN is missing.
    is_reference
        Boolean (y, x): pixels that should be as expected, such as forest in the history. More than
        half of those seen on a date must still be.
    min_pixels, min_share
        Dates with fewer reference pixels than either get NaN: they can't be judged, and the monitor
        takes them as not observed.

    Returns
    -------
    ``date_offset`` and ``date_spread`` (feature, time), float32, in standard deviations: median,
    and 1.4826 × the median absolute deviation from it. Lazy if ``residual`` is.
    """
    reference = residual.where(is_reference)
    whole = reference.chunk({"y": -1, "x": -1}) if reference.chunks else reference
    offset, spread = xr.apply_ufunc(
        partial(_date_statistics, min_pixels=min_pixels, min_share=min_share),
        whole,
        is_reference.chunk(-1) if is_reference.chunks else is_reference,
        input_core_dims=[["y", "x"], ["y", "x"]],
        output_core_dims=[[], []],
        dask="parallelized",
        output_dtypes=[np.float32, np.float32],
    )
    statistics = xr.Dataset({DATE_OFFSET.name: offset, DATE_SPREAD.name: spread})
    for variable in (DATE_OFFSET, DATE_SPREAD):
        statistics[variable.name].attrs = dict(variable.attrs)
    return statistics


def _date_statistics(
    residual: NDArray[np.float32],
    is_reference: NDArray[np.bool_],
    *,
    min_pixels: int,
    min_share: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return median and spread over the last two axes."""
    leading, n_pixels = residual.shape[:-2], residual.shape[-2] * residual.shape[-1]
    n_reference = int(is_reference.sum())
    min_count = least_count(n_reference, min_pixels=min_pixels, min_share=min_share)
    offset, spread = median_and_spread(residual.reshape(-1, n_pixels), min_count)
    return offset.reshape(leading), spread.reshape(leading)
