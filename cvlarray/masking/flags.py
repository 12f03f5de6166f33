"""One byte of quality flags a pixel, and what counts as clear by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from cvlarray.names import QUALITY, QualityFlag

OBSCURING = (
    QualityFlag.CLOUD
    | QualityFlag.SHADOW
    | QualityFlag.HAZE
    | QualityFlag.CIRRUS
    | QualityFlag.SNOW
    | QualityFlag.SATURATED
    | QualityFlag.FILL
)
"""Every reason for which the ground was not seen: all but water."""


class QualityProvider(Protocol):
    """Tells what is on, or in the way of, each pixel of a cube."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Variables that the cube must have."""
        ...

    def __call__(self, cube: xr.Dataset) -> xr.DataArray:
        """Return `cvlarray.names.QUALITY` (time, y, x), uint8; lazy if ``cube`` is."""
        ...


def is_clear_of(quality: xr.DataArray, flags: QualityFlag = OBSCURING) -> xr.DataArray:
    """Return where a pixel has none of some flags.

    Parameters
    ----------
    quality
        uint8 of `cvlarray.names.QualityFlag`, any dims.
    flags
        What must be absent, for example ``QualityFlag.CLOUD | QualityFlag.SHADOW``. Without
        ``QualityFlag.FILL`` among them, pixels that were never observed are clear too.

    Returns
    -------
    Boolean ``is_clear``, lazy if ``quality`` is.

    Raises
    ------
    TypeError
        If ``quality`` isn't uint8.
    """
    if quality.dtype != np.uint8:
        raise TypeError(
            f"quality must be uint8 flags, got {quality.dtype}; open it mask_and_scale=False"
        )
    clear = (quality & np.uint8(flags)) == 0
    return clear.drop_attrs().rename("is_clear").assign_attrs(long_name="ground seen", units="1")


def decode(
    function: Callable[..., NDArray[np.uint8]], *bands: xr.DataArray, **settings: Any
) -> xr.DataArray:
    """Return the quality that a function of plain arrays makes of bands, pixel by pixel."""
    quality: xr.DataArray = xr.apply_ufunc(
        function,
        *bands,
        kwargs=settings,
        dask="parallelized",
        output_dtypes=[np.uint8],
        join="exact",
    )
    return as_quality(quality)


def as_quality(quality: xr.DataArray) -> xr.DataArray:
    """Return flags with the name and attributes of `cvlarray.names.QUALITY`."""
    return quality.drop_attrs().rename(QUALITY.name).assign_attrs(QUALITY.attrs)


def take_band(cube: xr.Dataset, name: str, dtype: DTypeLike) -> xr.DataArray:
    """Return a variable of the cube, or say what is missing or was opened wrongly."""
    if name not in cube.data_vars:
        raise ValueError(
            f"quality needs the band {name}, the cube has "
            f"{', '.join(str(one) for one in cube.data_vars) or 'none'}; load it too"
        )
    band: xr.DataArray = cube[name]
    if band.dtype != np.dtype(dtype):
        raise TypeError(
            f"{name} must be {np.dtype(dtype)}, got {band.dtype}; open the cube "
            "mask_and_scale=False"
        )
    return band
