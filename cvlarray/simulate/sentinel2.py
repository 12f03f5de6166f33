"""What Sentinel-2 measures: bands of 10 and 20 m, and the scene classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.imaging import blur
from cvlarray.simulate.acquisitions import Pass
from cvlarray.simulate.ground import Palette
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

SENTINEL2_BANDS: Mapping[str, int] = MappingProxyType({
    "blue": 10, "green": 10, "red": 10, "nir": 10,
    "rededge1": 20, "rededge2": 20, "rededge3": 20, "nir08": 20, "swir16": 20, "swir22": 20,
})  # fmt: skip
"""Bands that are simulated, and their pixel size [m]."""

_REFLECTANCE_PER_DN = 1e-4
_SPILL = 0.17
"""Share of a 10 m pixel's light that either neighbour gets: 0.32 of the contrast is left at the
finest period, where Sentinel-2 is specified to keep 0.15 to 0.30."""
_DRIFT_M, _DRIFT_OF_TILE_M = 2.5, 1.0
"""Spread of a pass's misregistration along an axis, and of a tile's around that."""

_VEGETATION, _BARE, _WATER = 4, 5, 6
_SHADOW, _UNCLASSIFIED, _MEDIUM, _HIGH, _CIRRUS = 3, 7, 8, 9, 10


class Sentinel2View(NamedTuple):
    """What Sentinel-2 measures in a window."""

    bands: Mapping[str, NDArray[np.uint16]]
    """DN (y, x) at each band's own resolution; never 0."""
    scl: NDArray[np.uint8]
    """(y / 2, x / 2) scene classification."""
    sky: NDArray[np.uint8]
    """(y / 2, x / 2) `landcover.Sky`: what really was in the way."""


def view_sentinel2(
    landscape: Landscape,
    at: Pass,
    pixels: Pixels,
    *,
    bands: Sequence[str] = tuple(SENTINEL2_BANDS),
    tile: str = "",
    dn_offset: int = 0,
    switches: Switches | None = None,
) -> Sentinel2View:
    """Return what Sentinel-2 measures in a window; the same for a pixel whatever the window.

    Parameters
    ----------
    landscape
        Any.
    at
        Pass of Sentinel-2.
    pixels
        Window in pixels of 10 m that begins and ends on multiples of 20 m.
    bands
        Names from `SENTINEL2_BANDS`.
    tile
        Tiles of one pass differ in calibration and registration.
    dn_offset
        DN of zero reflectance: 1000 as ESA delivers from baseline 04.00 on, else 0.
    switches
        Effects to simulate; all if None.

    Raises
    ------
    ValueError
        If the window isn't aligned, or a band isn't simulated.
    """
    unknown = sorted(set(bands) - set(SENTINEL2_BANDS))
    if unknown:
        raise ValueError(f"bands are {', '.join(SENTINEL2_BANDS)}; got {', '.join(unknown)}")
    shot = Shot(landscape, at, tile, switches or Switches())
    coarse = pixels.coarser(2)
    drift = shot.drift(_DRIFT_M, _DRIFT_OF_TILE_M)
    exposed = Exposed.of(shot, pixels.shifted(*drift).padded(1))
    sky = shot.sky(coarse)
    fine_names, coarse_names = (
        [name for name in bands if SENTINEL2_BANDS[name] == metres] for metres in (10, 20)
    )
    fine_image = _through_optics(exposed.reflectance(shot.palette, fine_names))
    coarse_image = exposed.reflectance(shot.palette, coarse_names, coarse=2, margin=1)
    values: dict[str, NDArray[np.uint16]] = {}
    for names, window, image, ratio in (
        (fine_names, pixels, fine_image, 2),
        (coarse_names, coarse, coarse_image, 1),
    ):
        put_sky_over(image, names, ratio, sky)
        dn = digitise(shot, window, image, names, (_REFLECTANCE_PER_DN, dn_offset))
        values |= dict(zip(names, dn, strict=True))
    state = exposed.ground.state[2:-1:2, 2:-1:2]
    return Sentinel2View(
        {name: values[name] for name in bands}, _scl(shot.palette, state, sky), sky_classes(sky)
    )


def _through_optics(sharp: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image (band, y, x), one pixel smaller at each side, with its light spread."""
    n_bands, height, width = sharp.shape
    image = np.empty((n_bands, height - 2, width - 2), np.float32)
    for band in range(n_bands):
        blur(sharp[band], _SPILL, image[band])
    return image


def _scl(palette: Palette, state: NDArray[np.int32], sky: SkyView) -> NDArray[np.uint8]:
    """Return the scene classification, which knows everything but `SkyView.missed` and haze."""
    is_water, is_green = water_and_green(palette)
    clear = np.where(is_water, _WATER, np.where(is_green, _VEGETATION, _BARE)).astype(np.uint8)
    scl = clear[state]
    scl[sky.shadow > 0.25] = _SHADOW
    scl[sky.cirrus > 0] = _CIRRUS
    scl[sky.cloud > CLOUD_EDGE] = _UNCLASSIFIED
    scl[sky.cloud > 0.2] = _MEDIUM
    scl[sky.cloud > 0.55] = _HIGH
    return scl
