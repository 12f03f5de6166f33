"""Invented regions to train on, each at a place of its own and used in its own way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import Field

from cvlarray.simulate import Landscape, LandUse
from cvlarray.training.settings import Settings

__all__ = ["CRS", "Range", "Regions"]

CRS = "EPSG:32719"
_PIXEL_M = 10
_ORIGIN_M = (300_000, 9_000_000)
_A_ROW = 40
_GAP_PX = 256


class Range(Settings):
    """What is drawn evenly between two numbers for each landscape."""

    low: float = Field(ge=0)
    high: float = Field(ge=0)


class Regions(Settings):
    """Which landscapes: consecutive seeds, and ranges of how the land is used."""

    first_seed: int = Field(ge=0, description="Seed of the first landscape.")
    n_landscapes: int = Field(ge=1, description="Landscapes; their seeds follow each other.")
    size_px: int = Field(default=512, ge=256, multiple_of=256, description="Side [pixels].")
    start: dt.date = Field(description="First day on which something may change.")
    end: dt.date = Field(description="Last day.")
    land_use: dict[str, Range] = Field(
        default_factory=dict,
        description="Ranges of the numbers of `cvlarray.simulate.LandUse`, by their names.",
    )

    def landscapes(self) -> Iterator[Landscape]:
        """Yield them, side by side with gaps of 2560 m."""
        for number in range(self.n_landscapes):
            yield self._landscape(number)

    def _landscape(self, number: int) -> Landscape:
        seed = self.first_seed + number
        row, col = divmod(number, _A_ROW)
        step = (self.size_px + _GAP_PX) * _PIXEL_M
        left, top = _ORIGIN_M[0] + col * step, _ORIGIN_M[1] - row * step
        geobox = GeoBox(
            (self.size_px, self.size_px), Affine(_PIXEL_M, 0, left, 0, -_PIXEL_M, top), CRS
        )
        return Landscape(
            seed, geobox, start=self.start, end=self.end, land_use=self._land_use(seed)
        )

    def _land_use(self, seed: int) -> LandUse:
        rng = np.random.default_rng([seed, 7])
        drawn = {
            name: float(rng.uniform(one.low, one.high))
            for name, one in sorted(self.land_use.items())
        }
        return LandUse(**drawn)  # type: ignore[arg-type]  # numbers by name
