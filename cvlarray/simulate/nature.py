"""What happens without anybody: storms that throw the forest, fires that run through it."""

from __future__ import annotations

import numpy as np

from cvlarray.simulate.event import Cause, Event, Ring
from cvlarray.simulate.farming import dry_season_day
from cvlarray.simulate.landcover import LandCover
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.randomness import generator
from cvlarray.simulate.season import day_number, wave
from cvlarray.simulate.shapes import Point, blob
from cvlarray.simulate.surfaces import Surface

_SCAR_DAYS = 420
"""A scar counts as one for so long, then the canopy has closed over it."""


def natural_events(landscape: Landscape) -> list[Event]:
    """Return the blow-downs and burn scars of a landscape."""
    rng = generator(landscape.seed, "nature")
    start, end = day_number(landscape.start), day_number(landscape.end)
    years, hundreds = (end - start) / 365.25, landscape.area_km2 / 100
    n_storms = int(rng.poisson(landscape.land_use.blowdowns * hundreds * years))
    n_fires = int(rng.poisson(landscape.land_use.burns * hundreds * years))
    events: list[Event] = []
    for site in range(n_storms):
        site_rng = generator(landscape.seed, "storm", site)
        events += _storm(site_rng, landscape, site, _wet_season_day(site_rng, start, end))
    for site in range(n_storms, n_storms + n_fires):
        site_rng = generator(landscape.seed, "fire", site)
        events += _fire(site_rng, landscape, site, dry_season_day(site_rng, start, end))
    return events


def _wet_season_day(rng: np.random.Generator, start: int, end: int) -> int:
    """Return a day between start and end, mostly in the rains."""
    while True:
        day = int(rng.integers(start + 1, end))
        if rng.uniform() < 0.55 + 0.45 * wave(day, 15):
            return day


def _storm(rng: np.random.Generator, landscape: Landscape, site: int, day: int) -> list[Event]:
    """Return gusts side by side, longer than wide, that fan out downwind."""
    wind = rng.uniform(0, 2 * np.pi)
    x, y = _anywhere(rng, landscape)
    events: list[Event] = []
    for _ in range(int(rng.integers(2, 7))):
        radius = float(np.exp(rng.normal(np.log(75), 0.5)))
        along, across = rng.exponential(260), rng.normal(0, 120)
        centre = (
            x + along * np.cos(wind) - across * np.sin(wind),
            y + along * np.sin(wind) + across * np.cos(wind),
        )
        ring = blob(rng, centre, radius, roughness=0.3, stretch=rng.uniform(1.5, 3.5),
                    angle=wind + rng.normal(0, 0.25))  # fmt: skip
        events += _scar(Cause.WIND, Surface.BLOWDOWN, 260.0, day, ring, site)
    return events


def _fire(rng: np.random.Generator, landscape: Landscape, site: int, day: int) -> list[Event]:
    """Return a fire that eats its way through the understorey for some days."""
    centre = _anywhere(rng, landscape)
    events: list[Event] = []
    for later in range(int(rng.integers(1, 6))):
        radius = float(np.exp(rng.normal(np.log(110), 0.45)))
        ring = blob(rng, centre, radius, roughness=0.35, n_vertices=40)
        events += _scar(Cause.FIRE, Surface.BURN, 220.0, day + later, ring, site)
        angle = rng.uniform(0, 2 * np.pi)
        centre = centre[0] + 1.3 * radius * np.cos(angle), centre[1] + 1.3 * radius * np.sin(angle)
    return events


def _scar(
    cause: Cause, surface: Surface, fading_days: float, day: int, ring: Ring, site: int
) -> list[Event]:
    """Return a scar and the forest that it is again one day."""
    return [
        Event(
            day, cause, LandCover.NATURAL_DISTURBANCE, surface, Surface.FOREST, fading_days,
            ring, site, is_natural=True,
        ),
        Event(
            day + _SCAR_DAYS, Cause.REGROWTH, LandCover.INTACT_FOREST, Surface.FOREST,
            Surface.FOREST, 1e6, ring, site, is_natural=True, follows=True,
        ),
    ]  # fmt: skip


def _anywhere(rng: np.random.Generator, landscape: Landscape) -> Point:
    left, bottom, right, top = landscape.bounds
    return float(rng.uniform(left, right)), float(rng.uniform(bottom, top))
