"""Quality by ukis-csmask, a convolutional network of DLR trained on labelled scenes worldwide.

Wieland et al., "Multi-sensor cloud and cloud shadow segmentation with a convolutional neural
network", 2019, doi:10.1016/j.rse.2019.05.022. The package brings its weights; it is an extra.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.errors import MissingExtraError
from cvlarray.masking.flags import as_quality, take_band
from cvlarray.names import NODATA_DN, QualityFlag

FOUR, SIX = (
    ("blue", "green", "red", "nir"),
    ("blue", "green", "red", "nir", "swir16", "swir22"),
)
_ROLES = {"nir08": "nir"}
MIN_SIDE_PX = 256
"""Smaller images are mirrored up to this, the side of the network's window."""
CLOUD, SHADOW = 1, 2
"""Its classes beside clear."""


@dataclass(frozen=True)
class UkisQuality:
    """Clouds and their shadows by a network; best on pixels of about 30 m."""

    bands: tuple[str, ...] = SIX
    """Blue, green, red and near infrared (nir or nir08), with or without swir16 and swir22."""
    level: Literal["l2a", "l1c"] = "l2a"
    """Whether the bands are reflectance at the surface or at the top of the atmosphere."""

    def __post_init__(self) -> None:
        """Check the bands.

        Raises
        ------
        ValueError
            If they are neither the four nor the six.
        """
        if tuple(_ROLES.get(name, name) for name in self.bands) not in {FOUR, SIX}:
            raise ValueError(
                f"bands must be {', '.join(FOUR)} with or without swir16 and swir22, got "
                f"{', '.join(self.bands)}"
            )

    def __call__(self, cube: xr.Dataset) -> xr.DataArray:
        """Return uint8 flags (time, y, x), ``FILL`` where any band is missing; lazy if ``cube`` is.

        Raises
        ------
        MissingExtraError
            If ukis-csmask isn't installed.
        ValueError, TypeError
            If a band is missing or isn't int16.
        """
        try:
            import ukis_csmask.mask  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError(
                f"this mask needs ukis-csmask ({error}); pip install 'cvlarray[ukis]'"
            ) from error
        bands = [take_band(cube, name, np.int16).transpose("time", "y", "x") for name in self.bands]
        whole = [band.chunk(y=-1, x=-1) if band.chunks else band for band in bands]
        quality: xr.DataArray = xr.apply_ufunc(
            partial(_each_date, roles=self.bands, level=self.level),
            *whole,
            input_core_dims=[["y", "x"]] * len(whole),
            output_core_dims=[["y", "x"]],
            dask="parallelized",
            output_dtypes=[np.uint8],
            join="exact",
        )
        return as_quality(quality)


def _each_date(*bands: NDArray[np.int16], roles: tuple[str, ...], level: str) -> NDArray[np.uint8]:
    """Return the flags of images (time, y, x)."""
    return np.stack(
        [_flags([band[n] for band in bands], roles, level) for n in range(len(bands[0]))]
    )


def _flags(bands: list[NDArray[np.int16]], roles: tuple[str, ...], level: str) -> NDArray[np.uint8]:
    from ukis_csmask.mask import CSmask  # noqa: PLC0415 - an extra

    is_missing = np.any([band == NODATA_DN for band in bands], axis=0)
    flags = np.full(is_missing.shape, QualityFlag.FILL, np.uint8)
    if is_missing.all():
        return flags
    image = np.stack([np.maximum(band, 0) for band in bands], axis=-1).astype(np.float32) / 1e4
    height, width = is_missing.shape
    more = [(0, max(0, MIN_SIDE_PX - size)) for size in (height, width)]
    image = np.pad(image, [*more, (0, 0)], mode="symmetric")
    mask: Any = CSmask(
        img=image,
        band_order=[_ROLES.get(name, name) for name in roles],
        product_level=level,
        nodata_value=None,
        intra_op_num_threads=1,
        inter_op_num_threads=1,
    )
    classes = np.asarray(mask.csm).reshape(image.shape[:2])[:height, :width]
    flags[...] = 0
    flags[classes == CLOUD] = QualityFlag.CLOUD
    flags[classes == SHADOW] = QualityFlag.SHADOW
    flags[is_missing] = QualityFlag.FILL
    return flags
