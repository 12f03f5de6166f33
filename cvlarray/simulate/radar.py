"""What Sentinel-1 measures: terrain-corrected backscatter, with speckle, rain and edges."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from cvlarray.kernels.counter_random import MIDDLES, random_field
from cvlarray.simulate.acquisitions import OrbitState, Pass
from cvlarray.simulate.fields import Octaves, smooth_field
from cvlarray.simulate.ground import ground_of, palette_of
from cvlarray.simulate.imaging import STAND
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.randomness import field_key
from cvlarray.simulate.season import day_number, dryness
from cvlarray.simulate.switches import Switches
from cvlarray.simulate.weather import weather_of

LOOKS = 4.4
"""Equivalent number of looks of Sentinel-1's ground-range product."""
_SHADOW_DB, _BRIGHT_DB = 4.0, 2.0
"""What the edge of a forest takes from the ground behind it, and adds to its own front (assumed,
after Bouvet et al., Remote Sensing 10, 2018, doi:10.3390/rs10081250, who find clearings by it)."""
_STAND_DB = 0.3
"""Spread within a surface from stand to stand."""
_DRY_DB = 1.0
"""What the driest month takes from bare ground, against the wettest."""
_VH_RAIN = 0.8
"""Rain's effect on VH, for 1 on VV."""
_ORBIT_DB = {"ascending": 0.15, "descending": -0.15}
"""The two sides are lit at other angles."""
_RAIN: Octaves = {3000.0: 0.8, 12000.0: 1.0}


class RadarView(NamedTuple):
    """Gamma0 of a window, linear power."""

    vv: NDArray[np.float32]
    """(y, x)."""
    vh: NDArray[np.float32]
    """(y, x)."""


def view_sentinel1(
    landscape: Landscape, at: Pass, pixels: Pixels, switches: Switches | None = None
) -> RadarView:
    """Return what Sentinel-1 measures in a window; the same for a pixel whatever the window.

    Parameters
    ----------
    landscape
        Any.
    at
        Pass of Sentinel-1.
    pixels
        Window in pixels of 10 m.
    switches
        Of them, `noise` is the speckle; `rain`, `seasonal_water`, `natural_disturbance`,
        `phenology`.

    Returns
    -------
    Speckle is gamma distributed with `LOOKS` looks and independent from pixel to pixel, which real
    speckle isn't quite.
    """
    switches = switches or Switches()
    day = day_number(at.date)
    palette = palette_of(landscape, day, switches)
    state = ground_of(landscape, pixels.padded(2), day, switches).state
    canopy = palette.canopy[state]
    state = state[2:-2, 2:-2]
    common = _STAND_DB * smooth_field(landscape.seed, ("radar stand",), STAND, pixels)
    common += _edges_db(canopy, at.orbit_state) + np.float32(_ORBIT_DB[at.orbit_state])
    wet = _wetness_db(landscape.seed, day, pixels, switches) * palette.wetness[state]
    powers = []
    for name, decibels, rain in (("vv", palette.vv_db, 1.0), ("vh", palette.vh_db, _VH_RAIN)):
        power = np.exp((decibels[state] + common + rain * wet) * np.float32(np.log(10) / 10))
        if switches.noise:
            key = field_key(landscape.seed, "speckle", name, at.relative_orbit, day)
            power *= _speckle(key, pixels)
        powers.append(power.astype(np.float32))
    return RadarView(*powers)


def _speckle(key: NDArray[np.uint32], pixels: Pixels) -> NDArray[np.float32]:
    """Return gamma distributed factors of mean 1."""
    factors = np.empty(pixels.shape, np.float32)
    random_field(pixels.row0, pixels.col0, key, _gamma_quantiles(), factors)
    return factors


@cache
def _gamma_quantiles() -> NDArray[np.float32]:
    """Return the quantiles of the speckle of `LOOKS` looks; they take a fifth of a second."""
    return np.asarray(gammaincinv(LOOKS, MIDDLES) / LOOKS, np.float32)


def _edges_db(canopy: NDArray[np.float32], orbit_state: OrbitState) -> NDArray[np.float32]:
    """Return what forest edges do, from the canopy (y + 4, x + 4) around.

    The satellite looks to its right: ascending from the west, descending from the east.
    """
    toward = 1 if orbit_state == "ascending" else -1
    here = canopy[2:-2, 2:-2]
    width = here.shape[1]
    near = canopy[2:-2, 2 - toward : 2 - toward + width]
    far = canopy[2:-2, 2 - 2 * toward : 2 - 2 * toward + width]
    shadow = np.maximum(np.maximum(near, 0.8 * far) - here, 0)
    front = np.maximum(here - near, 0)
    return np.asarray(_BRIGHT_DB * front - _SHADOW_DB * shadow, np.float32)


def _wetness_db(seed: int, day: int, pixels: Pixels, switches: Switches) -> NDArray[np.float32]:
    """Return what water in the soil adds on bare ground: the season's, and the last rain's."""
    season = -_DRY_DB * (dryness(day) - 0.5) if switches.phenology else 0.0
    wet = np.full(pixels.shape, season, np.float32)
    rain = weather_of(seed, day).rain
    if switches.rain and rain > 0:
        wet += np.float32(rain) * np.exp(
            np.float32(0.6) * smooth_field(seed, ("rain", day), _RAIN, pixels)
        )
    return wet
