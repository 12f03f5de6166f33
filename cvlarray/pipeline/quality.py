"""What hides the ground, by the run's own settings: which mask, what it reads, what it decides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from cvlarray.config import RunConfig
from cvlarray.cube import Day
from cvlarray.errors import ConfigError
from cvlarray.masking import (
    EitherQuality,
    FirstQuality,
    FmaskQuality,
    QualityProvider,
    UkisQuality,
    drop_specks,
    grow_flags,
    is_clear_of,
    native_quality,
)
from cvlarray.masking.fmask import SUN_AZIMUTH, SUN_ELEVATION
from cvlarray.names import QUALITY, READ, READ_STATUS, QualityFlag
from cvlarray.sensors import Scene

FMASK_BANDS = ("blue", "green", "red", "nir", "nir08", "swir16", "swir22")


def quality_provider(config: RunConfig, scenes: Sequence[Scene]) -> QualityProvider:
    """Return the mask of a run.

    Raises
    ------
    ConfigError
        If the sensor brings none and none is made from its bands.
    """
    if config.masking.provider == "fmask":
        return _fmask(config.cube.bands)
    if config.masking.provider == "ukis":
        return _ukis(config.cube.bands)
    try:
        native = _native(scenes)
    except ValueError as error:
        raise ConfigError(
            f"masking.provider: {error}; load_cube reads its scenes, but no run monitors them"
        ) from error
    if config.masking.provider == "native":
        return native
    return EitherQuality((native, _fmask(config.cube.bands)))


def bands_to_read(config: RunConfig, provider: QualityProvider) -> tuple[str, ...]:
    """Return the bands of the cube, then those that only the mask needs."""
    return tuple(dict.fromkeys((*config.cube.bands, *provider.bands)))


def halo_px(config: RunConfig) -> int:
    """Return how far beyond a tile its mask depends on."""
    return config.masking.grow_px + config.masking.min_object_px - 1


def find_quality(
    block: xr.Dataset, days: Sequence[Day], provider: QualityProvider, config: RunConfig
) -> xr.DataArray:
    """Return the flags of a block, shaped as the run wants them."""
    quality = provider(block.assign_coords(_sun(days)))
    quality = quality.drop_vars([SUN_AZIMUTH, SUN_ELEVATION], errors="ignore")
    # Not every mask has a value for what no scene reached.
    quality = quality.where(block[READ_STATUS.name] == READ, np.uint8(QualityFlag.FILL))
    if config.masking.min_object_px > 1:
        quality = drop_specks(quality, config.masking.min_object_px)
    if config.masking.grow_px:
        quality = grow_flags(quality, config.masking.grow_px)
    return quality


def clear_mask(cube: xr.Dataset, config: RunConfig) -> xr.DataArray:
    """Return where the ground was seen, lazily."""
    return is_clear_of(cube[QUALITY.name], config.masking.obscuring_flags)


def _native(scenes: Sequence[Scene]) -> QualityProvider:
    """Return the sensor's own mask, or of several sensors each one's."""
    families = dict.fromkeys(
        scene.family for scene in sorted(scenes, key=lambda one: one.harmonized_to is not None)
    )
    masks = []
    for family in families:
        of_family = [set(scene.assets) for scene in scenes if scene.family == family]
        masks.append(native_quality(family, set.intersection(*of_family)))
    return masks[0] if len(masks) == 1 else FirstQuality(tuple(masks))


def _fmask(bands: Sequence[str]) -> FmaskQuality:
    unwanted = "nir08" if "nir" in bands else ""
    return FmaskQuality(tuple(name for name in FMASK_BANDS if name in bands and name != unwanted))


def _ukis(bands: Sequence[str]) -> UkisQuality:
    nir = "nir" if "nir" in bands else "nir08"
    infrared = ("swir16", "swir22") if {"swir16", "swir22"} <= set(bands) else ()
    return UkisQuality(("blue", "green", "red", nir, *infrared))


def _sun(days: Sequence[Day]) -> dict[str, tuple[str, list[float]]]:
    """Return where the sun stood, as the first scene of each day has it; NaN if unknown."""
    first = [day.scenes[0] if day.scenes else None for day in days]
    azimuth = [None if scene is None else scene.sun_azimuth for scene in first]
    elevation = [None if scene is None else scene.sun_elevation for scene in first]
    return {
        SUN_AZIMUTH: ("time", [np.nan if angle is None else angle for angle in azimuth]),
        SUN_ELEVATION: ("time", [np.nan if angle is None else angle for angle in elevation]),
    }
