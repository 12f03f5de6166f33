"""Everything that happens to a landscape, in order: what its truth is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cvlarray.simulate.event import NATURAL, Cause, Event
from cvlarray.simulate.farming import farming_events
from cvlarray.simulate.keeping import kept
from cvlarray.simulate.landcover import LandCover
from cvlarray.simulate.landscape import Landscape
from cvlarray.simulate.mining import mining_events
from cvlarray.simulate.nature import natural_events
from cvlarray.simulate.randomness import generator
from cvlarray.simulate.rivers import channels_of
from cvlarray.simulate.roads import road_events
from cvlarray.simulate.season import date_of, day_number

ANY, UNTOUCHED = -1, -2
"""What an event may cover, where it isn't one other event."""


class History(NamedTuple):
    """Events by date, their polygons end to end: the form that kernels take."""

    vertices: NDArray[np.float64]
    """(n, 2) x, y [m]."""
    offsets: NDArray[np.int64]
    """(events + 1,) where each polygon starts."""
    bounds: NDArray[np.float64]
    """(events, 4) left, bottom, right, top [m]."""
    day: NDArray[np.int64]
    """(events,) days since 1970-01-01, ascending."""
    cause: NDArray[np.int64]
    """(events,) place in `Cause`."""
    land_cover: NDArray[np.uint8]
    surface: NDArray[np.int64]
    becomes: NDArray[np.int64]
    fading_days: NDArray[np.float64]
    after: NDArray[np.int64]
    """(events,) the event that it replaces wherever that still shows; `ANY`: it covers everything;
    `UNTOUCHED`: it covers only what nothing has happened to."""
    stays: NDArray[np.bool_]
    """(events,) whether what comes later goes round it, as it does round roads."""
    site: NDArray[np.int64]
    is_natural: NDArray[np.bool_]
    brightness: NDArray[np.float32]
    """(events,) standard normal: how it differs from others of its kind."""
    roughness: NDArray[np.float32]
    """(events,) the same for backscatter."""

    def within(
        self, bounds: tuple[float, float, float, float], until: int, *, natural: bool
    ) -> NDArray[np.int64]:
        """Return the events that have touched a rectangle by the end of a day, in order."""
        left, bottom, right, top = bounds
        touches = (
            (self.bounds[:, 0] <= right) & (self.bounds[:, 2] >= left)
            & (self.bounds[:, 1] <= top) & (self.bounds[:, 3] >= bottom)
        )  # fmt: skip
        return np.flatnonzero(touches & (self.day <= until) & (natural | ~self.is_natural))


@kept(8)
def history_of(landscape: Landscape) -> History:
    """Return everything that has happened to a landscape by its end."""
    events = [
        *farming_events(landscape),
        *natural_events(landscape),
        *mining_events(landscape),
        *road_events(landscape),
    ]
    # What is listed later wins on the same day: a road through a field, a mine in a burn scar.
    in_water = channels_of(landscape).touch([event.ring for event in events])
    end = day_number(landscape.end)
    happened = [
        event
        for event, is_wet in zip(events, in_water, strict=True)
        if event.day <= end and not is_wet
    ]
    return _history(happened, landscape.seed)


def event_table(landscape: Landscape, *, natural: bool = True) -> gpd.GeoDataFrame:
    """Return the events of a landscape's period as polygons.

    Parameters
    ----------
    landscape
        Any.
    natural
        Whether blow-downs and burns are among them.

    Returns
    -------
    A row an event in order of time, in the landscape's CRS: ``event_id``, ``date``, ``cause``,
    ``from_class`` and ``to_class`` (`LandCover` codes; what it was is told at one point inside),
    ``site``, ``is_natural``, ``area_m2``, ``geometry``. Polygons may reach over the landscape's
    edge and over each other: then the later one shows, except that roads stay, that storms and
    fires touch forest only, and that regrowth comes only where it is due.
    """
    history = history_of(landscape)
    polygons = [
        shapely.Polygon(history.vertices[a:b])
        for a, b in zip(history.offsets[:-1], history.offsets[1:], strict=True)
    ]
    start = day_number(landscape.start)
    listed = np.flatnonzero((history.day >= start) & (natural | ~history.is_natural))
    before = _classes_before(history, polygons, natural=natural)[listed]
    shapes = [polygons[k] for k in listed]
    causes = list(Cause)
    return gpd.GeoDataFrame(
        {
            "event_id": listed,
            "date": pd.to_datetime([date_of(day) for day in history.day[listed]]),
            "cause": [str(causes[k]) for k in history.cause[listed]],
            "from_class": before,
            "to_class": history.land_cover[listed],
            "site": [
                f"{causes[c]}-{s}"
                for c, s in zip(history.cause[listed], history.site[listed], strict=True)
            ],
            "is_natural": history.is_natural[listed],
            "area_m2": shapely.area(shapes),
        },
        geometry=shapes,
        crs=str(landscape.geobox.crs),
    )


def _classes_before(
    history: History, polygons: Sequence[shapely.Polygon], *, natural: bool
) -> NDArray[np.uint8]:
    """Return what lay at a point of each polygon just before it."""
    points = shapely.point_on_surface(polygons)
    tree = shapely.STRtree(polygons)
    point_of, polygon_of = tree.query(points, predicate="within")
    is_earlier = (polygon_of < point_of) & (natural | ~history.is_natural[polygon_of])
    latest = np.full(len(polygons), -1)
    np.maximum.at(latest, point_of[is_earlier], polygon_of[is_earlier])
    classes = np.where(latest >= 0, history.land_cover[latest], LandCover.INTACT_FOREST)
    return classes.astype(np.uint8)


def _predecessors(events: Sequence[Event], order: Sequence[int]) -> NDArray[np.int64]:
    """Return, in order, the new place of the event that each one follows."""
    place = np.empty(len(events), np.int64)
    place[list(order)] = np.arange(len(events))
    free = [UNTOUCHED if events[k].cause in NATURAL else ANY for k in order]
    after = [place[k - 1] if events[k].follows else free[i] for i, k in enumerate(order)]
    return np.array(after, np.int64)


def _history(events: Sequence[Event], seed: int) -> History:
    """Return events as columns, in order of time."""
    order = sorted(range(len(events)), key=lambda k: events[k].day)
    after = _predecessors(events, order)
    events = [events[k] for k in order]
    lengths = [len(event.ring) for event in events]
    rings = [event.ring for event in events]
    causes = list(Cause)
    rng = generator(seed, "differences")
    return History(
        vertices=np.vstack(rings) if rings else np.empty((0, 2)),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        bounds=np.array([(*r.min(axis=0), *r.max(axis=0)) for r in rings]).reshape(-1, 4),
        day=np.array([event.day for event in events], np.int64),
        cause=np.array([causes.index(event.cause) for event in events], np.int64),
        land_cover=np.array([event.land_cover for event in events], np.uint8),
        surface=np.array([event.surface for event in events], np.int64),
        becomes=np.array([event.becomes for event in events], np.int64),
        fading_days=np.array([event.fading_days for event in events], np.float64),
        after=after,
        stays=np.array([event.land_cover == LandCover.ROAD for event in events], np.bool_),
        site=np.array([event.site for event in events], np.int64),
        is_natural=np.array([event.is_natural for event in events], np.bool_),
        brightness=rng.normal(size=len(events)).astype(np.float32),
        roughness=rng.normal(size=len(events)).astype(np.float32),
    )
