"""Label chips of radar change: single dates of simulated Sentinel-1 beside their history."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field

from cvlarray.models.model import Band
from cvlarray.models.sar_rule import SAR_CLASSES
from cvlarray.names import NO_DATE
from cvlarray.radar.departure import CHANNELS, STACKED_DATES, radar_departure
from cvlarray.simulate import Calendar, LandCover, Landscape, changes_between, sentinel1_cube
from cvlarray.simulate.acquisitions import OrbitState
from cvlarray.training.chips import NO_LABEL, Chip, ChipKind
from cvlarray.training.landscapes import CRS, Regions
from cvlarray.training.settings import Settings
from cvlarray.training.simulated_land_cover import CHIP_PX, footprint, squares

__all__ = ["SimulatedRadar"]


class SimulatedRadar(Settings):
    """Dates of Sentinel-1 as they depart from the dates before the watch began."""

    kind: Literal["simulated-radar"] = "simulated-radar"
    regions: Regions
    watch_from: dt.date = Field(description="First day that isn't history.")
    history_days: int = Field(default=365, ge=90, description="Length of the history.")
    dates_a_landscape: int = Field(default=4, ge=1, description="Dates that are looked at.")

    @property
    def chip_kind(self) -> ChipKind:
        """Departures in dB, and what has changed since the watch began."""
        bands = tuple(Band(name, "dB") for name in CHANNELS)
        return ChipKind(bands, SAR_CLASSES, ("simulator",), "simulated", size_px=CHIP_PX)

    @property
    def crs(self) -> str:
        """UTM zone 19 south."""
        return CRS

    def chips(self) -> Iterator[Chip]:
        """Yield the chips of one landscape and date after another."""
        for landscape in self.regions.landscapes():
            departures = self._departures(landscape)
            for number in range(departures.sizes["time"]):
                yield from self._chips(landscape, departures.isel(time=number))

    def _departures(self, landscape: Landscape) -> xr.Dataset:
        """Return some dates of the watch, in order, each beside those just before it."""
        rng = np.random.default_rng([landscape.seed, 17])
        orbit: OrbitState = "ascending" if rng.integers(2) else "descending"
        history = Calendar(
            self.watch_from - dt.timedelta(days=self.history_days),
            self.watch_from - dt.timedelta(days=1),
        )
        watch = Calendar(self.watch_from, landscape.end).sentinel1(orbit_state=orbit)
        chosen = np.sort(rng.choice(len(watch), self.dates_a_landscape, replace=False))
        before = [range(max(0, k - STACKED_DATES + 1), k + 1) for k in chosen]
        stacked = sorted(set(itertools.chain(*before)))
        passes = [*history.sentinel1(orbit_state=orbit), *(watch[k] for k in stacked)]
        series = sentinel1_cube(landscape, passes).compute(scheduler="synchronous")
        departures = radar_departure(series, until=self.watch_from.isoformat())
        return departures.isel(time=np.searchsorted(stacked, chosen))

    def _chips(self, landscape: Landscape, date: xr.Dataset) -> Iterator[Chip]:
        day: dt.date = date["time"].to_numpy().astype("datetime64[D]").item()
        image = np.stack([date[name].to_numpy() for name in CHANNELS]).astype(np.float32)
        label = self._labels(landscape, day)
        for y, x in squares(label.shape, CHIP_PX):
            facts = {"scene": f"simulated-{landscape.seed}", "date": day.isoformat()}
            yield Chip(image[:, y, x], label[np.newaxis, y, x], footprint(landscape, y, x), facts)

    def _labels(self, landscape: Landscape, day: dt.date) -> NDArray[np.uint8]:
        """Return what people changed since the watch began.

        Storms and fires have no label: radar can't tell them from clearings. Nor have places where
        there was no forest: what is looked for is its loss.
        """
        first = self.watch_from - dt.timedelta(days=1)
        changes = changes_between(landscape, landscape.pixels, first, day)
        is_changed = changes.first_changed != NO_DATE
        label: NDArray[np.uint8] = is_changed.astype(np.uint8)
        was_forest = np.isin(
            changes.from_class, (LandCover.INTACT_FOREST, LandCover.SECONDARY_GROWTH)
        )
        is_natural = changes.to_class == LandCover.NATURAL_DISTURBANCE
        label[is_natural | (is_changed & ~was_forest)] = NO_LABEL
        return label
