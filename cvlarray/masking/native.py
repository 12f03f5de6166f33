"""Which mask a sensor brings with it, and several masks taken together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.masking.flags import QualityProvider, decode
from cvlarray.masking.landsat import LandsatQuality
from cvlarray.masking.planet import Udm2Quality
from cvlarray.masking.scl import SclQuality
from cvlarray.names import QualityFlag

NATIVE_QUALITY: Mapping[str, QualityProvider] = {
    "sentinel-2": SclQuality(),
    "landsat": LandsatQuality(),
    "planetscope": Udm2Quality(),
}
"""The provider's own mask by family of sensors; radar has none."""

_EXTRA_BANDS = {"landsat": LandsatQuality(("qa_pixel", "qa_radsat"))}
"""The same with a band that an Item may lack."""


def native_quality(family: str, available: Collection[str]) -> QualityProvider:
    """Return the mask that a sensor brings.

    Parameters
    ----------
    family
        Of the scenes.
    available
        Bands that every scene has.

    Raises
    ------
    ValueError
        If it brings none.
    """
    if family not in NATIVE_QUALITY:
        known = ", ".join(NATIVE_QUALITY)
        raise ValueError(f"{family} brings no mask of its own; {known} do")
    richer = _EXTRA_BANDS.get(family)
    if richer is not None and set(richer.bands) <= set(available):
        return richer
    return NATIVE_QUALITY[family]


@dataclass(frozen=True)
class EitherQuality:
    """What any of several providers says: their flags together."""

    providers: tuple[QualityProvider, ...]
    """At least one."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of all of them, each once."""
        return tuple(dict.fromkeys(name for one in self.providers for name in one.bands))

    def __call__(self, cube: xr.Dataset) -> xr.DataArray:
        """Return uint8 flags (time, y, x); ``FILL`` where any provider has no observation.

        Lazy if ``cube`` is.
        """
        return decode(_together, *(provider(cube) for provider in self.providers))


@dataclass(frozen=True)
class FirstQuality:
    """What the first of several providers says that has an observation: one for each sensor."""

    providers: tuple[QualityProvider, ...]
    """In the order in which their sensors win; at least one."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of all of them, each once."""
        return tuple(dict.fromkeys(name for one in self.providers for name in one.bands))

    def __call__(self, cube: xr.Dataset) -> xr.DataArray:
        """Return uint8 flags (time, y, x); ``FILL`` where no provider has an observation.

        Lazy if ``cube`` is.
        """
        return decode(_first, *(provider(cube) for provider in self.providers))


def _first(*flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    found = flags[0]
    for later in flags[1:]:
        found = np.where(found == QualityFlag.FILL, later, found)
    return found


def _together(*flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    together = np.bitwise_or.reduce(flags)
    return np.where(together & QualityFlag.FILL != 0, np.uint8(QualityFlag.FILL), together)
