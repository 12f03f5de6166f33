"""Clearings for fields, what becomes of them, and the fields that were there before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.simulate.event import Cause, Event, Ring
from cvlarray.simulate.landcover import LandCover
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.randomness import generator
from cvlarray.simulate.rivers import rivers_of
from cvlarray.simulate.roads import roads_of
from cvlarray.simulate.season import day_number, wave
from cvlarray.simulate.shapes import Point, blob, field
from cvlarray.simulate.surfaces import Surface

_RECENT_DAYS = (300, 480)
"""How long a clearing counts as recent."""
_ANYWHERE = 0.12
"""Share of clearings that are near nothing."""
_ROADSIDE, _RIVERSIDE = 700.0, 900.0
"""How far people go from a road or a river, on average [m]."""
_FALLOW_YEARS = 12
"""Fields from before the period are up to so old."""


class _Way(NamedTuple):
    """A road or river that people clear along."""

    path: NDArray[np.float64]
    """(n, 2) points [m]."""
    reach_m: float
    nearest_m: float
    weight: float
    stretches: NDArray[np.float64] = np.empty((0, 2, 2))
    """(k, 2, 2) start and end of what lies inside the landscape."""


def farming_events(landscape: Landscape) -> list[Event]:
    """Return every clearing of a landscape and what follows it."""
    rng = generator(landscape.seed, "farming")
    start, end = day_number(landscape.start), day_number(landscape.end)
    use, hundreds = landscape.land_use, landscape.area_km2 / 100
    n_old = int(rng.poisson(use.old_fields * hundreds))
    n_new = int(rng.poisson(use.clearings * hundreds * (end - start) / 365.25))
    ways = _ways(landscape)
    events: list[Event] = []
    for site in range(n_old + n_new):
        site_rng = generator(landscape.seed, "farm", site)
        if site < n_old:
            day = start - int(site_rng.uniform(_RECENT_DAYS[1], _FALLOW_YEARS * 365))
        else:
            day = dry_season_day(site_rng, start, end)
        ring = _outline(site_rng, *_place(site_rng, landscape, ways))
        events += _life(site_rng, day, ring, site)
    return events


def dry_season_day(rng: np.random.Generator, start: int, end: int) -> int:
    """Return a day between start and end, five times as likely in August as in February."""
    while True:
        day = int(rng.integers(start + 1, end))
        if rng.uniform() < 0.6 - 0.4 * wave(day, 46):
            return day


def _outline(rng: np.random.Generator, place: Point, angle: float) -> Ring:
    """Return a clearing's outline, half a hectare to tens of hectares."""
    area_m2 = float(np.clip(np.exp(rng.normal(np.log(3.0), 0.85)), 0.4, 60)) * 1e4
    if rng.uniform() < 0.7:
        return field(rng, place, area_m2, angle)
    return blob(rng, place, float(np.sqrt(area_m2 / np.pi)), roughness=0.15, stretch=1.3)


def _life(rng: np.random.Generator, day: int, ring: Ring, site: int) -> list[Event]:
    """Return what becomes of a clearing: a pasture or a fallow."""
    first = _felled(rng, day, ring, site)
    later = day + int(rng.integers(*_RECENT_DAYS))
    follows = _pasture if rng.uniform() < 0.55 else _fallow
    return [first, follows(later, ring, site)]


def _felled(rng: np.random.Generator, day: int, ring: Ring, site: int) -> Event:
    """Return the clearing itself: burned, left lying, or scraped to the soil."""
    first = (Surface.SLASH, Surface.CHAR, Surface.SOIL)[int(rng.choice(3, p=(0.45, 0.3, 0.25)))]
    fading = float(rng.uniform(700, 1600))
    return Event(
        day, Cause.FARMING, LandCover.RECENT_CLEARING, first, Surface.REGROWTH, fading, ring, site
    )


def _pasture(day: int, ring: Ring, site: int) -> Event:
    """Return grass; how green it is depends on the season."""
    return Event(
        day, Cause.REGROWTH, LandCover.PASTURE, Surface.REGROWTH, Surface.PASTURE_GREEN, 150.0,
        ring, site, follows=True,
    )  # fmt: skip


def _fallow(day: int, ring: Ring, site: int) -> Event:
    """Return trees that come back."""
    return Event(
        day, Cause.REGROWTH, LandCover.SECONDARY_GROWTH, Surface.REGROWTH, Surface.SECONDARY, 300.0,
        ring, site, follows=True,
    )  # fmt: skip


def _ways(landscape: Landscape) -> list[_Way]:
    """Return what people clear along, as far as it lies inside: roads and the main river."""
    roads = roads_of(landscape)
    ways = [_Way(road.path, _ROADSIDE, 60.0, 1.0) for road in roads.logging]
    if roads.highway is not None:
        ways.append(_Way(roads.highway.path, _ROADSIDE, 60.0, 6.0))
    total = max(1.0, sum(way.weight for way in ways))
    main = rivers_of(landscape).main
    ways.append(_Way(main[:, :2], _RIVERSIDE, 60 + float(main[0, 2]), 0.2 * total))
    left, bottom, right, top = landscape.bounds
    inside = []
    for way in ways:
        x, y = way.path[:-1].T
        k = np.flatnonzero((x > left) & (x < right) & (y > bottom) & (y < top))
        if k.size:
            inside.append(way._replace(stretches=np.stack([way.path[k], way.path[k + 1]], axis=1)))
    return inside


def _place(rng: np.random.Generator, landscape: Landscape, ways: list[_Way]) -> tuple[Point, float]:
    """Return where somebody clears, and along which direction."""
    if not ways or rng.uniform() < _ANYWHERE:
        left, bottom, right, top = landscape.bounds
        place = float(rng.uniform(left, right)), float(rng.uniform(bottom, top))
        return place, float(rng.uniform(0, np.pi))
    weights = np.array([way.weight for way in ways])
    way = ways[int(rng.choice(len(ways), p=weights / weights.sum()))]
    start, end = way.stretches[int(rng.integers(len(way.stretches)))]
    along = float(np.arctan2(end[1] - start[1], end[0] - start[0]))
    away = rng.choice([-1, 1]) * (way.nearest_m + rng.exponential(way.reach_m))
    x, y = start[0] - away * np.sin(along), start[1] + away * np.cos(along)
    return (float(x), float(y)), along
