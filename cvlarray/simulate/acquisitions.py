"""When satellites pass, and what they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Sentinel2Collection = Literal["sentinel-2-l2a", "sentinel-2-c1-l2a"]
OrbitState = Literal["ascending", "descending"]

_BASELINES = (
    (dt.date(2015, 1, 1), "02.14"),
    (dt.date(2021, 3, 30), "03.00"),
    (dt.date(2022, 1, 25), "04.00"),
    (dt.date(2022, 12, 6), "05.09"),
    (dt.date(2023, 12, 13), "05.10"),
    (dt.date(2024, 7, 23), "05.11"),
)
"""First day and processing baseline of Sentinel-2; from 04.00 on the DN carry 1000."""
REPROCESSED = "05.00"
"""Baseline of the reprocessed archive (Collection 1)."""


TILE_PX, OVERLAP_PX = 10_980, 980
"""Size of Sentinel-2's tiles [pixels of 10 m], and by how much neighbours overlap."""


class Sensor(StrEnum):
    """Kinds of satellite."""

    SENTINEL_2 = "sentinel-2"
    SENTINEL_1 = "sentinel-1"
    LANDSAT = "landsat"


@dataclass(frozen=True)
class Pass:
    """One flight over the region."""

    sensor: Sensor
    platform: str
    """As in Items: ``sentinel-2a``, ``landsat-9``."""
    date: dt.date
    """At the ground."""
    relative_orbit: int
    orbit_state: OrbitState = "descending"
    processing_baseline: str = ""
    """Of Sentinel-2."""

    @property
    def local_time(self) -> dt.time:
        """Mean solar time of the overpass."""
        if self.sensor is Sensor.SENTINEL_1:
            return dt.time(18, 0) if self.orbit_state == "ascending" else dt.time(6, 0)
        return dt.time(10, 30) if self.sensor is Sensor.SENTINEL_2 else dt.time(10, 0)

    def moment(self, longitude: float) -> dt.datetime:
        """Return when it is over a longitude [degrees east], in UTC."""
        local = dt.datetime.combine(self.date, self.local_time, dt.UTC)
        return local - dt.timedelta(seconds=round(longitude * 240))


@dataclass(frozen=True)
class Calendar:
    """Passes between two days."""

    start: dt.date
    end: dt.date
    """Both count."""

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"start must not be after end, got {self.start} and {self.end}")

    def sentinel2(self, *, every_days: int = 5) -> tuple[Pass, ...]:
        """Return Sentinel-2 passes, A and B in turn; with one satellite it would be 10 days."""

        def make(date: dt.date, number: int) -> Pass:
            platform = "sentinel-2a" if number % 2 == 0 else "sentinel-2b"
            return Pass(
                Sensor.SENTINEL_2, platform, date, 10, processing_baseline=baseline_of(date)
            )

        return self._every(every_days, 0, make)

    def sentinel1(
        self, *, every_days: int = 12, orbit_state: OrbitState = "descending"
    ) -> tuple[Pass, ...]:
        """Return Sentinel-1 passes of one orbit: another orbit is another series."""
        orbit, offset = (25, 3) if orbit_state == "descending" else (76, 8)

        def make(date: dt.date, _number: int) -> Pass:
            return Pass(Sensor.SENTINEL_1, "sentinel-1a", date, orbit, orbit_state)

        return self._every(every_days, offset, make)

    def landsat(self, *, every_days: int = 8) -> tuple[Pass, ...]:
        """Return Landsat passes, 8 and 9 in turn."""

        def make(date: dt.date, number: int) -> Pass:
            return Pass(Sensor.LANDSAT, "landsat-8" if number % 2 == 0 else "landsat-9", date, 3)

        return self._every(every_days, 1, make)

    def _every(
        self, days: int, offset: int, make: Callable[[dt.date, int], Pass]
    ) -> tuple[Pass, ...]:
        """Return passes so many days apart, counted from 1970, so that calendars agree."""
        if days < 1:
            raise ValueError(f"every_days must be at least 1, got {days}")
        first = -(-(self.start.toordinal() - offset) // days)
        last = (self.end.toordinal() - offset) // days
        return tuple(
            make(dt.date.fromordinal(number * days + offset), number)
            for number in range(first, last + 1)
        )


@dataclass(frozen=True)
class Acquisitions:
    """What is acquired of a region, and how it is delivered."""

    sentinel2: tuple[Pass, ...] = ()
    sentinel1: tuple[Pass, ...] = ()
    landsat: tuple[Pass, ...] = ()
    collection: Sentinel2Collection = "sentinel-2-l2a"
    """``sentinel-2-c1-l2a``: DN carry 1000 from baseline 04.00 on."""
    duplicate_share: float = 0.03
    """Of Sentinel-2's scenes, those that are there a second time, reprocessed."""
    tile_px: int = TILE_PX
    overlap_px: int = OVERLAP_PX

    @classmethod
    def of(cls, calendar: Calendar, sensors: Collection[Sensor] = tuple(Sensor)) -> Acquisitions:
        """Return all that satellites acquire between two days, radar from both sides."""
        radar = [*calendar.sentinel1(), *calendar.sentinel1(orbit_state="ascending")]
        return cls(
            sentinel2=calendar.sentinel2() if Sensor.SENTINEL_2 in sensors else (),
            sentinel1=tuple(radar) if Sensor.SENTINEL_1 in sensors else (),
            landsat=calendar.landsat() if Sensor.LANDSAT in sensors else (),
        )


def baseline_of(date: dt.date) -> str:
    """Return the processing baseline that Sentinel-2 products of a day were first made with."""
    return [name for first, name in _BASELINES if first <= date or name == _BASELINES[0][1]][-1]
