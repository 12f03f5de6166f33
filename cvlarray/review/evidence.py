"""What stands behind an alert and is too large for the list: asked for when it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from cvlarray.alerts import AlertSeries

__all__ = ["Backdrop", "Evidence", "Picture"]


@dataclass(frozen=True)
class Picture:
    """A chip."""

    png: bytes
    date: date | None


@dataclass(frozen=True)
class Backdrop:
    """The region from above, under the alerts."""

    image: bytes
    """WebP in Web Mercator (EPSG:3857), the map's own projection."""
    bounds: tuple[tuple[float, float], tuple[float, float]]
    """South-west and north-east corner: latitude, longitude [degrees]."""
    date: date


class Evidence(Protocol):
    """Where the page finds it; called from several threads."""

    def picture(self, event_id: str, when: str) -> Picture | None:
        """Return the chip ``before`` or ``after``; None if no date was clear."""

    def series(self, event_id: str) -> AlertSeries | None:
        """Return what was seen and expected; None for an alert that the stores no longer have."""

    def point_picture(self, point_id: str, when: str) -> Picture | None:
        """Return the place of a sampled point ``before`` or ``after`` the sample's period."""

    def point_series(self, point_id: str) -> AlertSeries | None:
        """Return what was seen and expected at a sampled point; its dates are the period's."""

    def backdrop(self) -> Backdrop | None:
        """Return the region from above; None if no date was clear enough. Made once, then kept."""
