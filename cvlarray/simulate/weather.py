"""The sky of a day: cloud, its shadow, cirrus, haze."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cvlarray.simulate.fields import Octaves, smooth_field
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.randomness import generator
from cvlarray.simulate.season import YEAR_DAYS, Sun, date_of, wave
from cvlarray.simulate.switches import Switches

CLOUD_SHARE = (0.93, 0.92, 0.88, 0.72, 0.50, 0.33, 0.20, 0.20, 0.36, 0.58, 0.77, 0.89)
"""Mean share of the sky under thick cloud at the overpass by month, January first. Assumed, so that
within ten days (two passes) less than 20 % is seen clearly in January and most in July and August,
as is reported of Madre de Dios; the shape of the year is that of the MODIS climatology (Wilson and
Jetz, PLoS Biology 14, 2016, doi:10.1371/journal.pbio.1002415)."""
MISSED_SHARE = 0.06
"""Mean share of clear sky under thin cloud that no mask knows."""
_STEADINESS = 1.6
"""Of the beta distribution of a day's cloud share: below 2, days are mostly clear or overcast."""

_SMALL: Octaves = {130.0: 0.22, 320.0: 0.5, 800.0: 1.0, 2200.0: 0.8, 9000.0: 0.5}
_LARGE: Octaves = {200.0: 0.12, 700.0: 0.3, 2500.0: 0.6, 8000.0: 1.0, 25000.0: 0.9}
_CIRRUS: Octaves = {400.0: 0.15, 1500.0: 0.4, 6000.0: 1.0, 20000.0: 0.8}
_THIN: Octaves = {180.0: 0.3, 600.0: 0.8, 2000.0: 1.0}
_HAZE: Octaves = {4000.0: 0.6, 15000.0: 1.0}

CLOUD_EDGE = 0.04
"""Opacity from which cloud is cloud in the truth."""


class Weather(NamedTuple):
    """What is the same over all of a landscape."""

    cloud_share: float
    is_small: bool
    """Fair-weather clouds rather than decks."""
    cloud_height_m: float
    cirrus_share: float
    missed_share: float
    haze: float
    """Mean added reflectance at 0.49 µm."""
    rain: float
    """Mean effect of the last day's rain on bare ground's backscatter [dB]."""


class SkyView(NamedTuple):
    """What is between a window and the sensor; all (y, x) float32."""

    cloud: NDArray[np.float32]
    """Opacity, 0 to 1."""
    brightness: NDArray[np.float32]
    """Of the cloud, relative to `imaging.CLOUD`."""
    cirrus: NDArray[np.float32]
    """Opacity of thin cloud that is known."""
    missed: NDArray[np.float32]
    """Opacity of thin cloud that isn't."""
    shadow: NDArray[np.float32]
    """Share of the direct sunlight that is missing."""
    haze: NDArray[np.float32]
    """Added reflectance at 0.49 µm."""


@lru_cache(maxsize=512)
def weather_of(seed: int, day: int) -> Weather:
    """Return the weather of a day at the overpass."""
    rng = generator(seed, "weather", day)
    date = date_of(day)
    # Months are joined smoothly, middle to middle.
    place = (date.timetuple().tm_yday - 0.5) / YEAR_DAYS * 12 - 0.5
    mean = float(
        np.interp(place, np.arange(-1, 13), (CLOUD_SHARE[-1], *CLOUD_SHARE, CLOUD_SHARE[0]))
    )
    share = float(rng.beta(mean * _STEADINESS, (1 - mean) * _STEADINESS))
    wet = 0.5 + 0.5 * wave(day, 15)
    smoke = max(0.0, wave(day, 255)) ** 2
    return Weather(
        cloud_share=share,
        is_small=bool(rng.uniform() < 0.75 - 0.5 * wet),
        cloud_height_m=float(rng.uniform(900, 3200)),
        cirrus_share=float(rng.beta(0.6, 12.0 - 5.0 * wet)),
        missed_share=float(rng.beta(2.0, 2.0 / MISSED_SHARE - 2.0)),
        haze=float(rng.exponential(0.005) + smoke * rng.exponential(0.014)),
        rain=float(rng.exponential(1.6)) if rng.uniform() < 0.06 + 0.34 * wet else 0.0,
    )


def sky_view(seed: int, day: int, sun: Sun, pixels: Pixels, switches: Switches) -> SkyView:
    """Return the sky over a window.

    Parameters
    ----------
    seed, day
        Which weather.
    sun
        Where shadows fall: opposite to it, the further the lower it stands.
    pixels
        Window; what is meant is the ground there.
    switches
        Of them, `clouds`, `missed_clouds` and `haze`.
    """
    weather = weather_of(seed, day)
    none = np.zeros(pixels.shape, np.float32)
    cloud, brightness, shadow, cirrus = none, none + 1, none, none
    if switches.clouds:
        excess = _cloud_excess(seed, day, weather, pixels)
        cloud, brightness = _opacity(excess), _brightness(excess)
        throw = weather.cloud_height_m * math.tan(sun.zenith)
        source = pixels.shifted(throw * math.sin(sun.azimuth), throw * math.cos(sun.azimuth))
        shadow = _opacity(_cloud_excess(seed, day, weather, source))
        field = smooth_field(seed, ("cirrus", day), _CIRRUS, pixels)
        cirrus = _veil(field, weather.cirrus_share, 0.06, 0.32)
    missed = none
    if switches.missed_clouds:
        field = smooth_field(seed, ("missed", day), _THIN, pixels)
        missed = _veil(field, weather.missed_share, 0.04, 0.20)
    haze = none
    if switches.haze:
        field = smooth_field(seed, ("haze", day), _HAZE, pixels)
        haze = np.float32(weather.haze) * np.exp(np.float32(0.45) * field)
    return SkyView(cloud, brightness, cirrus, missed, shadow, haze)


def _threshold(share: float) -> np.float32:
    """Return what a share of a standard normal field exceeds."""
    return np.float32(ndtri(np.clip(1 - share, 1e-6, 1 - 1e-6)))


def _cloud_excess(seed: int, day: int, weather: Weather, pixels: Pixels) -> NDArray[np.float32]:
    """Return by how much the cloud field exceeds its threshold; negative where there is none."""
    octaves = _SMALL if weather.is_small else _LARGE
    return smooth_field(seed, ("cloud", day), octaves, pixels) - _threshold(weather.cloud_share)


def _opacity(excess: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the opacity of cloud that is so thick."""
    return np.float32(1) - np.exp(np.float32(-7) * np.maximum(excess, np.float32(0)))


def _brightness(excess: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how bright it is from above."""
    return np.float32(0.8) + np.float32(0.25) * np.clip(excess, np.float32(0), np.float32(2))


def _veil(
    field: NDArray[np.float32], share: float, least: float, most: float
) -> NDArray[np.float32]:
    """Return the opacity of thin cloud: over a share of the sky, else nothing."""
    excess = field - _threshold(share)
    fullness = np.float32(1) - np.exp(np.float32(-2) * np.maximum(excess, np.float32(0)))
    thick = np.float32(least) + np.float32(most - least) * fullness
    return np.where(excess > 0, thick, np.float32(0))
