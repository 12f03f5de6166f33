"""Quality from the bands themselves, by a method in the manner of Fmask 4."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.clouds import (
    Bands,
    cloud_flags,
    saturated,
    scene_statistics,
    spectral_tests,
)
from cvlarray.kernels.morphology import grown, majority
from cvlarray.kernels.shadows import (
    Displacement,
    common_displacement,
    darkness,
    matched_shadows,
)
from cvlarray.masking.flags import as_quality, take_band
from cvlarray.names import QualityFlag

SUN_AZIMUTH, SUN_ELEVATION = "sun_azimuth", "sun_elevation"
"""Coordinates along time [degrees, clockwise from north, and above the horizon]."""

LOWEST_CLOUD_M, HIGHEST_CLOUD_M = 200.0, 12_000.0
"""Heights at which a cloud's shadow is looked for (Zhu & Woodcock 2012)."""
FARTHEST_SHADOW_M = 6_000.0
"""How far a shadow may lie from its cloud where the sun isn't known."""
LOWEST_SUN_DEGREES = 5.0

_ROLES = {"nir08": "nir"}
"""Bands that serve as another."""


@dataclass(frozen=True)
class FmaskQuality:
    """Clouds, haze, cirrus, shadows, snow and water by spectra, shape and the sun's direction.

    Where the cube has the coordinates ``sun_azimuth`` and ``sun_elevation`` along time, shadows are
    looked for along them; where it hasn't, or they are NaN, in the direction in which the image
    itself shows most of its clouds' shadows; where none stands out, every dark spot is taken for
    one. View angles are neglected.
    """

    bands: tuple[str, ...] = ("blue", "green", "red", "nir", "swir16", "swir22")
    """What to use: any of these, nir08 instead of nir, cirrus (1.38 µm), and thermal [°C]. At least
    one of the first three; water needs red and nir, shadows nir or swir16, snow green and swir16.
    """
    rim_px: int = 1
    """How far clouds reach beyond what shows."""

    def __post_init__(self) -> None:
        """Check the bands.

        Raises
        ------
        ValueError
            If a band is unknown, stands in for one that is there, or no visible one is given.
        """
        roles = [_ROLES.get(name, name) for name in self.bands]
        unknown = sorted(set(roles) - (set(Bands._fields) - {"is_saturated"}))
        if unknown or len(set(roles)) < len(roles):
            raise ValueError(
                "bands must be different ones of blue, green, red, nir or nir08, swir16, swir22, "
                f"cirrus and thermal, got {', '.join(self.bands)}"
            )
        if not {"blue", "green", "red"} & set(roles):
            raise ValueError(
                f"bands must have blue, green or red, got {', '.join(self.bands) or 'none'}"
            )

    def __call__(self, cube: xr.Dataset) -> xr.DataArray:
        """Return the quality of a cube, date by date.

        Parameters
        ----------
        cube
            The bands, int16 of reflectance × 10,000 with -32768 missing (``thermal`` float32),
            (time, y, x) with y and x in one chunk: a cloud is compared with its whole scene, and
            its shadow may lie far from it. North up, in metres.

        Returns
        -------
        uint8 flags (time, y, x); ``FILL`` where any of the bands is missing. Lazy if ``cube`` is.

        Raises
        ------
        ValueError
            If a band is missing, y or x has more than one chunk, or the grid isn't north up.
        TypeError
            If a band has another dtype.
        """
        bands = [
            take_band(cube, name, np.float32 if name == "thermal" else np.int16).transpose(
                "time", "y", "x"
            )
            for name in self.bands
        ]
        _require_whole_images(cube)
        quality: xr.DataArray = xr.apply_ufunc(
            partial(_each_date, quality=self, pixel_m=_pixel_m(cube)),
            _sun(cube, SUN_AZIMUTH),
            _sun(cube, SUN_ELEVATION),
            *bands,
            input_core_dims=[[], [], *[["y", "x"]] * len(bands)],
            output_core_dims=[["y", "x"]],
            dask="parallelized",
            output_dtypes=[np.uint8],
            join="exact",
        )
        return as_quality(quality)


def fmask(
    bands: Bands, sun: tuple[float, float], pixel_m: float, *, rim_px: int = 1
) -> NDArray[np.uint8]:
    """Return the quality of one image.

    Parameters
    ----------
    bands
        At least one visible band, (y, x).
    sun
        Azimuth and elevation [degrees]; NaN if unknown.
    pixel_m
        Pixel size [m].
    rim_px
        How far clouds reach beyond what shows.

    Returns
    -------
    uint8 (y, x) of `cvlarray.names.QualityFlag`.
    """
    at_ceiling = saturated(bands)
    bands = bands._replace(is_saturated=at_ceiling)
    spectra = spectral_tests(bands)
    statistics = scene_statistics(bands, spectra)
    flags = cloud_flags(bands, spectra, statistics)
    is_cloud = grown(majority(flags & QualityFlag.CLOUD != 0), rim_px)
    reflected = {"nir": bands.nir, "swir16": bands.swir16}
    dark = [
        darkness(band, np.nan if statistics is None else getattr(statistics, name))
        for name, band in reflected.items()
        if band is not None
    ]
    result = np.where(is_cloud, np.uint8(QualityFlag.CLOUD), flags & ~np.uint8(QualityFlag.CLOUD))
    if dark:
        darkest = np.minimum.reduce(dark)
        where = _displacement(sun, pixel_m) or common_displacement(
            is_cloud, darkest, FARTHEST_SHADOW_M / pixel_m
        )
        result[matched_shadows(is_cloud, darkest, where)] |= np.uint8(QualityFlag.SHADOW)
    result[at_ceiling] |= np.uint8(QualityFlag.SATURATED)
    result[flags == QualityFlag.FILL] = QualityFlag.FILL
    return result.astype(np.uint8)


def _each_date(
    azimuth: NDArray[np.float64],
    elevation: NDArray[np.float64],
    *bands: NDArray[Any],
    quality: FmaskQuality,
    pixel_m: float,
) -> NDArray[np.uint8]:
    """Return the flags of images (time, y, x)."""
    result = np.empty(bands[0].shape, np.uint8)
    roles = [_ROLES.get(name, name) for name in quality.bands]
    for number, sun in enumerate(zip(azimuth.ravel(), elevation.ravel(), strict=True)):
        image = Bands(**{role: band[number] for role, band in zip(roles, bands, strict=True)})
        result[number] = fmask(image, sun, pixel_m, rim_px=quality.rim_px)
    return result


def _displacement(sun: tuple[float, float], pixel_m: float) -> Displacement | None:
    """Return where the sun throws shadows: away from it, the farther the lower it stands."""
    azimuth, elevation = np.radians(sun)
    if not elevation > np.radians(LOWEST_SUN_DEGREES) or np.isnan(azimuth):
        return None
    px_per_height_m = 1 / (np.tan(elevation) * pixel_m)
    return Displacement(
        float(np.cos(azimuth)),
        float(-np.sin(azimuth)),
        float(LOWEST_CLOUD_M * px_per_height_m),
        float(HIGHEST_CLOUD_M * px_per_height_m),
    )


def _sun(cube: xr.Dataset, name: str) -> xr.DataArray:
    """Return an angle for each date, NaN where the cube doesn't tell."""
    if name in cube.coords:
        return cube.coords[name].astype(np.float64).reset_coords(drop=True)
    return xr.DataArray(np.full(cube.sizes["time"], np.nan), dims="time")


def _pixel_m(cube: xr.Dataset) -> float:
    """Return the pixel size of a north-up grid in metres."""
    steps = [
        float(cube.coords[dim][1] - cube.coords[dim][0])
        for dim in ("x", "y")
        if dim in cube.coords and cube.sizes[dim] > 1
    ]
    if len(steps) < 2 or steps[0] <= 0 or steps[1] >= 0:
        raise ValueError(
            "shadows need a north-up grid with coordinates x (rising) and y (falling) in metres, "
            f"got steps of {steps}"
        )
    return steps[0]


def _require_whole_images(cube: xr.Dataset) -> None:
    for dim in ("y", "x"):
        n_chunks = len(cube.chunksizes.get(dim, (0,)))
        if n_chunks > 1:
            raise ValueError(
                f"{dim} must be one chunk to find clouds and their shadows, got {n_chunks}; "
                "rechunk with cube.chunk(time=1, y=-1, x=-1)"
            )
