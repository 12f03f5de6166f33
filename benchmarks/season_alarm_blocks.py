"""Simulated forest under mines and clearings, with weak and strong seasons, for false alarms.

All but the strong season is `cvlarray.simulate`: a sky with some 6 % of cloud that no mask knows,
haze, calibration, misregistration, noise, and what people do to a forest in the last of four years.
The forest there has the weak season of Madre de Dios.

The strong season is that of a seasonally dry forest; each of its pixels is leafless in part. Leaves
fall and flush as double logistic curves (Zhang et al., Remote Sensing of Environment 84, 2003,
doi:10.1016/S0034-4257(02)00135-9), at other days each year (by a standard deviation of 9 days) and
in each stand (6 days). These spreads, and the leafless spectrum, a third of it forest and the rest
its dead wood, are assumed: NDVI swings by 0.2 to 0.3.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import count, islice

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.features import feature_cube
from cvlarray.kernels.imaging import blur
from cvlarray.simulate import (
    Calendar,
    LandCover,
    Landscape,
    LandUse,
    Switches,
    changes_between,
)
from cvlarray.simulate.fields import smooth_field
from cvlarray.simulate.ground import FOREST, Palette
from cvlarray.simulate.imaging import STAND, Exposed, Shot, digitise, put_sky_over
from cvlarray.simulate.landscape import PIXEL_M
from cvlarray.simulate.randomness import generator
from cvlarray.simulate.season import date_of, day_number
from cvlarray.simulate.surfaces import LOOKS, VIGOUR_OF_BANDS, Surface
from cvlarray.simulate.weather import CLOUD_EDGE, SkyView, weather_of

SIZE_PX = 64
BANDS = ("red", "nir")
MISSING, STABLE, NO_FOREST = -32_768, -1, -2
FIRST, HELD_OUT, LAST = dt.date(2020, 1, 1), dt.date(2023, 1, 1), dt.date(2023, 12, 31)
OVERCAST = 0.98
"""Cloud share from which on a date counts as unseen."""
LAND_USE = LandUse(
    rivers=0, mining_sites=120, old_mining_sites=0, clearings=400, old_fields=0, logging_roads=0,
    highway=False, blowdowns=0, burns=0,
)  # fmt: skip
"""Many times as much as there is, so that small blocks have some."""
LEAST_FOREST, CHANGED_SHARE = 0.4, (0.01, 0.15)
"""Least share of forest in a block, and how much of that changes: a date's offset is the median of
its forest, most of which must stand, as it does wherever a region is watched."""

FALL_DAY, FLUSH_DAY = 190, 285
FALL_SCALE_DAYS, FLUSH_SCALE_DAYS = 14, 8
YEAR_SPREAD_DAYS, STAND_SPREAD_DAYS = 9, 6
LEAFLESS_FOREST = 0.35
LEAFLESS_SHARE = (0.6, 1.0)
SPECIES = {25.0: 0.7, 90.0: 0.7}
SPILL, DRIFT_M, DRIFT_OF_TILE_M = 0.17, 2.5, 1.0
"""As of `cvlarray.simulate.sentinel2`."""


class Season(Enum):
    """How much the forest changes over a year."""

    WEAK = "weak"
    STRONG = "strong"


@dataclass(frozen=True)
class Block:
    """A square of forest over four years, with one season or the other."""

    days: NDArray[np.int64]
    """(time,) since 1970-01-01."""
    bands: Mapping[Season, NDArray[np.int16]]
    """(band, time, y, x) reflectance × 10,000 of `BANDS`; -32768 where masked."""
    is_missed: NDArray[np.bool_]
    """(time, y, x) cloud that the mask doesn't know."""
    changed: NDArray[np.int32]
    """(y, x) day of the change in the last year; `STABLE` or `NO_FOREST` else."""

    def features(self, season: Season, names: Sequence[str]) -> xr.DataArray:
        """Return features (feature, time, y, x), as `cvlarray.features.feature_cube` makes them."""
        _, height, width = self.is_missed.shape
        coords = {
            "time": self.days.astype("datetime64[D]").astype("datetime64[ns]"),
            "y": np.arange(height)[::-1] * PIXEL_M,
            "x": np.arange(width) * PIXEL_M,
        }
        dims = ("time", "y", "x")
        layers = dict(zip(BANDS, self.bands[season], strict=True))
        cube = xr.Dataset({name: (dims, layer) for name, layer in layers.items()}, coords)
        return feature_cube(cube, cube["red"] != MISSING, names)


def seeds_from(first: int, n: int) -> tuple[int, ...]:
    """Return the first seeds from one on whose blocks are forest of which a little changes."""
    suitable = (seed for seed in count(first) if _is_suitable(_changed(_landscape(seed))))
    return tuple(islice(suitable, n))


def _is_suitable(changed: NDArray[np.int32]) -> bool:
    low, high = CHANGED_SHARE
    forest = float(np.mean(changed != NO_FOREST))
    return forest >= LEAST_FOREST and low <= np.mean(changed >= 0) / forest <= high


def _landscape(seed: int) -> Landscape:
    return Landscape.of_size(seed, SIZE_PX, start=HELD_OUT, end=LAST, land_use=LAND_USE)


def block_of(seed: int) -> Block:
    """Return the block of a seed."""
    landscape = _landscape(seed)
    shots = [
        Shot(landscape, at, "", Switches())
        for at in Calendar(FIRST, LAST).sentinel2()
        if weather_of(seed, day_number(at.date)).cloud_share < OVERCAST
    ]
    views = [_view(shot) for shot in shots]
    return Block(
        np.array([shot.day for shot in shots]),
        {season: np.stack([view[season] for view, _ in views], axis=1) for season in Season},
        np.stack([is_missed for _, is_missed in views]),
        _changed(landscape),
    )


def _changed(landscape: Landscape) -> NDArray[np.int32]:
    changes = changes_between(landscape, landscape.pixels, HELD_OUT, LAST)
    was_forest = changes.from_class == LandCover.INTACT_FOREST
    return np.where(was_forest, changes.first_changed, np.int32(NO_FOREST))


def _view(shot: Shot) -> tuple[dict[Season, NDArray[np.int16]], NDArray[np.bool_]]:
    """Return the bands (band, y, x) of a pass in both seasons, and where cloud was missed."""
    pixels = shot.landscape.pixels
    sky = shot.sky(pixels)
    clear = _is_clear(sky)
    looked_at = pixels.shifted(*shot.drift(DRIFT_M, DRIFT_OF_TILE_M)).padded(1)
    exposed = Exposed.of(shot, looked_at)
    leafy = exposed.reflectance(shot.palette, BANDS)
    bare = exposed.reflectance(_leafless(shot.palette), BANDS)
    share = _leafless_share(shot.landscape, shot.day)
    ground = {Season.WEAK: leafy, Season.STRONG: leafy + share * (bare - leafy)}
    bands = {season: _measured(shot, sky, clear, image) for season, image in ground.items()}
    return bands, clear & (sky.missed > 0)


def _measured(
    shot: Shot, sky: SkyView, clear: NDArray[np.bool_], image: NDArray[np.float32]
) -> NDArray[np.int16]:
    """Return what the sensor makes of the ground, masked."""
    pixels = shot.landscape.pixels
    blurred = np.empty((len(BANDS), *pixels.shape), np.float32)
    for sharp, out in zip(image, blurred, strict=True):
        blur(sharp, SPILL, out)
    put_sky_over(blurred, BANDS, 1, sky)
    dn = digitise(shot, pixels, blurred, BANDS, (1e-4, 0))
    return np.where(clear, np.minimum(dn, 32_767), MISSING).astype(np.int16)


def _is_clear(sky: SkyView) -> NDArray[np.bool_]:
    """Return what a scene classification calls clear: it knows all but `SkyView.missed`."""
    return (sky.shadow <= 0.25) & (sky.cirrus == 0) & (sky.cloud <= CLOUD_EDGE)


def _leafless(palette: Palette) -> Palette:
    """Return the palette with a forest without leaves."""
    bare = LEAFLESS_FOREST * palette.reflectance[FOREST] + (1 - LEAFLESS_FOREST) * np.array(
        LOOKS[Surface.SLASH].spectrum, np.float32
    )
    reflectance, vigour = palette.reflectance.copy(), palette.vigour.copy()
    reflectance[FOREST] = bare
    vigour[FOREST] = bare * LOOKS[Surface.FOREST].vigour * VIGOUR_OF_BANDS
    return palette._replace(reflectance=reflectance, vigour=vigour)


def _leafless_share(landscape: Landscape, day: int) -> NDArray[np.float32]:
    """Return how much of each pixel, and of a margin of one, is without leaves on a day."""
    stand, share = _trees(landscape)
    year = date_of(day)
    late = generator(landscape.seed, "leaves", year.year).normal(0, YEAR_SPREAD_DAYS)
    of_year = year.timetuple().tm_yday - late - STAND_SPREAD_DAYS * stand
    fallen = 1 / (1 + np.exp(-(of_year - FALL_DAY) / FALL_SCALE_DAYS))
    flushed = 1 / (1 + np.exp(-(of_year - FLUSH_DAY) / FLUSH_SCALE_DAYS))
    return np.asarray(share * fallen * (1 - flushed), np.float32)


@lru_cache(maxsize=1)
def _trees(landscape: Landscape) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how late each pixel's trees are [standard deviations], and how many lose leaves."""
    pixels = landscape.pixels.padded(1)
    stand = smooth_field(landscape.seed, ("leaves",), STAND, pixels)
    species = smooth_field(landscape.seed, ("species",), SPECIES, pixels)
    low, high = LEAFLESS_SHARE
    return stand, np.clip((low + high) / 2 + (high - low) / 4 * species, low, high)
