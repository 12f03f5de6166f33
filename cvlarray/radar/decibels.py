"""Decibels: for eyes and for models that want them; averages are taken of power."""

from __future__ import annotations

import numpy as np
import xarray as xr


def to_decibels(power: xr.DataArray) -> xr.DataArray:
    """Return power as 10 log10.

    Parameters
    ----------
    power
        Linear, float; what isn't positive has no decibels.

    Returns
    -------
    float32, NaN where ``power`` is NaN, zero or negative. Lazy if ``power`` is.
    """
    logarithm: xr.DataArray = xr.ufuncs.log10(power.where(power > 0))
    return (10 * logarithm).astype(np.float32).assign_attrs({**power.attrs, "units": "dB"})
