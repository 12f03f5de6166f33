"""Alluvial gold mines: pits that creep along a river, with the ponds and tailings they leave."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cvlarray.simulate.event import Cause, Event, Ring
from cvlarray.simulate.landcover import LandCover
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.randomness import generator
from cvlarray.simulate.rivers import Course, rivers_of
from cvlarray.simulate.season import day_number
from cvlarray.simulate.shapes import Point, blob, fan
from cvlarray.simulate.surfaces import Surface

_PONDS = (
    Surface.POND_TURQUOISE, Surface.POND_GREY, Surface.POND_BROWN, Surface.POND_GREEN,
)  # fmt: skip
_POND_ODDS = (0.34, 0.30, 0.28, 0.08)
_POND_TURNS_DAYS = 500.0
"""How fast a working pond's brown water settles to turquoise."""
_MARGIN_DAYS = 420
"""After which what was felled round a pit and never dug is green again."""
_OLD_YEARS = 8


class _Pit(NamedTuple):
    """Where and when was dug."""

    centre: Point
    radius: float
    day: int


def mining_events(landscape: Landscape) -> list[Event]:
    """Return what every mine of a landscape does."""
    rng = generator(landscape.seed, "mining")
    use, hundreds = landscape.land_use, landscape.area_km2 / 100
    n_new = int(rng.poisson(use.mining_sites * hundreds))
    n_old = int(rng.poisson(use.old_mining_sites * hundreds))
    start, end = day_number(landscape.start), day_number(landscape.end)
    events: list[Event] = []
    for site in range(n_new + n_old):
        site_rng = generator(landscape.seed, "mine", site)
        if site < n_new:
            # Some have begun when the period begins.
            begun = int(site_rng.uniform(start - 250, end - 90))
        else:
            begun = start - int(site_rng.uniform(300, _OLD_YEARS * 365))
        events += _mine(site_rng, landscape, site, begun)
    return events


def _mine(rng: np.random.Generator, landscape: Landscape, site: int, begun: int) -> list[Event]:
    """Return the events of one site."""
    place, along = _place(rng, landscape)
    pits = _spread(rng, place, along, begun)
    return [event for pit in pits for event in _dig(rng, pit, site)]


def _place(rng: np.random.Generator, landscape: Landscape) -> tuple[Point, float]:
    """Return a place on a river's plain, and the direction of the valley there."""
    left, bottom, right, top = landscape.bounds
    channels = rivers_of(landscape).channels
    # Nine of ten follow a smaller stream or the main river alike, whatever their lengths.
    course = channels[int(rng.integers(len(channels)))]
    inside = np.flatnonzero(
        (course[:, 0] > left) & (course[:, 0] < right)
        & (course[:, 1] > bottom) & (course[:, 1] < top)
    )  # fmt: skip
    if inside.size == 0:
        return (float(rng.uniform(left, right)), float(rng.uniform(bottom, top))), float(
            rng.uniform(0, np.pi)
        )
    k = int(rng.choice(inside))
    return _on_the_plain(rng, course, k)


def _on_the_plain(rng: np.random.Generator, course: Course, k: int) -> tuple[Point, float]:
    """Return a place beside a point of a river."""
    reach = max(3, int(1500 / max(course[k, 2], 10)))
    a, b = course[max(0, k - reach)], course[min(len(course) - 1, k + reach)]
    along = float(np.arctan2(b[1] - a[1], b[0] - a[0]))
    away = course[k, 2] + 60 + rng.exponential(350)
    side = rng.choice([-1.0, 1.0])
    x = course[k, 0] - side * away * np.sin(along)
    y = course[k, 1] + side * away * np.cos(along)
    return (float(x), float(y)), along


def _spread(rng: np.random.Generator, place: Point, along: float, begun: int) -> list[_Pit]:
    """Return the pits of a site in order: each beside an earlier one, mostly up the valley."""
    n_pits = int(np.clip(np.exp(rng.normal(3.1, 0.85)), 3, 160))
    # A large site has many machines.
    pace = float(np.exp(rng.normal(np.log(300 / n_pits), 0.5)))
    heading = along + rng.choice([0.0, np.pi])
    pits = [_Pit(place, float(rng.uniform(25, 60)), begun)]
    for _ in range(n_pits - 1):
        # The front moves; now and then somebody digs further back.
        recent = max(0, len(pits) - 4) if rng.uniform() < 0.7 else 0
        near = pits[int(rng.integers(recent, len(pits)))]
        radius = float(np.clip(np.exp(rng.normal(np.log(46), 0.45)), 18, 130))
        angle = heading + rng.normal(0, 0.6)
        distance = (near.radius + radius) * rng.uniform(0.75, 1.15)
        centre = (
            near.centre[0] + distance * float(np.cos(angle)),
            near.centre[1] + distance * float(np.sin(angle)),
        )
        day = pits[-1].day + 1 + int(rng.exponential(pace))
        pits.append(_Pit(centre, radius, day))
    return pits


def _dig(rng: np.random.Generator, pit: _Pit, site: int) -> list[Event]:
    """Return what becomes of one pit: trees felled, ground dug, tailings, ponds."""
    felled = pit.day - int(rng.integers(3, 30))
    dug = blob(rng, pit.centre, pit.radius, roughness=0.20, stretch=rng.uniform(1.0, 1.9),
               angle=rng.uniform(0, np.pi))  # fmt: skip
    wider = blob(rng, pit.centre, pit.radius * rng.uniform(1.15, 1.45), roughness=0.14)
    events = [
        _event(felled, LandCover.RECENT_CLEARING, (Surface.SLASH, Surface.SOIL), 60, wider, site),
        Event(
            felled + _MARGIN_DAYS, Cause.REGROWTH, LandCover.SECONDARY_GROWTH, Surface.REGROWTH,
            Surface.SECONDARY, 600.0, wider, site, follows=True,
        ),
        _event(pit.day, LandCover.MINE_PIT, (Surface.PIT, Surface.PIT), 1e6, dug, site),
    ]  # fmt: skip
    if rng.uniform() < 0.6:
        day = pit.day + int(rng.integers(8, 45))
        angle = rng.uniform(0, 2 * np.pi)
        heap = fan(
            rng, pit.centre, pit.radius * rng.uniform(0.9, 1.5), angle, rng.uniform(0.8, 1.7)
        )
        events.append(
            _event(day, LandCover.TAILINGS_POND, (Surface.TAILINGS,) * 2, 1e6, heap, site)
        )
    n_ponds = int(rng.integers(0, 5))
    return [*events, *(_pond(rng, pit, site) for _ in range(n_ponds))]


def _pond(rng: np.random.Generator, pit: _Pit, site: int) -> Event:
    """Return a pond in a pit; new ones are brown and settle."""
    angle, away = rng.uniform(0, 2 * np.pi), pit.radius * rng.uniform(0, 0.65)
    centre = pit.centre[0] + away * np.cos(angle), pit.centre[1] + away * np.sin(angle)
    outline = blob(rng, centre, pit.radius * rng.uniform(0.28, 0.65), roughness=0.18)
    becomes = _PONDS[int(rng.choice(len(_PONDS), p=_POND_ODDS))]
    day = pit.day + int(rng.integers(20, 120))
    water = (Surface.POND_BROWN, becomes)
    return _event(day, LandCover.TAILINGS_POND, water, _POND_TURNS_DAYS, outline, site)


def _event(
    day: int,
    land_cover: LandCover,
    surfaces: tuple[Surface, Surface],
    fading_days: float,
    ring: Ring,
    site: int,
) -> Event:
    """Return an event of mining."""
    return Event(day, Cause.MINING, land_cover, *surfaces, fading_days, ring, site)
