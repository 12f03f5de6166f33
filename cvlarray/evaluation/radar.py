"""Changes that radar finds in the rains, against the simulator's truth."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.evaluation.regions import Region
from cvlarray.inference import change_probability, infer
from cvlarray.models import Model
from cvlarray.names import NO_DATE
from cvlarray.radar import Confirmation, radar_changes, radar_departure
from cvlarray.simulate import Calendar, LandCover, changes_between, sentinel1_cube

__all__ = ["RadarCounts", "Rains", "count_radar", "radar_probability", "rains_of"]

HISTORY = dt.timedelta(days=365)
_UNRIPE_PASSES = 2
"""A change confirmed takes two passes; what happens after the last but two isn't judged."""
_FOREST = (LandCover.INTACT_FOREST, LandCover.SECONDARY_GROWTH)


@dataclass(frozen=True)
class Rains:
    """A region's wet season as radar sees it, and the truth."""

    region: Region
    departures: xr.Dataset
    """`cvlarray.radar.radar_departure` over the wet season."""
    changed: NDArray[np.int32]
    """(y, x) day on which people changed it, days since 1970-01-01, -1 for none."""
    is_watched: NDArray[np.bool_]
    """(y, x): forest when the rains begin, and not changed too late to be confirmed."""


@dataclass(frozen=True)
class RadarCounts:
    """What was found in one region."""

    region: str
    group: str
    counts: NDArray[np.int64]
    """Pixels: rightly found, wrongly found, missed, rightly found with the true day inside the
    interval of dates."""
    late_passes: NDArray[np.float64]
    """(rightly found,) passes from the first one after the change to the one it is dated to."""


def rains_of(region: Region, season: tuple[dt.date, dt.date]) -> Rains:
    """Return the wet season of a region, a year of history before it."""
    landscape = region.landscape
    passes = Calendar(season[0] - HISTORY, season[1]).sentinel1()
    cube = sentinel1_cube(landscape, passes).compute()
    departures = radar_departure(cube, until=season[0])
    truth = changes_between(landscape, landscape.pixels, season[0], season[1])
    natural = truth.to_class == LandCover.NATURAL_DISTURBANCE
    changed = np.where(natural, NO_DATE, truth.first_changed)
    ripe = _days(departures)[-_UNRIPE_PASSES]
    is_watched = np.isin(truth.from_class, _FOREST) & (changed <= ripe)
    return Rains(region, departures, changed, is_watched)


def radar_probability(rains: Rains, model: Model) -> xr.DataArray:
    """Return the probability of a change by each date alone, (time, y, x)."""
    maps = infer(rains.departures, model, window=256, overlap=64)
    return change_probability(maps, model.spec.output)


def count_radar(
    rains: Rains, model: Model, confirmation: Confirmation | None = None
) -> RadarCounts:
    """Return how confirmed changes meet the truth, pixel by pixel.

    What storms and fires do isn't anybody's doing: where it is found, it counts as wrong.
    """
    probability = radar_probability(rains, model)
    found = radar_changes(probability, confirmation=confirmation or Confirmation())
    is_found = (found["confirmed"].to_numpy() != NO_DATE) & rains.is_watched
    is_real = (rains.changed != NO_DATE) & rains.is_watched
    right = is_found & is_real
    inside = (found["interval_start"].to_numpy() < rains.changed) & (
        rains.changed <= found["interval_end"].to_numpy()
    )
    days = _days(rains.departures)
    said = np.searchsorted(days, found["first_flagged"].to_numpy()[right])
    first_after = np.searchsorted(days, rains.changed[right])
    counts = [right.sum(), (is_found & ~is_real).sum(), (is_real & ~is_found).sum()]
    return RadarCounts(
        rains.region.name,
        str(rains.region.group),
        np.array([*counts, (inside & right).sum()], np.int64),
        (said - first_after).astype(np.float64),
    )


def _days(departures: xr.Dataset) -> NDArray[np.int64]:
    return departures["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
