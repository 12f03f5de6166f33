"""Quality bands boiled down to one answer: was the ground seen or not."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import xarray as xr

CLEAR_SCL_CLASSES = frozenset({4, 5, 6})
"""Vegetation, bare ground and water. "Unclassified" (7) is mostly the rim of clouds: with it, the
residuals of a forest are a sixth larger, and fewer clearings stand out."""


def is_clear(
    scl: xr.DataArray, *, clear_classes: Collection[int] = CLEAR_SCL_CLASSES
) -> xr.DataArray:
    """Return where Sentinel-2's scene classification says that the ground was seen.

    Parameters
    ----------
    scl
        uint8 classes, any dims; 0 is no data.
    clear_classes
        Classes that count as clear, from 1 to 255.

    Returns
    -------
    Boolean, lazy if ``scl`` is.

    Raises
    ------
    TypeError
        If ``scl`` isn't uint8.
    ValueError
        If a class is out of range.
    """
    if scl.dtype != np.uint8:
        raise TypeError(f"scl must be uint8 classes, got {scl.dtype}; open it mask_and_scale=False")
    wrong = sorted(value for value in clear_classes if not 1 <= value <= 255)
    if wrong:
        raise ValueError(f"clear_classes must be SCL classes from 1 to 255, got {wrong}")
    table = np.zeros(256, bool)
    table[list(clear_classes)] = True
    clear: xr.DataArray = xr.apply_ufunc(
        table.take, scl, dask="parallelized", output_dtypes=[np.bool_]
    )
    return clear.rename("is_clear").assign_attrs(long_name="ground was seen", units="1")
