"""What is looked for in a catalogue, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

import pystac
from shapely.geometry.base import BaseGeometry

from cvlarray.errors import SearchError

RawItem = Mapping[str, Any]
"""A STAC Item as its JSON says it."""


@dataclass(frozen=True)
class Query:
    """What is looked for; checked when made."""

    collections: tuple[str, ...]
    region: BaseGeometry
    """EPSG:4326."""
    start: date
    """First solar day."""
    end: date
    """Last solar day, included."""
    max_cloud_cover: float | None = None
    """Percent; Items that state none (SAR) always pass."""

    def __post_init__(self) -> None:
        """Refuse what can't be looked for.

        Raises
        ------
        SearchError
            If the dates are reversed.
        ValueError
            If the region is empty or not in degrees, or the cloud cover is no percentage.
        """
        if not self.collections:
            raise ValueError("expected at least one collection to search, got none")
        if self.start > self.end:
            raise SearchError(
                f"the dates are reversed: start {self.start} is after end {self.end}; swap them"
            )
        bounds = self.region.bounds
        if self.region.is_empty or not _are_degrees(bounds):
            raise ValueError(
                f"region must be a geometry in degrees (EPSG:4326), got bounds {bounds}"
            )
        if self.max_cloud_cover is not None and not 0 <= self.max_cloud_cover <= 100:
            raise ValueError(
                f"max_cloud_cover must be 0 to 100 percent, got {self.max_cloud_cover}"
            )

    @property
    def interval(self) -> tuple[datetime, datetime]:
        """UTC interval, a day longer at both ends: no solar day reaches beyond it."""
        first = datetime.combine(self.start, datetime.min.time(), UTC) - timedelta(days=1)
        last = datetime.combine(self.end, datetime.min.time(), UTC) + timedelta(days=2)
        return first, last - timedelta(seconds=1)


@dataclass(frozen=True)
class Rejected:
    """An Item of the catalogue that can't be used."""

    id: str
    reason: str


@dataclass(frozen=True)
class SearchResult:
    """Items found, oldest first, and those the catalogue holds but nobody can use."""

    items: list[pystac.Item]
    rejected: list[Rejected] = field(default_factory=list)

    def __iter__(self) -> Iterator[pystac.Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class ItemSource(Protocol):
    """A place that holds STAC Items."""

    def items(self, query: Query) -> Iterator[RawItem | Rejected]:
        """Yield the Items asked for, and maybe more, with absolute hrefs.

        Raises
        ------
        SearchError
            If the source is missing, can't be read, or is no STAC.
        """
        ...


def one_line(error: BaseException, limit: int = 200) -> str:
    """Return an error's message on one line, cut to a length that can be read."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[:limit]}…"


def _are_degrees(bounds: Sequence[float]) -> bool:
    """Whether bounds can be longitude and latitude."""
    west, south, east, north = bounds
    return -180 <= west <= east <= 180 and -90 <= south <= north <= 90
