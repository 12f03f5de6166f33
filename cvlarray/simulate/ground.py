"""What lies where on a day, pixel by pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.painting import Courses, Polygons, nearest_course, paint_polygons
from cvlarray.simulate.fields import smooth_field
from cvlarray.simulate.history import UNTOUCHED, History, history_of
from cvlarray.simulate.keeping import kept
from cvlarray.simulate.landcover import LandCover
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.rivers import Course, courses_array, rivers_of
from cvlarray.simulate.season import dryness, leaf_flush, river_level
from cvlarray.simulate.surfaces import VIGOUR_OF_BANDS, Surface, table
from cvlarray.simulate.switches import Switches

FOREST, RIVER, LAKE, BAR, FIRST_EVENT = range(5)
"""States of a pixel: four that nobody made, then one an event."""

_BASE_SURFACES = (Surface.FOREST, Surface.RIVER, Surface.LAKE, Surface.BAR)
_BASE_CLASSES = (LandCover.INTACT_FOREST, LandCover.WATER, LandCover.WATER, LandCover.RIVER_BAR)
_STEADY_LEVEL = 0.5
_PLAIN_M = 500.0
"""How far from its bank a river shapes the forest."""
_STREAM_M = 60.0
"""Half the width from which on it does."""
_SCROLL_M = 105.0
"""Distance between the ridges that a bend leaves as it moves."""

BAR_OCTAVES = {110.0: 0.7, 330.0: 1.0}


class Ground(NamedTuple):
    """The ground of a window on a day."""

    state: NDArray[np.int32]
    """(y, x) `FOREST`, `RIVER`, `LAKE`, `BAR`, or `FIRST_EVENT` plus an event's place."""
    plain: NDArray[np.float32]
    """(y, x) stripes of older and younger forest that rivers leave beside them, within ±3."""


class Palette(NamedTuple):
    """How each state looks on a day."""

    land_cover: NDArray[np.uint8]
    """(state,) `LandCover`."""
    reflectance: NDArray[np.float32]
    """(state, band) mean, bands as in `surfaces.BANDS`."""
    vigour: NDArray[np.float32]
    """(state, band) what one unit of the stand field adds."""
    texture: NDArray[np.float32]
    """(state,) relative, of the crown field."""
    tone: NDArray[np.float32]
    """(state,) relative, of the soil field."""
    vv_db: NDArray[np.float32]
    vh_db: NDArray[np.float32]
    wetness: NDArray[np.float32]
    canopy: NDArray[np.float32]


def ground_of(landscape: Landscape, pixels: Pixels, day: int, switches: Switches) -> Ground:
    """Return what lies in a window on a day.

    Parameters
    ----------
    landscape
        Any.
    pixels
        Of any size; they are looked at at their centres.
    day
        Days since 1970-01-01.
    switches
        Of them, `seasonal_water` and `natural_disturbance`.
    """
    rivers, history = rivers_of(landscape), history_of(landscape)
    level = river_level(landscape.seed, day) if switches.seasonal_water else _STEADY_LEVEL
    state = np.full(pixels.shape, FOREST, np.int32)
    offset, half_width, _ = _nearest(rivers.lakes, pixels)
    state[np.abs(offset) < half_width * (0.8 + 0.2 * level)] = LAKE
    chosen = history.within(pixels.bounds, day, natural=switches.natural_disturbance)
    paint(history, chosen, pixels, state)
    offset, half_width, bend = _nearest(rivers.channels, pixels)
    _flood(landscape, pixels, level, (offset, half_width, bend), state)
    return Ground(state, _ridges(offset, half_width))


def paint(
    history: History,
    chosen: NDArray[np.int64],
    pixels: Pixels,
    state: NDArray[np.int32],
    is_noted: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """Paint events over states, in place.

    Parameters
    ----------
    history, chosen
        Which events, in order of time.
    pixels
        Window.
    state
        (y, x) of the window, written.
    is_noted
        (events,) which of them to keep note of; none if None.

    Returns
    -------
    (y, x) the first event of those noted that was painted on each pixel, -1 for none; of shape
    (0, 0) without ``is_noted``.
    """
    noted = np.full((0, 0) if is_noted is None else state.shape, -1, np.int32)
    which = np.zeros(len(history.day), bool) if is_noted is None else is_noted
    onto = np.where(history.after >= 0, history.after + FIRST_EVENT, history.after)
    onto[history.after == UNTOUCHED] = FOREST
    polygons = Polygons(history.vertices, history.offsets, onto, history.stays, which)
    paint_polygons(polygons, chosen, pixels.y_axis, pixels.x_axis, FIRST_EVENT, state, noted)
    return noted


@kept(4)
def palette_of(landscape: Landscape, day: int, switches: Switches) -> Palette:
    """Return how every state of a landscape looks on a day."""
    history = history_of(landscape)
    age = np.maximum(0, day - history.day)
    first = np.exp(-age / history.fading_days).astype(np.float32)
    weight = np.concatenate([np.ones(FIRST_EVENT, np.float32), first])
    surface = np.concatenate([_BASE_SURFACES, history.surface]).astype(np.int64)
    becomes = np.concatenate([_BASE_SURFACES, history.becomes]).astype(np.int64)

    def mixed(values: NDArray[np.float32]) -> NDArray[np.float32]:
        share = weight.reshape(-1, *(1,) * (values.ndim - 1))
        return np.asarray(share * values[surface] + (1 - share) * values[becomes], np.float32)

    base = np.zeros(FIRST_EVENT, np.float32)
    brightness = np.concatenate([base, history.brightness]) * mixed(table("difference"))
    roughness = np.concatenate([base, history.roughness]) * mixed(table("sar_difference_db"))
    reflectance = mixed(_spectra(landscape, day, switches))
    reflectance *= np.maximum(0.3, 1 + brightness)[:, np.newaxis]
    return Palette(
        land_cover=np.concatenate([_BASE_CLASSES, history.land_cover]).astype(np.uint8),
        reflectance=reflectance,
        vigour=reflectance * mixed(table("vigour"))[:, np.newaxis] * VIGOUR_OF_BANDS,
        texture=mixed(table("texture")),
        tone=mixed(table("tone")),
        vv_db=mixed(table("vv_db")) + roughness,
        vh_db=mixed(table("vh_db")) + roughness,
        wetness=mixed(table("wetness")),
        canopy=mixed(table("canopy")),
    )


def _nearest(
    courses: tuple[Course, ...], pixels: Pixels
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return distance to the nearest centreline, and half width and bend there."""
    offset = np.full(pixels.shape, np.inf, np.float32)
    half_width, bend = np.zeros(pixels.shape, np.float32), np.zeros(pixels.shape, np.float32)
    points, starts = courses_array(courses)
    is_river = np.array([line[:, 2].mean() > _STREAM_M and line[:, 3].any() for line in courses])
    found = Courses(points, starts, np.where(is_river, _PLAIN_M, 0.0))
    nearest_course(found, pixels.y_axis, pixels.x_axis, offset, half_width, bend)
    return offset, half_width, bend


def _flood(
    landscape: Landscape,
    pixels: Pixels,
    level: float,
    nearest: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    state: NDArray[np.int32],
) -> None:
    """Fill the channels up to a level; what stays dry is bar: at the inside of bends, mostly."""
    offset, half_width, bend = nearest
    is_channel = np.abs(offset) < half_width
    if not is_channel.any():
        return
    noise = smooth_field(landscape.seed, ("bars",), BAR_OCTAVES, pixels)[is_channel]
    from_inside = (1 - offset[is_channel] * np.sign(bend[is_channel]) / half_width[is_channel]) / 2
    bar_width = 0.08 + 0.55 * np.minimum(1, 2.2 * np.abs(bend[is_channel]))
    height = np.maximum(1 - from_inside / bar_width + 0.28 * noise, 0.55 * noise - 0.75)
    state[is_channel] = np.where(level > np.minimum(height, 0.97), RIVER, BAR)


def _ridges(offset: NDArray[np.float32], half_width: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the stripes beside a river; none beside streams."""
    distance = np.abs(offset) - half_width
    near = (distance < _PLAIN_M) & (half_width > _STREAM_M)
    ridges = np.zeros(offset.shape, np.float32)
    fade = 1 - np.maximum(distance[near], 0) / np.float32(_PLAIN_M)
    ridges[near] = fade * (1.2 + 1.6 * np.sin(distance[near] * np.float32(2 * np.pi / _SCROLL_M)))
    return ridges


def _spectra(landscape: Landscape, day: int, switches: Switches) -> NDArray[np.float32]:
    """Return the spectra (surface, band) of a day."""
    spectra = table("spectrum")
    dry = dryness(day) if switches.phenology else 0.5
    flush = leaf_flush(day) if switches.phenology else 0.0
    level = river_level(landscape.seed, day) if switches.seasonal_water else _STEADY_LEVEL
    green, withered = spectra[Surface.PASTURE_GREEN].copy(), spectra[Surface.PASTURE_DRY].copy()
    # It is a wet country: grass never dries through.
    spectra[Surface.PASTURE_GREEN] = (1 - 0.6 * dry) * green + 0.6 * dry * withered
    for surface, swing in ((Surface.FOREST, 0.06), (Surface.SECONDARY, 0.07)):
        spectra[surface] *= 1 + swing * flush * VIGOUR_OF_BANDS
    spectra[Surface.REGROWTH] *= 1 + 0.18 * (0.5 - dry) * VIGOUR_OF_BANDS
    # High water carries more, and carries it everywhere.
    spectra[Surface.RIVER] *= 0.8 + 0.4 * level
    return spectra
