"""What every optical sensor shares: the light of the ground, the sky before it, errors, DN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.counter_random import NORMAL_QUANTILES
from cvlarray.kernels.imaging import Effects, Errors, Fields, Looks, Veils, quantise, reflect, veil
from cvlarray.simulate.acquisitions import Pass
from cvlarray.simulate.fields import Octaves, smooth_field
from cvlarray.simulate.ground import Ground, Palette, ground_of, palette_of
from cvlarray.simulate.landcover import Sky
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.randomness import field_key, generator
from cvlarray.simulate.season import day_number, sun_at
from cvlarray.simulate.surfaces import BANDS
from cvlarray.simulate.switches import Switches
from cvlarray.simulate.weather import CLOUD_EDGE, SkyView, sky_view

CROWN: Octaves = {11.0: 0.8, 24.0: 0.55, 60.0: 0.35}
STAND: Octaves = {180.0: 0.5, 650.0: 0.6, 2600.0: 0.7, 9000.0: 0.5}
SOIL: Octaves = {45.0: 0.5, 130.0: 0.7, 420.0: 0.6}

CLOUD = np.array([0.62, 0.60, 0.60, 0.61, 0.62, 0.63, 0.64, 0.64, 0.64, 0.46, 0.34])
"""Reflectance of cloud by band. This and what follows is assumed."""
_THIN = np.array([0.50, 0.48, 0.47, 0.47, 0.47, 0.48, 0.48, 0.48, 0.48, 0.30, 0.24])
_DIRECT = np.array([0.62, 0.66, 0.72, 0.78, 0.80, 0.83, 0.85, 0.86, 0.87, 0.93, 0.95])
"""Share of the light that direct sun is, and that a shadow lacks."""
_WAVELENGTH_UM = np.array([0.443, 0.49, 0.56, 0.665, 0.704, 0.74, 0.783, 0.842, 0.865, 1.61, 2.19])
_HAZE = (_WAVELENGTH_UM / 0.49) ** -1.3
_NOISE = np.array([12, 10, 10, 10, 13, 15, 16, 18, 18, 13, 12]) * 1e-4
"""About what ESA requires at these radiances (Drusch et al., Remote Sensing of Environment 120,
2012, doi:10.1016/j.rse.2011.11.026): a hundredth of a bright target."""

_GAIN, _GAIN_OF_BAND, _OFFSET = 0.016, 0.006, 0.0016
"""Spread of a scene's gain, of its bands around that, and of its added reflectance."""


@dataclass(frozen=True)
class Shot:
    """One scene being taken."""

    landscape: Landscape
    at: Pass
    tile: str
    """Scenes of one pass differ in calibration; empty if the sensor has no tiles."""
    switches: Switches

    @property
    def day(self) -> int:
        """Days since 1970-01-01."""
        return day_number(self.at.date)

    @cached_property
    def palette(self) -> Palette:
        """How everything looks on the day."""
        return palette_of(self.landscape, self.day, self.switches)

    def sky(self, pixels: Pixels) -> SkyView:
        """Return what is in the way over a window."""
        longitude, latitude = self.landscape.longitude_latitude
        sun = sun_at(self.at.moment(longitude), longitude, latitude)
        return sky_view(self.landscape.seed, self.day, sun, pixels, self.switches)

    def drift(self, of_pass_m: float, of_tile_m: float) -> tuple[float, float]:
        """Return how far east and north of its place the scene looks [m], drawn by spreads."""
        if not self.switches.misregistration:
            return 0.0, 0.0
        seed, platform = self.landscape.seed, self.at.platform
        common = generator(seed, "drift", platform, self.day).normal(0, of_pass_m, 2)
        own = generator(seed, "drift", platform, self.day, self.tile).normal(0, of_tile_m, 2)
        return float(common[0] + own[0]), float(common[1] + own[1])


@dataclass(frozen=True)
class Exposed:
    """The ground of a window, with the fields that vary its look."""

    ground: Ground
    fields: Fields

    @classmethod
    def of(cls, shot: Shot, pixels: Pixels) -> Exposed:
        """Return the ground as a shot finds it."""
        seed = shot.landscape.seed
        ground = ground_of(shot.landscape, pixels, shot.day, shot.switches)
        crown = smooth_field(seed, ("crown",), CROWN, pixels)
        stand = smooth_field(seed, ("stand",), STAND, pixels) + ground.plain
        return cls(ground, Fields(crown, stand, smooth_field(seed, ("soil",), SOIL, pixels)))

    def reflectance(
        self, palette: Palette, names: Sequence[str], *, coarse: int = 1, margin: int = 0
    ) -> NDArray[np.float32]:
        """Return reflectance (band, y, x).

        Parameters
        ----------
        palette
            How each state looks.
        names
            Bands.
        coarse
            Pixels that are averaged along an axis.
        margin
            Pixels to leave out at each side.
        """
        height, width = self.ground.state.shape
        inner = slice(margin, height - margin), slice(margin, width - margin)
        fields = Fields(*(np.ascontiguousarray(field[inner]) for field in self.fields))
        state = np.ascontiguousarray(self.ground.state[inner])
        shape = len(names), state.shape[0] // coarse, state.shape[1] // coarse
        reflectance = np.empty(shape, np.float32)
        if names:
            reflect(state, _looks(palette, names), fields, coarse, reflectance)
        return reflectance


def put_sky_over(
    image: NDArray[np.float32], names: Sequence[str], ratio: int, sky: SkyView
) -> None:
    """Put cloud, shadow and haze over bands (band, y, x), in place.

    Parameters
    ----------
    image, names
        Reflectance of bands.
    ratio
        Its pixels along the side of a pixel of the sky.
    sky
        Over the same window.
    """
    thin = np.maximum(sky.cirrus, sky.missed)
    veils = Veils(sky.cloud, sky.brightness, thin, sky.shadow, sky.haze)
    for band, name in enumerate(names):
        k = BANDS.index(name)
        effects = Effects(float(_DIRECT[k]), float(CLOUD[k]), float(_THIN[k]), float(_HAZE[k]))
        veil(image[band], ratio, veils, effects)


def digitise(
    shot: Shot,
    pixels: Pixels,
    image: NDArray[np.float32],
    names: Sequence[str],
    scale: tuple[float, float],
) -> NDArray[np.uint16]:
    """Return reflectance (band, y, x) as DN, with the scene's errors.

    Parameters
    ----------
    shot
        Whose calibration and noise.
    pixels
        Window of the image.
    image, names
        Reflectance of at most eight bands.
    scale
        Reflectance of one DN, and the DN of zero reflectance.
    """
    dn = np.empty(image.shape, np.uint16)
    if names:
        metres = round(pixels.size_m)
        key = field_key(shot.landscape.seed, "noise", shot.at.platform, shot.day, shot.tile, metres)
        place = pixels.row0, pixels.col0
        quantise(image, place, key, NORMAL_QUANTILES, _errors(shot, names), scale, dn)
    return dn


def sky_classes(sky: SkyView) -> NDArray[np.uint8]:
    """Return the cloud truth, `landcover.Sky`: the most that is in the way of each pixel."""
    classes = np.full(sky.cloud.shape, Sky.CLEAR, np.uint8)
    classes[sky.shadow > 0.1] = Sky.SHADOW
    classes[sky.cirrus > 0] = Sky.CIRRUS
    classes[sky.missed > 0] = Sky.THIN_CLOUD
    classes[sky.cloud > CLOUD_EDGE] = Sky.CLOUD
    return classes


def water_and_green(palette: Palette) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which states (state,) look like water, and which like plants."""
    green, red, nir, swir = (
        palette.reflectance[:, BANDS.index(name)] for name in ("green", "red", "nir", "swir16")
    )
    return (green - swir) / (green + swir) > 0.25, (nir - red) / (nir + red) > 0.5


def _looks(palette: Palette, names: Sequence[str]) -> Looks:
    """Return the tables of some bands."""
    which = [BANDS.index(name) for name in names]
    means = np.ascontiguousarray(palette.reflectance[:, which])
    vigours = np.ascontiguousarray(palette.vigour[:, which])
    return Looks(means, vigours, palette.texture, palette.tone)


def _errors(shot: Shot, names: Sequence[str]) -> Errors:
    """Return gain, added reflectance and noise of a scene; each processing has its own."""
    which = [BANDS.index(name) for name in names]
    n_bands = len(BANDS)
    gains, offsets, noises = np.ones(n_bands), np.zeros(n_bands), np.zeros(n_bands)
    if shot.switches.calibration:
        at = shot.at
        rng = generator(
            shot.landscape.seed, "calibration", at.platform, shot.day, shot.tile,
            at.processing_baseline,
        )  # fmt: skip
        gains = 1 + rng.normal(0, _GAIN) + rng.normal(0, _GAIN_OF_BAND, n_bands)
        offsets = rng.normal(0, _OFFSET, n_bands)
    if shot.switches.noise:
        noises = _NOISE
    return Errors(*(values[which].astype(np.float32) for values in (gains, offsets, noises)))
