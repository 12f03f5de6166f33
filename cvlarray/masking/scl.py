"""Sentinel-2's scene classification."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.class_codes import look_up
from cvlarray.masking.flags import decode, take_band
from cvlarray.names import SCL, QualityFlag

CLEAR_SCL_CLASSES = frozenset({4, 5, 6})
"""Vegetation, bare ground and water. "Unclassified" (7) is mostly the rim of clouds: with it, the
residuals of a forest are a sixth larger, and fewer clearings stand out."""

FLAGS_OF_CLASSES = {
    0: QualityFlag.FILL,
    1: QualityFlag.SATURATED,
    2: QualityFlag.SHADOW,
    3: QualityFlag.SHADOW,
    4: QualityFlag(0),
    5: QualityFlag(0),
    6: QualityFlag.WATER,
    7: QualityFlag.HAZE,
    8: QualityFlag.CLOUD,
    9: QualityFlag.CLOUD,
    10: QualityFlag.CIRRUS,
    11: QualityFlag.SNOW,
}
"""Of Sen2Cor's classes (ESA, "Level-2A Algorithm Theoretical Basis Document", 2021); what has none
of the obscuring flags is `CLEAR_SCL_CLASSES`."""


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
        partial(look_up, table), scl, dask="parallelized", output_dtypes=[np.bool_]
    )
    return clear.rename("is_clear").assign_attrs(long_name="ground was seen", units="1")


@dataclass(frozen=True)
class SclQuality:
    """Quality by the classes that Sen2Cor gives; codes it doesn't define count as no data."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The scene classification alone."""
        return (SCL.name,)

    def __call__(self, cube: xr.Dataset) -> xr.DataArray:
        """Return uint8 flags (time, y, x); lazy if ``cube`` is.

        Raises
        ------
        ValueError, TypeError
            If ``scl`` is missing or isn't uint8.
        """
        return decode(_flags, take_band(cube, SCL.name, np.uint8))


def _flags(scl: NDArray[np.uint8]) -> NDArray[np.uint8]:
    table = np.full(256, QualityFlag.FILL, np.uint8)
    table[list(FLAGS_OF_CLASSES)] = list(FLAGS_OF_CLASSES.values())
    return look_up(table, scl)
