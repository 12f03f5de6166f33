"""What is looked for in a catalogue, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Protocol

import pystac
from shapely.geometry.base import BaseGeometry

from cvlarray.catalog.cql import Condition
from cvlarray.catalog.raw import RawItem, to_item
from cvlarray.errors import SearchError


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
    conditions: tuple[Condition, ...] = ()
    """What must be true of an Item besides."""

    def __post_init__(self) -> None:
        """Refuse what can't be looked for.

        Raises
        ------
        SearchError
            If the dates are reversed.
        ValueError
            If the region is empty or not in degrees.
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

    rows: list[RawItem]
    """JSON of each Item; `cvlarray.sensors.read_item` reads it as it is, in a third of the time."""
    rejected: list[Rejected] = field(default_factory=list)

    @cached_property
    def items(self) -> list[pystac.Item]:
        """The Items, made when they are first asked for."""
        return [to_item(row) for row in self.rows]

    def __iter__(self) -> Iterator[pystac.Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.rows)


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


def _are_degrees(bounds: Sequence[float]) -> bool:
    """Whether bounds can be longitude and latitude."""
    west, south, east, north = bounds
    return -180 <= west <= east <= 180 and -90 <= south <= north <= 90
