"""PlanetScope's usable data mask, UDM2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.masking.flags import decode, take_band
from cvlarray.names import QualityFlag

UDM2_BANDS = (
    "udm2_clear",
    "udm2_snow",
    "udm2_shadow",
    "udm2_haze_light",
    "udm2_haze_heavy",
    "udm2_cloud",
    "udm2_unusable",
)
"""Bands 1 to 6 and 8 of the UDM2 asset (Planet, "Usable Data Masks", 2021). The first six are 0 or
1; the last is the older mask, with bit 0 for black fill, bit 1 for cloud, and the others for bands
that are missing or suspect. Band 7, the confidence, isn't used."""

BLACK_FILL = 1
SUSPECT = 0b1111_1100


@dataclass(frozen=True)
class Udm2Quality:
    """Quality by Planet's own mask; what it calls not clear without a reason counts as haze."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Seven of the eight bands of the mask, as variables."""
        return UDM2_BANDS

    def __call__(self, cube: xr.Dataset) -> xr.DataArray:
        """Return uint8 flags (time, y, x); lazy if ``cube`` is.

        Raises
        ------
        ValueError, TypeError
            If a band is missing or isn't uint8.
        """
        return decode(_flags, *(take_band(cube, name, np.uint8) for name in UDM2_BANDS))


def _flags(
    clear: NDArray[np.uint8],
    snow: NDArray[np.uint8],
    shadow: NDArray[np.uint8],
    haze_light: NDArray[np.uint8],
    haze_heavy: NDArray[np.uint8],
    cloud: NDArray[np.uint8],
    unusable: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    flags = np.zeros(clear.shape, np.uint8)
    for reason, flag in (
        (snow, QualityFlag.SNOW),
        (shadow, QualityFlag.SHADOW),
        (haze_light, QualityFlag.HAZE),
        (haze_heavy, QualityFlag.HAZE),
        (cloud, QualityFlag.CLOUD),
        (unusable & SUSPECT, QualityFlag.SATURATED),
    ):
        flags[reason != 0] |= np.uint8(flag)
    flags[(flags == 0) & (clear == 0)] = QualityFlag.HAZE
    flags[unusable & BLACK_FILL != 0] = QualityFlag.FILL
    return flags
