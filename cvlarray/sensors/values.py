"""From a file's values to canonical ones: int16 DN, class codes as they are, linear power."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.names import NODATA_DN
from cvlarray.sensors.profile import Quantity
from cvlarray.sensors.scene import Asset


def to_dn(values: NDArray[Any], asset: Asset) -> NDArray[Any]:
    """Return the values of a file in the canonical form of their quantity.

    Parameters
    ----------
    values
        What the file holds, any shape.
    asset
        Its nodata, scale and offset.

    Returns
    -------
    Same shape.
    Reflectance: int16 DN = values × scale + offset_dn, rounded to even, limited to ±32767;
    `names.NODATA_DN` where the file has nodata or NaN.
    Classes: unchanged.
    Power: float32, NaN where the file has nodata, NaN or nothing above zero.

    Raises
    ------
    ValueError
        For uncalibrated amplitude, which has no place in a cube.
    """
    if asset.quantity is Quantity.CLASSES:
        return values
    if asset.quantity is Quantity.POWER:
        power = values.astype(np.float32)
        return np.where(_is_data(values, asset) & (power > 0), power, np.float32("nan"))
    if asset.quantity is Quantity.AMPLITUDE:
        raise ValueError(
            f"{asset.band} is uncalibrated amplitude; calibrate and terrain-correct it first"
        )
    if asset.scale == 1 and np.issubdtype(values.dtype, np.integer):
        dn = values.astype(np.int32) + asset.offset_dn
    else:
        dn = np.rint(np.nan_to_num(values.astype(np.float64)) * asset.scale + asset.offset_dn)
    limited = np.clip(dn, -32767, 32767).astype(np.int16)
    return np.where(_is_data(values, asset), limited, NODATA_DN)


def _is_data(values: NDArray[Any], asset: Asset) -> NDArray[np.bool_]:
    """Return where the file has a value."""
    is_data = np.ones(values.shape, bool) if asset.nodata is None else values != asset.nodata
    return is_data & ~np.isnan(values) if np.issubdtype(values.dtype, np.floating) else is_data
