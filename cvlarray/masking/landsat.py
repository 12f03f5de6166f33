"""Landsat Collection 2: the bits of QA_PIXEL and QA_RADSAT."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.class_codes import look_up
from cvlarray.masking.flags import decode, take_band
from cvlarray.names import QualityFlag

QA_PIXEL_BITS = {
    1: QualityFlag.CLOUD,
    2: QualityFlag.CIRRUS,
    3: QualityFlag.CLOUD,
    4: QualityFlag.SHADOW,
    5: QualityFlag.SNOW,
    7: QualityFlag.WATER,
}
"""Dilated cloud, cirrus, cloud, shadow, snow and water by bit (USGS, "Landsat Collection 2 Quality
Assessment Bands", 2021)."""
FILL_BIT = 0
CLOUD_CONFIDENCE_BIT, MEDIUM = 8, 2
"""Two bits from here; medium confidence of a cloud is taken as haze."""

DEFECTS = 0b10_0111_1111
"""Bits of QA_RADSAT: bands 1 to 7 saturated, and a dropped pixel (Landsat 4 to 7)."""
OCCLUDED = 1 << 11
"""The terrain hides the pixel from the sensor (Landsat 8 and 9): it is no observation."""


@dataclass(frozen=True)
class LandsatQuality:
    """Quality by the flags of Landsat Collection 2."""

    bands: tuple[str, ...] = ("qa_pixel",)
    """The pixel flags; with ``qa_radsat``, used wherever the cube has it, saturation too."""

    def __call__(self, cube: xr.Dataset) -> xr.DataArray:
        """Return uint8 flags (time, y, x); lazy if ``cube`` is.

        Raises
        ------
        ValueError, TypeError
            If ``qa_pixel`` is missing, or a band isn't uint16.
        """
        qa_pixel = take_band(cube, "qa_pixel", np.uint16)
        if "qa_radsat" not in cube.data_vars:
            return decode(_flags, qa_pixel)
        return decode(_flags_and_defects, qa_pixel, take_band(cube, "qa_radsat", np.uint16))


def _flags(qa_pixel: NDArray[np.uint16]) -> NDArray[np.uint8]:
    return look_up(_table(), qa_pixel)


def _flags_and_defects(
    qa_pixel: NDArray[np.uint16], qa_radsat: NDArray[np.uint16]
) -> NDArray[np.uint8]:
    flags = look_up(_table(), qa_pixel)
    flags |= np.where(qa_radsat & DEFECTS, np.uint8(QualityFlag.SATURATED), np.uint8(0))
    is_fill = (qa_radsat & OCCLUDED != 0) | (flags & QualityFlag.FILL != 0)
    return np.where(is_fill, np.uint8(QualityFlag.FILL), flags)


@cache
def _table() -> NDArray[np.uint8]:
    """Return the flags of each of the 65,536 values of QA_PIXEL."""
    values = np.arange(1 << 16)
    table = np.zeros(values.size, np.uint8)
    for bit, flag in QA_PIXEL_BITS.items():
        table[values >> bit & 1 == 1] |= np.uint8(flag)
    table[(values >> CLOUD_CONFIDENCE_BIT & 3) == MEDIUM] |= np.uint8(QualityFlag.HAZE)
    table[values >> FILL_BIT & 1 == 1] = QualityFlag.FILL
    return table
