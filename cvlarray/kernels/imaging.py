"""From the state of the ground to what a sensor measures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.counter_random import words_of_row

Plane = NDArray[np.float32]
"""(y, x)."""


class Looks(NamedTuple):
    """How each state of the ground looks."""

    means: NDArray[np.float32]
    """(state, band) reflectance."""
    vigours: NDArray[np.float32]
    """(state, band) what a unit of the stand field adds."""
    textures: NDArray[np.float32]
    """(state,) relative effect of the crown field."""
    tones: NDArray[np.float32]
    """(state,) relative effect of the soil field."""


class Fields(NamedTuple):
    """Standard normal fields that vary the look from place to place."""

    crown: Plane
    stand: Plane
    soil: Plane


class Veils(NamedTuple):
    """What is over the ground; see `simulate.weather.SkyView`."""

    cloud: Plane
    brightness: Plane
    thin: Plane
    """All thin cloud."""
    shadow: Plane
    haze: Plane


class Effects(NamedTuple):
    """What it does to a band."""

    shade: float
    """Share of the light that direct sun is."""
    cloud: float
    """Reflectance of cloud."""
    thin: float
    """Reflectance of thin cloud."""
    haze: float
    """Haze for one unit at 0.49 µm."""


class Errors(NamedTuple):
    """What a sensor makes of reflectance; all (band,)."""

    gains: NDArray[np.float32]
    offsets: NDArray[np.float32]
    """Added reflectance."""
    noises: NDArray[np.float32]
    """Standard deviation."""


@jit
def reflect(
    state: NDArray[np.int32],
    looks: Looks,
    fields: Fields,
    factor: int,
    reflectance: NDArray[np.float32],
) -> None:
    """Return the reflectance of the ground, averaged over ``factor`` × ``factor`` fine pixels.

    Parameters
    ----------
    state
        (y, x) which row of the tables each fine pixel is.
    looks
        The tables.
    fields
        (y, x) each.
    factor
        Fine pixels along the side of a coarse one.
    reflectance
        (band, y / factor, x / factor), written.
    """
    means, vigours, textures, tones = looks
    crown, stand, soil = fields
    n_bands, height, width = reflectance.shape
    share = np.float32(1.0 / (factor * factor))
    total = np.empty(n_bands, np.float32)
    for r in range(height):
        for c in range(width):
            total[:] = 0
            for i in range(r * factor, (r + 1) * factor):
                for j in range(c * factor, (c + 1) * factor):
                    k = state[i, j]
                    bright = np.float32(1) + textures[k] * crown[i, j] + tones[k] * soil[i, j]
                    bright = max(bright, np.float32(0.15))
                    vigour = stand[i, j]
                    for b in range(n_bands):
                        total[b] += means[k, b] * bright + vigours[k, b] * vigour
            for b in range(n_bands):
                reflectance[b, r, c] = total[b] * share


@jit
def blur(image: Plane, side: float, blurred: Plane) -> None:
    """Spread each pixel over its neighbours as an optical system does.

    Parameters
    ----------
    image
        (y + 2, x + 2).
    side
        Share that goes to either neighbour along an axis.
    blurred
        (y, x), written.
    """
    w = np.float32(side)
    v = np.float32(1 - 2 * side)
    height, width = blurred.shape
    line = np.empty(width + 2, np.float32)
    for r in range(height):
        for c in range(width + 2):
            line[c] = w * (image[r, c] + image[r + 2, c]) + v * image[r + 1, c]
        for c in range(width):
            blurred[r, c] = w * (line[c] + line[c + 2]) + v * line[c + 1]


@jit
def veil(reflectance: Plane, ratio: int, veils: Veils, effects: Effects) -> None:
    """Put the sky over one band, in place.

    Parameters
    ----------
    reflectance
        (y, x) of the ground.
    ratio
        Its pixels along the side of a pixel of the sky.
    veils
        (y / ratio, x / ratio) each.
    effects
        Of this band.
    """
    cloud, brightness, thin, shadow, haze = veils
    one = np.float32(1)
    shade, top = np.float32(effects.shade), np.float32(effects.cloud)
    thin_top, weight = np.float32(effects.thin), np.float32(effects.haze)
    for r in range(reflectance.shape[0]):
        i = r // ratio
        for c in range(reflectance.shape[1]):
            j = c // ratio
            value = reflectance[r, c] * (one - shade * shadow[i, j])
            value += weight * haze[i, j] * (one - value)
            value += thin[i, j] * (thin_top - value)
            value += cloud[i, j] * (top * brightness[i, j] - value)
            reflectance[r, c] = value


@jit
def quantise(
    reflectance: NDArray[np.float32],
    place: tuple[int, int],
    key: NDArray[np.uint32],
    quantiles: NDArray[np.float32],
    errors: Errors,
    scale: tuple[float, float],
    dn: NDArray[np.uint16],
) -> None:
    """Turn reflectance into what a file holds: gain, offset, noise, whole numbers.

    Parameters
    ----------
    reflectance
        (band, y, x), at most eight bands.
    place
        Row and column of the window, which its noise depends on.
    key
        (2,) of the noise.
    quantiles
        `kernels.counter_random.NORMAL_QUANTILES`.
    errors
        Gain, offset and noise of each band.
    scale
        Reflectance of one DN, and the DN of zero reflectance.
    dn
        (band, y, x) uint16 of at least 1, written; 0 is no data.
    """
    gains, offsets, noises = errors
    row0, col0 = place
    n_bands, height, width = dn.shape
    words = np.empty((4, width), np.uint32)
    per_unit, zero = np.float32(1 / scale[0]), np.float32(scale[1])
    for r in range(height):
        words_of_row(row0 + r, col0, key, words)
        for b in range(n_bands):
            shift = np.uint32(16 * (b & 1))
            for c in range(width):
                normal = quantiles[(words[b >> 1, c] >> shift) & np.uint32(0xFFFF)]
                value = reflectance[b, r, c] * gains[b] + offsets[b] + noises[b] * normal
                value = np.rint(value * per_unit + zero)
                dn[b, r, c] = np.uint16(min(max(value, np.float32(1)), np.float32(65535)))
