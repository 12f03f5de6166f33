"""Invented regions that no model was trained on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from cvlarray.simulate import Landscape, LandUse

__all__ = ["FIRST_SEED", "Group", "HeldOut", "Region"]

FIRST_SEED = 9_000
"""Seeds from it on are for evaluation only."""
_TUNING_SEED = 8_000


class Group(StrEnum):
    """How a region is held out."""

    SEEDS = "new seeds"
    """Other places, used as in training."""
    RANGES = "new ranges"
    """Used in a way that training never saw: more of everything, closer together."""
    TUNING = "tuning"
    """What is chosen or calibrated is chosen on these; nothing is reported on them."""


LAND_USE: dict[Group, dict[str, tuple[float, float]]] = {
    Group.SEEDS: {
        "mining_sites": (40, 60), "old_mining_sites": (8, 30), "clearings": (40, 50),
        "old_fields": (20, 100), "logging_roads": (1, 4), "rivers": (0.5, 2),
        "blowdowns": (2, 6), "burns": (1, 4),
    },
    Group.RANGES: {
        "mining_sites": (95, 130), "old_mining_sites": (35, 50), "clearings": (125, 160),
        "old_fields": (105, 140), "logging_roads": (6.5, 9), "rivers": (2.5, 4),
        "blowdowns": (7, 10), "burns": (5, 8),
    },
}  # fmt: skip
"""Of `cvlarray.simulate.LandUse`; the trainings in ``configs/train`` stay below the second."""
LAND_USE[Group.TUNING] = LAND_USE[Group.SEEDS]


@dataclass(frozen=True)
class Region:
    """One region, and how it is held out."""

    landscape: Landscape
    group: Group

    @property
    def name(self) -> str:
        """Such as ``simulated-9003``."""
        return f"simulated-{self.landscape.seed}"


@dataclass(frozen=True)
class HeldOut:
    """Which regions are looked at.

    Raises
    ------
    ValueError
        If there is no region, or they are smaller than a window.
    """

    n_regions: int = 16
    """Half of them with new seeds, half with new ranges, too."""
    size_px: int = 384
    """Side [pixels of 10 m], a multiple of 2."""
    wet_season: tuple[dt.date, dt.date] = field(
        default=(dt.date(2022, 10, 1), dt.date(2023, 4, 30))
    )
    """First and last day of the rains that are watched."""

    def __post_init__(self) -> None:
        if self.n_regions < 2 or self.size_px < 64:
            raise ValueError(
                "evaluation needs 2 regions or more of 64 pixels or more, got "
                f"{self.n_regions} of {self.size_px}"
            )

    @property
    def dry_season_start(self) -> dt.date:
        """Day from which dates of Sentinel-2 are compared, before those rains."""
        return dt.date(self.wet_season[0].year, 5, 1)

    def regions(self) -> Iterator[Region]:
        """Yield them, both groups in turn."""
        for number in range(self.n_regions):
            group = Group.RANGES if number % 2 else Group.SEEDS
            yield self._region(FIRST_SEED + number, group)

    def tuning_regions(self) -> Iterator[Region]:
        """Yield half as many for what must be chosen."""
        for number in range(max(1, self.n_regions // 4)):
            yield self._region(_TUNING_SEED + number, Group.TUNING)

    def _region(self, seed: int, group: Group) -> Region:
        random = np.random.default_rng([seed, 17])
        use = {name: float(random.uniform(*ends)) for name, ends in LAND_USE[group].items()}
        first = self.wet_season[0].replace(year=self.wet_season[0].year - 3)
        land_use = LandUse(**use)  # type: ignore[arg-type]  # all of them are numbers
        landscape = Landscape.of_size(
            seed, self.size_px, start=first, end=self.wet_season[1], land_use=land_use
        )
        return Region(landscape, group)
