"""What Landsat 8 and 9 measure: pixels of 30 m, Collection 2 Level-2."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.simulate.acquisitions import Pass
from cvlarray.simulate.imaging import (
    Exposed,
    Shot,
    digitise,
    put_sky_over,
    sky_classes,
    water_and_green,
)
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.switches import Switches
from cvlarray.simulate.weather import CLOUD_EDGE, SkyView

LANDSAT_BANDS = ("coastal", "blue", "green", "red", "nir08", "swir16", "swir22")
REFLECTANCE_PER_DN = 2.75e-5
ZERO_DN = 0.2 / REFLECTANCE_PER_DN
"""DN of zero reflectance: reflectance = DN × 0.0000275 - 0.2."""

_TO_OLI: Mapping[str, tuple[float, float]] = MappingProxyType({
    "coastal": (0.9959, -0.0002), "blue": (0.9778, -0.0040), "green": (1.0053, -0.0009),
    "red": (0.9765, 0.0009), "nir08": (0.9983, -0.0001), "swir16": (0.9987, -0.0011),
    "swir22": (1.0030, -0.0012),
})  # fmt: skip
"""Slope and intercept from Sentinel-2A's to Landsat 8's spectral response (Claverie et al., Remote
Sensing of Environment 219, 2018, doi:10.1016/j.rse.2018.09.002)."""
_DRIFT_M = 4.0

_LAND, _WATER, _SHADOW, _CIRRUS, _DILATED, _CLOUD = 21824, 21952, 23888, 54596, 21762, 22280
"""QA_PIXEL of clear land and water, and of what hides them (USGS, "Landsat 8-9 Collection 2 Level 2
Science Product Guide", 2022)."""


class LandsatView(NamedTuple):
    """What Landsat measures in a window."""

    bands: Mapping[str, NDArray[np.uint16]]
    """DN (y, x), 0.0000275 reflectance each from -0.2 on; never 0."""
    qa_pixel: NDArray[np.uint16]
    """(y, x) bit flags."""
    sky: NDArray[np.uint8]
    """(y, x) `landcover.Sky`: what really was in the way."""


def view_landsat(
    landscape: Landscape, at: Pass, pixels: Pixels, switches: Switches | None = None
) -> LandsatView:
    """Return what Landsat measures in a window; the same for a pixel whatever the window.

    Parameters
    ----------
    landscape
        Any.
    at
        Pass of Landsat.
    pixels
        Window in pixels of 30 m.
    switches
        Effects to simulate; all if None.
    """
    shot = Shot(landscape, at, "", switches or Switches())
    exposed = Exposed.of(shot, pixels.shifted(*shot.drift(_DRIFT_M, 0)).finer(3))
    image = exposed.reflectance(shot.palette, LANDSAT_BANDS, coarse=3)
    response = np.array([_TO_OLI[name] for name in LANDSAT_BANDS], np.float32)
    image = image * response[:, :1, np.newaxis] + response[:, 1:, np.newaxis]
    sky = shot.sky(pixels)
    put_sky_over(image, LANDSAT_BANDS, 1, sky)
    dn = digitise(shot, pixels, image, LANDSAT_BANDS, (REFLECTANCE_PER_DN, ZERO_DN))
    is_water, _ = water_and_green(shot.palette)
    flags = _qa_pixel(is_water[exposed.ground.state[1::3, 1::3]], sky)
    return LandsatView(dict(zip(LANDSAT_BANDS, dn, strict=True)), flags, sky_classes(sky))


def _qa_pixel(is_water: NDArray[np.bool_], sky: SkyView) -> NDArray[np.uint16]:
    """Return the pixel flags, which know everything but `SkyView.missed` and haze."""
    flags = np.where(is_water, _WATER, _LAND).astype(np.uint16)
    flags[sky.shadow > 0.25] = _SHADOW
    flags[sky.cirrus > 0] = _CIRRUS
    flags[sky.cloud > CLOUD_EDGE] = _DILATED
    flags[sky.cloud > 0.3] = _CLOUD
    return flags
