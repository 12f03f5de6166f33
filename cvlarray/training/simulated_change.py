"""Label chips of change from simulated pairs of dates, each beside what its season lets expect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field

from cvlarray.baseline import fit_baseline, predict
from cvlarray.features import feature_cube
from cvlarray.masking import is_clear
from cvlarray.models.change import CHANGE_CLASSES, change_bands
from cvlarray.models.model import Band
from cvlarray.names import NO_DATE, NODATA_DN
from cvlarray.simulate import (
    Calendar,
    LandCover,
    Landscape,
    Pass,
    changes_between,
    sentinel2_cube,
)
from cvlarray.training.chips import Chip, ChipKind
from cvlarray.training.landscapes import CRS, Regions
from cvlarray.training.settings import Settings
from cvlarray.training.simulated_land_cover import CHIP_PX, footprint, squares

__all__ = ["SimulatedChange", "change_labels"]

_DISTURBED = (
    LandCover.RECENT_CLEARING,
    LandCover.MINE_PIT,
    LandCover.TAILINGS_POND,
    LandCover.ROAD,
)


class SimulatedChange(Settings):
    """Pairs of Sentinel-2 passes some days apart, with the seasons fitted to the years before."""

    kind: Literal["simulated-change"] = "simulated-change"
    regions: Regions
    bands: tuple[str, ...] = Field(
        min_length=1, description="Bands of Sentinel-2 that are features too, such as nir."
    )
    history_end: dt.date = Field(description="Last day of the years that seasons are fitted to.")
    history_every_days: int = Field(
        default=10, ge=5, multiple_of=5, description="Days between passes of the history."
    )
    pairs_a_landscape: int = Field(default=16, ge=1, description="Pairs that are tried.")
    longest_gap_days: int = Field(default=40, ge=5, description="Between the dates of a pair.")
    least_clear: float = Field(default=0.3, ge=0, le=1, description="Share seen on both dates.")

    @property
    def chip_kind(self) -> ChipKind:
        """Reflectance and expectation of two dates; what people did to the land in between."""
        bands = tuple(map(Band, change_bands(self.bands)))
        return ChipKind(bands, CHANGE_CLASSES, ("simulator",), "simulated", size_px=CHIP_PX)

    @property
    def crs(self) -> str:
        """UTM zone 19 south."""
        return CRS

    def chips(self) -> Iterator[Chip]:
        """Yield the chips of one landscape and pair after another."""
        for landscape in self.regions.landscapes():
            season = self._season(landscape)
            for before, after in self._pairs(landscape):
                yield from self._chips(landscape, season, before, after)

    def _season(self, landscape: Landscape) -> xr.Dataset:
        """Return the seasons of a landscape's pixels, fitted to its history."""
        calendar = Calendar(landscape.start, self.history_end)
        seen = self._seen(landscape, calendar.sentinel2(every_days=self.history_every_days))
        return fit_baseline(seen).compute(scheduler="synchronous")

    def _pairs(self, landscape: Landscape) -> Iterator[tuple[Pass, Pass]]:
        """Yield pairs of passes after the history, drawn at random."""
        calendar = Calendar(self.history_end + dt.timedelta(days=1), landscape.end)
        passes = calendar.sentinel2()
        rng = np.random.default_rng([landscape.seed, 13])
        for _ in range(self.pairs_a_landscape):
            gap = int(rng.integers(1, self.longest_gap_days // 5 + 1))
            later = int(rng.integers(gap, len(passes)))
            yield passes[later - gap], passes[later]

    def _chips(
        self, landscape: Landscape, season: xr.Dataset, before: Pass, after: Pass
    ) -> Iterator[Chip]:
        seen = self._seen(landscape, [before, after]).compute(scheduler="synchronous")
        expected = predict(season, seen["time"].to_numpy()).compute(scheduler="synchronous")
        image = _roles(seen.to_numpy(), expected.to_numpy())
        label = change_labels(landscape, before.date, after.date)
        is_seen = (image != NODATA_DN).all(axis=0)
        for y, x in squares(label.shape, CHIP_PX):
            if is_seen[y, x].mean() < self.least_clear:
                continue
            facts = {
                "scene": f"simulated-{landscape.seed}",
                "date": after.date.isoformat(),
                "date_before": before.date.isoformat(),
            }
            yield Chip(image[:, y, x], label[np.newaxis, y, x], footprint(landscape, y, x), facts)

    def _seen(self, landscape: Landscape, passes: list[Pass] | tuple[Pass, ...]) -> xr.DataArray:
        """Return the bands (feature, time, y, x) where the scene classification calls it clear."""
        cube = sentinel2_cube(landscape, passes, bands=(*self.bands, "scl"))
        whole = cube.compute(scheduler="synchronous")
        return feature_cube(whole, is_clear(whole["scl"]), self.bands)


def change_labels(landscape: Landscape, before: dt.date, after: dt.date) -> NDArray[np.uint8]:
    """Return where people changed the land between two days: place in `CHANGE_CLASSES`.

    Storms, fires and regrowth are unchanged: nobody is to be alerted of them.
    """
    changes = changes_between(landscape, landscape.pixels, before, after)
    is_changed = (changes.first_changed != NO_DATE) & np.isin(changes.to_class, _DISTURBED)
    return np.asarray(is_changed & (changes.to_class != changes.from_class), np.uint8)


def _roles(seen: NDArray[np.int16], expected: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return bands (role × band, y, x): before, expected before, after, expected after."""
    missing = ~np.isfinite(expected)
    rounded = np.clip(np.nan_to_num(np.rint(expected)), -32_767, 32_767).astype(np.int16)
    rounded[missing] = NODATA_DN
    return np.concatenate([seen[:, 0], rounded[:, 0], seen[:, 1], rounded[:, 1]])
