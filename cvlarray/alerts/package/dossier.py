"""All that is known of one alert, as plain values, before it takes any form."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shapely.geometry.base import BaseGeometry

__all__ = ["Dossier", "Picture", "Reference", "json_bytes"]


class Picture(NamedTuple):
    """A picture of the alert's place."""

    png: bytes
    date: dt.date
    """When the place looked like that."""
    rendering: str
    """How it was made: ``true colour``, ``ndvi``."""


@dataclass(frozen=True)
class Reference:
    """Something the alert was made from that is too large, or not ours, to be in the package."""

    kind: str
    """``layer``, ``scene`` or ``checkpoint``."""
    name: str
    sha256: str | None = None
    """Of its bytes, None where they were never seen as a whole."""
    detail: Mapping[str, str] = field(default_factory=dict)
    """What tells it apart: ``href``, ``valid``, ``datetime``."""


@dataclass(frozen=True)
class Dossier:
    """One version of one alert.

    Raises
    ------
    ValueError
        If the properties lack ``event_id``, or a time has no zone.
    """

    properties: Mapping[str, Any]
    """Columns of the alerts table as JSON values; dates are ISO 8601."""
    geometry: BaseGeometry
    """EPSG:4326."""
    version: str
    """Tells this version of the alert from others."""
    made_at: dt.datetime
    """When the alert was made. Packages carry it instead of the time of packing, so that the same
    alert gives the same bytes."""
    software: str
    """``cvlarray 0.1.0``."""
    model: str
    """What flagged the pixels, in a line."""
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """By name: ``before``, ``after``, ``index_before``, ``index_after``."""
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    """Files that the alert was made from, by name."""
    references: tuple[Reference, ...] = ()
    latency: Mapping[str, str | None] = field(default_factory=dict)
    """When each step of `cvlarray.alerts.latency` was reached, ISO 8601."""
    verification_url: str | None = None
    """Page on which the alert can be confirmed or dismissed."""

    def __post_init__(self) -> None:
        if not self.properties.get("event_id"):
            raise ValueError(f"an alert needs an event_id, got {list(self.properties)}")
        if self.made_at.tzinfo is None:
            raise ValueError(f"made_at needs a time zone, got {self.made_at}")

    @property
    def event_id(self) -> str:
        """Name of the alert."""
        return str(self.properties["event_id"])

    @property
    def name(self) -> str:
        """Name of this version, for files: ``20190321-k3jq7x2mfa5dnw6o_v2``."""
        return f"{self.event_id}_v{self.version}"


def json_bytes(value: Any) -> bytes:
    """Return JSON that is the same for equal values: UTF-8, sorted keys, a newline at the end."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1)
    return f"{text}\n".encode()
