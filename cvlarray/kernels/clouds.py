"""Clouds, water and snow by their spectra: the tests of Fmask on whatever bands there are.

Zhu & Woodcock, "Object-based cloud and cloud shadow detection in Landsat imagery", 2012,
doi:10.1016/j.rse.2011.10.028; Zhu et al., "Improvement and expansion of the Fmask algorithm", 2015,
doi:10.1016/j.rse.2014.12.014; Qiu et al., "Fmask 4.0", 2019, doi:10.1016/j.rse.2019.05.024. Written
from the papers. Their thresholds are for reflectance at the top of the atmosphere; they are used
unchanged on surface reflectance, where thin cloud is harder to see.

A test whose bands are missing is passed. Two passes go over a scene: the first looks at each
pixel alone, the second compares it with what the clear land of the scene looks like.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.names import QualityFlag

NODATA = -32_768

POTENTIAL_CLOUD, WATER, SNOW, NO_DATA = (np.uint8(1 << bit) for bit in range(4))
"""Bits of `Spectra.tests`."""

CLOUD, HAZE, CIRRUS, SNOW_FLAG, WATER_FLAG, FILL = (
    np.uint8(QualityFlag[name]) for name in ("CLOUD", "HAZE", "CIRRUS", "SNOW", "WATER", "FILL")
)

CLOUD_ABOVE = np.float32(0.2)
"""How far above the clear land's the probability of a cloud must lie (Qiu et al. 2019, for
Sentinel-2)."""
HAZE_ABOVE = np.float32(0.1)
"""The same for haze: half as far."""

LOW, MIDDLE, HIGH = 17.5, 50, 82.5
"""Percentiles of the clear land of a scene. What lies around the image is taken to be as bright as
the median of it; the published 17.5 is itself shadow where clouds are many."""
MIN_CLEAR_SHARE = 0.001
"""With less of the valid pixels clear land, there is nothing to compare with: every potential cloud
is one."""
MAX_SAMPLE = 250_000
"""Pixels that a scene's statistics are taken from, spread evenly."""
HOT_MARGIN = 0.04
THERMAL_MARGIN = 4
"""Beyond the percentiles of HOT and of the temperature [°C]."""

CIRRUS_DN = 100
"""Above it, cirrus (Zhu et al. 2015)."""
CIRRUS_FULL_DN = np.float32(400)
"""Where its probability is 1."""
CIRRUS_WEIGHT = np.float32(0.5)
"""Of cirrus in the probability of a cloud (Qiu et al. 2019, for Sentinel-2)."""

SATURATED_HOT = np.float32(1)
"""HOT where a visible band is saturated: nothing but cloud and snow is as bright."""
MIN_AT_CEILING, MIN_CEILING_SHARE = 10, 1e-4
"""Pixels that share the largest value of a band, alone and as a share, if it is a ceiling."""

N_REFLECTANCE = 7
"""Bands of reflectance among those of `Bands`."""
ROWS_AT_ONCE = 64
"""Rows whose bands are gathered at once: they stay in the cache."""


class Bands(NamedTuple):
    """Bands of one image, (y, x); None where the sensor lacks one."""

    blue: NDArray[np.int16] | None = None
    """This and the following: reflectance × 10,000, -32768 missing."""
    green: NDArray[np.int16] | None = None
    red: NDArray[np.int16] | None = None
    nir: NDArray[np.int16] | None = None
    swir16: NDArray[np.int16] | None = None
    swir22: NDArray[np.int16] | None = None
    cirrus: NDArray[np.int16] | None = None
    """At 1.38 µm."""
    thermal: NDArray[np.float32] | None = None
    """Brightness temperature at 11 µm [°C]; NaN missing."""
    is_saturated: NDArray[np.bool_] | None = None
    """Whether a visible band is."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns.

        Raises
        ------
        ValueError
            If there is no visible band, or the bands' shapes differ.
        """
        if self.blue is None and self.green is None and self.red is None:
            raise ValueError("clouds need at least one of the bands blue, green and red; got none")
        shapes = {band.shape for band in self if band is not None}
        if len(shapes) > 1:
            raise ValueError(f"bands must have one shape, got {sorted(shapes)}; resample them")
        height, width = shapes.pop()
        return height, width


class Spectra(NamedTuple):
    """What each pixel's own spectrum says, (y, x)."""

    tests: NDArray[np.uint8]
    """Bits `POTENTIAL_CLOUD`, `WATER`, `SNOW`, `NO_DATA`."""
    hot: NDArray[np.float32]
    """Haze optimised transform: shortest visible band - 0.5 × longest - 0.08 [reflectance]."""
    variability: NDArray[np.float32]
    """1 - the largest of ``|NDVI|``, ``|NDSI|`` and whiteness: high for clouds."""

    def rows(self, rows: slice) -> Spectra:
        """Return some rows as series that share memory with these."""
        return Spectra(
            self.tests[rows].reshape(-1),
            self.hot[rows].reshape(-1),
            self.variability[rows].reshape(-1),
        )


class SceneStatistics(NamedTuple):
    """What the clear land of a scene looks like; NaN where there is none."""

    low: float
    """Where the probability of a cloud over land is 0: of HOT, or of warm ground [°C]."""
    high: float
    """Where it is 1: of HOT, or of cold ground [°C]."""
    land_probability: float
    """82.5th percentile of clear land's probability of being cloud."""
    water_temperature: float
    """82.5th percentile of clear water's temperature [°C]; NaN without a thermal band."""
    nir: float
    """Median of clear land [DN]; NaN without the band."""
    swir16: float


NO_STATISTICS = SceneStatistics(*[math.nan] * len(SceneStatistics._fields))


def spectral_tests(bands: Bands) -> Spectra:
    """Return what each pixel's spectrum says by itself.

    Parameters
    ----------
    bands
        At least one visible band; all of one shape (y, x).

    Returns
    -------
    Arrays (y, x). A pixel is ``NO_DATA``, and nothing else, where any band is missing.

    Raises
    ------
    ValueError
        If there is no visible band, or the bands' shapes differ.
    """
    shape = bands.shape
    spectra = Spectra(
        np.empty(shape, np.uint8), np.empty(shape, np.float32), np.empty(shape, np.float32)
    )
    has = np.array([band is not None for band in bands])
    for first in range(0, shape[0], ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        _spectral_tests(
            _stacked(bands, rows),
            has,
            _rows(bands.thermal, rows, np.float32),
            _rows(bands.is_saturated, rows, np.bool_),
            spectra.rows(rows),
        )
    return spectra


def saturated(bands: Bands) -> NDArray[np.bool_]:
    """Return where a visible band is at its ceiling: its largest value, if many pixels share it.

    Bright clouds saturate the visible bands of Landsat 5 and 7 at different reflectances, which
    turns white into a colour and spoils whiteness and HOT.

    Parameters
    ----------
    bands
        At least one visible band of a whole scene, (y, x).

    Returns
    -------
    Boolean (y, x).
    """
    result = np.zeros(bands.shape, np.bool_)
    for band in (bands.blue, bands.green, bands.red):
        if band is not None and band.size:
            is_largest = band == band.max()
            if np.count_nonzero(is_largest) > max(MIN_AT_CEILING, MIN_CEILING_SHARE * band.size):
                result |= is_largest & (band != NODATA)
    return result


def scene_statistics(bands: Bands, spectra: Spectra) -> SceneStatistics | None:
    """Return what the clear land of a scene looks like, or None if there is hardly any.

    Parameters
    ----------
    bands, spectra
        Of the scene, or of every n-th row and column of it.
    """
    step = max(1, math.isqrt(spectra.tests.size // MAX_SAMPLE))
    thin = (slice(step // 2, None, step),) * 2
    tests = spectra.tests[thin]
    is_land = (tests & (POTENTIAL_CLOUD | WATER | NO_DATA)) == 0
    n_valid = np.count_nonzero(tests & NO_DATA == 0)
    if np.count_nonzero(is_land) <= max(1, MIN_CLEAR_SHARE * n_valid):
        return None

    def of_land(band: NDArray[Any] | None, rank: float) -> float:
        return math.nan if band is None else float(np.percentile(band[thin][is_land], rank))

    if bands.thermal is None:
        low = of_land(spectra.hot, LOW) - HOT_MARGIN
        high = of_land(spectra.hot, HIGH) + HOT_MARGIN
    else:
        low = of_land(bands.thermal, HIGH) + THERMAL_MARGIN
        high = of_land(bands.thermal, LOW) - THERMAL_MARGIN
    evidence = spectra.hot if bands.thermal is None else bands.thermal
    probability = np.maximum((evidence[thin][is_land] - low) / (high - low), 0)
    probability *= spectra.variability[thin][is_land]
    return SceneStatistics(
        low=low,
        high=high,
        land_probability=float(np.percentile(probability, HIGH)),
        water_temperature=_water_temperature(bands, tests, thin),
        nir=of_land(bands.nir, MIDDLE),
        swir16=of_land(bands.swir16, MIDDLE),
    )


def cloud_flags(
    bands: Bands, spectra: Spectra, statistics: SceneStatistics | None
) -> NDArray[np.uint8]:
    """Return which pixels are cloud, haze, cirrus, snow and water by their spectra.

    Parameters
    ----------
    bands, spectra
        Of the scene or a part of it.
    statistics
        Of the scene; None makes every potential cloud one.

    Returns
    -------
    uint8 (y, x) of `cvlarray.names.QualityFlag`. Cloud excludes haze, cirrus and snow; cirrus
    excludes haze.
    """
    shape = bands.shape
    flags = np.empty(shape, np.uint8)
    numbers = NO_STATISTICS if statistics is None else statistics
    has = np.array([band is not None for band in bands])
    for first in range(0, shape[0], ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        _cloud_flags(
            _stacked(bands, rows),
            has,
            _rows(bands.thermal, rows, np.float32),
            spectra.rows(rows),
            np.array(numbers, np.float32),
            flags[rows].reshape(-1),
        )
    return flags


def _stacked(bands: Bands, rows: slice) -> NDArray[np.int16]:
    """Return some rows of the int16 bands, (band, pixel); 0 where there is no such band."""
    height, width = bands.shape
    n_rows = len(range(*rows.indices(height)))
    stack = np.zeros((N_REFLECTANCE, n_rows, width), np.int16)
    for number, band in enumerate(bands[:N_REFLECTANCE]):
        if band is not None:
            stack[number] = band[rows]
    return stack.reshape(N_REFLECTANCE, -1)


def _rows(band: NDArray[Any] | None, rows: slice, dtype: type[np.generic]) -> NDArray[Any]:
    """Return some rows of a band as a series; an empty one where there is no such band."""
    return np.empty(0, dtype) if band is None else np.ascontiguousarray(band[rows]).reshape(-1)


def _water_temperature(bands: Bands, tests: NDArray[np.uint8], thin: tuple[slice, slice]) -> float:
    """Return the 82.5th percentile of clear water's temperature."""
    if bands.thermal is None:
        return math.nan
    is_water = (tests & (WATER | NO_DATA)) == WATER
    if bands.swir22 is not None:
        is_water &= bands.swir22[thin] < 300  # brighter water has a cloud over it
    temperature = bands.thermal[thin][is_water]
    return float(np.percentile(temperature, HIGH)) if temperature.size else math.nan


@jit
def _spectral_tests(
    stack: NDArray[np.int16],
    has: NDArray[np.bool_],
    thermal: NDArray[np.float32],
    is_saturated: NDArray[np.bool_],
    spectra: Spectra,
) -> None:
    tests, hot, variability = spectra
    unit, zero = np.float32(1e-4), np.float32(0)
    tiny = np.float32(1e-4)
    shortest = 0 if has[0] else (1 if has[1] else 2)
    longest = 2 if has[2] else (1 if has[1] else 0)
    has_ndvi, has_ndsi = has[2] and has[3], has[1] and has[4]
    for p in range(tests.size):
        missing = False
        for band in range(stack.shape[0]):
            missing |= has[band] and stack[band, p] == NODATA
        if has[7]:
            missing |= np.isnan(thermal[p])
        total, n_visible = zero, 0
        for band in range(3):
            if has[band]:
                total += unit * np.float32(stack[band, p])
                n_visible += 1
        mean = max(total / np.float32(n_visible), tiny)
        deviation = zero
        for band in range(3):
            if has[band]:
                deviation += abs(unit * np.float32(stack[band, p]) - mean)
        saturated = has[8] and is_saturated[p]
        whiteness = zero if saturated else deviation / mean
        red, nir = unit * np.float32(stack[2, p]), unit * np.float32(stack[3, p])
        green, swir16 = unit * np.float32(stack[1, p]), unit * np.float32(stack[4, p])
        ndvi = (nir - red) / max(nir + red, tiny) if has_ndvi else zero
        ndsi = (green - swir16) / max(green + swir16, tiny) if has_ndsi else zero
        haze = unit * (
            np.float32(stack[shortest, p]) - np.float32(0.5) * np.float32(stack[longest, p])
        )
        haze = SATURATED_HOT if saturated else haze - np.float32(0.08)

        is_cloud = whiteness < 0.7 and ndvi < 0.8 and ndsi < 0.8 and haze > 0
        is_cloud &= not has[5] or stack[5, p] > 300
        is_cloud &= not (has[3] and has[4]) or nir > np.float32(0.75) * swir16
        is_cloud &= not has[7] or thermal[p] < 27
        is_cloud |= has[6] and stack[6, p] > CIRRUS_DN
        is_water = has_ndvi and ((ndvi < 0.01 and nir < 0.11) or (ndvi < 0.1 and nir < 0.05))
        is_snow = has_ndsi and ndsi > 0.15 and green > 0.1 and (not has[3] or nir > 0.11)
        is_snow &= not has[7] or thermal[p] < 3.8

        bits = POTENTIAL_CLOUD if is_cloud else np.uint8(0)
        bits |= WATER if is_water else np.uint8(0)
        bits |= SNOW if is_snow else np.uint8(0)
        tests[p] = NO_DATA if missing else bits
        hot[p] = haze
        variability[p] = np.float32(1) - max(abs(ndvi), abs(ndsi), whiteness)


@jit
def _cloud_flags(
    stack: NDArray[np.int16],
    has: NDArray[np.bool_],
    thermal: NDArray[np.float32],
    spectra: Spectra,
    statistics: NDArray[np.float32],
    flags: NDArray[np.uint8],
) -> None:
    tests, hot, variability = spectra
    low, high, clear_land, water_temperature = statistics[:4]
    nothing = np.uint8(0)
    bright = 4 if has[4] else (5 if has[5] else 3)
    knows_land = not np.isnan(low)
    for p in range(flags.size):
        is_potential = tests[p] & POTENTIAL_CLOUD != 0
        is_water = tests[p] & WATER != 0
        cirrus = np.float32(stack[6, p]) / CIRRUS_FULL_DN if has[6] else np.float32(0)
        evidence = thermal[p] if has[7] else hot[p]
        # How far the probability of a cloud lies above what clears a pixel of it.
        if is_water:
            brightness = np.float32(stack[bright, p]) if has[bright] else np.float32(1100)
            probability = min(brightness, np.float32(1100)) / np.float32(1100)
            if has[7] and not np.isnan(water_temperature):
                probability *= (water_temperature - thermal[p]) / np.float32(4)
            above = probability + CIRRUS_WEIGHT * cirrus - np.float32(0.5) + CLOUD_ABOVE
        elif knows_land:
            probability = max((evidence - low) / (high - low), np.float32(0)) * variability[p]
            above = probability + CIRRUS_WEIGHT * cirrus - clear_land
        else:
            above = np.float32(1)
        is_cloud = is_potential and above > CLOUD_ABOVE
        is_cloud |= has[7] and knows_land and thermal[p] < high + THERMAL_MARGIN - 35
        is_cirrus = has[6] and stack[6, p] > CIRRUS_DN and not is_cloud
        is_haze = is_potential and above > HAZE_ABOVE and not (is_cloud or is_cirrus or is_water)
        bits = CLOUD if is_cloud else nothing
        bits |= HAZE if is_haze else nothing
        bits |= CIRRUS if is_cirrus else nothing
        bits |= SNOW_FLAG if tests[p] & SNOW != 0 and not is_cloud else nothing
        bits |= WATER_FLAG if is_water and not is_cloud else nothing
        flags[p] = FILL if tests[p] & NO_DATA != 0 else bits
