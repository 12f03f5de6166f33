"""Roads: a highway from long ago, and logging roads that grow week by week."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.simulate.event import Cause, Event
from cvlarray.simulate.keeping import kept
from cvlarray.simulate.landcover import LandCover
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.randomness import generator
from cvlarray.simulate.season import day_number, wave
from cvlarray.simulate.shapes import strip, wander
from cvlarray.simulate.surfaces import Surface

_STEP_M = 120.0
"""Length of a stretch, which is finished in one day."""
_HIGHWAY_M, _LOGGING_M = 28.0, 17.0
"""Widths with their verges."""
_PACE_M_A_DAY = 60.0
"""How fast a logging road is pushed into the forest."""
_BYGONE_DAYS = 9000
"""How long before the period the highway was built."""


class Road(NamedTuple):
    """A way on the ground."""

    path: NDArray[np.float64]
    """(n, 2) points [m]."""
    days: NDArray[np.int64]
    """(n - 1,) when each stretch was finished."""
    width_m: float
    site: int


class Roads(NamedTuple):
    """All roads of a landscape."""

    highway: Road | None
    logging: tuple[Road, ...]


@kept(8)
def roads_of(landscape: Landscape) -> Roads:
    """Return the roads of a landscape."""
    rng = generator(landscape.seed, "roads")
    highway = _highway(rng, landscape) if landscape.land_use.highway else None
    n_logging = int(rng.poisson(landscape.land_use.logging_roads * landscape.area_km2 / 100))
    logging = tuple(_logging_road(rng, landscape, highway, site) for site in range(n_logging))
    return Roads(highway, logging)


def road_events(landscape: Landscape) -> list[Event]:
    """Return every stretch of road; those over water are bridges, and are not kept."""
    roads = roads_of(landscape)
    every = (*roads.logging, roads.highway) if roads.highway else roads.logging
    found = []
    for road in every:
        cause = Cause.FARMING if road is roads.highway else Cause.LOGGING
        for day, start, end in zip(road.days, road.path[:-1], road.path[1:], strict=True):
            ring = strip(tuple(start), tuple(end), road.width_m)
            look = Surface.ROAD
            found.append(Event(int(day), cause, LandCover.ROAD, look, look, 1e6, ring, road.site))
    return found


def _highway(rng: np.random.Generator, landscape: Landscape) -> Road:
    """Return a road right across, older than anything else."""
    left, bottom, right, top = landscape.bounds
    size = float(np.hypot(right - left, top - bottom))
    centre = np.array([left + right, bottom + top]) / 2 + rng.uniform(-0.25, 0.25, 2) * size
    angle = rng.uniform(0, 2 * np.pi)
    start = centre - 0.75 * size * np.array([np.cos(angle), np.sin(angle)])
    path = wander(rng, tuple(start), angle, 1.5 * size, step=_STEP_M, bend=0.03)
    built = day_number(landscape.start) - _BYGONE_DAYS
    return Road(path, np.full(len(path) - 1, built), _HIGHWAY_M, -1)


def _logging_road(
    rng: np.random.Generator, landscape: Landscape, highway: Road | None, site: int
) -> Road:
    """Return a track that leaves the highway, or the edge, and grows in the dry season."""
    left, bottom, right, top = landscape.bounds
    if highway is not None and rng.uniform() < 0.7:
        k = int(rng.integers(1, len(highway.path) - 1))
        start = highway.path[k]
        along = highway.path[k + 1] - highway.path[k]
        angle = np.arctan2(along[1], along[0]) + rng.choice([-1, 1]) * rng.normal(np.pi / 2, 0.25)
    else:
        start = np.array([rng.uniform(left, right), rng.uniform(bottom, top)])
        angle = rng.uniform(0, 2 * np.pi)
    length = float(np.exp(rng.normal(np.log(3500), 0.5)))
    path = wander(rng, tuple(start), float(angle), length, step=_STEP_M, bend=0.12)
    period = day_number(landscape.end) - day_number(landscape.start)
    begun = day_number(landscape.start) + int(rng.uniform(-period, period))
    return Road(path, _growth(begun, len(path) - 1), _LOGGING_M, site)


def _growth(begun: int, n_stretches: int) -> NDArray[np.int64]:
    """Return the day each stretch is done: steady in the dry season, at rest in the rains."""
    days: list[int] = []
    day, ready = begun, 0.0
    while len(days) < n_stretches:
        ready += _PACE_M_A_DAY * max(0.0, 0.4 - 0.8 * wave(day, 46))
        while ready >= _STEP_M and len(days) < n_stretches:
            days.append(day)
            ready -= _STEP_M
        day += 1
    return np.array(days, np.int64)
