"""What a report is made of: plain values, so that it knows nothing of the pipeline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from cvlarray.alerts import AlertSeries, ChipPair
from cvlarray.alerts.latency import Latency
from cvlarray.store import StageSummary

ALERT_COLUMNS = (
    "event_id",
    "class",
    "confidence",
    "first_detected",
    "confirmed",
    "interval_start",
    "interval_end",
    "area_m2",
    "area_uncertainty_m2",
    "sensor",
    "priority",
    "magnitude",
    "n_pixels",
    "geometry",
)
CLEAR_SHARE_COLUMNS = ("date", "clear_share")
DETECTION_NAMES = ("n_clear", "max_gap_days")


@dataclass(frozen=True)
class Period:
    """Two dates, both included."""

    start: dt.date
    end: dt.date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(
                f"a period must not end before it starts, got {self.start}..{self.end}"
            )

    @property
    def days(self) -> int:
        """Days in the period, both ends counted."""
        return (self.end - self.start).days + 1


@dataclass(frozen=True)
class Provenance:
    """What made the numbers."""

    software: str
    """Name and version, for instance ``cvlarray 0.1.0``."""
    config_hash: str
    sensors: tuple[str, ...]
    n_items: int
    """Items (scenes) that the catalogue search gave."""
    finished: dt.datetime
    """When the run ended, with its time zone."""
    wall_s: float
    """Seconds from start to end of the run."""


@dataclass(frozen=True)
class Background:
    """The picture under the alerts."""

    rgb: npt.NDArray[np.uint8]
    """(y, x, 3)."""
    geobox: GeoBox
    """Grid of ``rgb``."""
    date: dt.date
    rendering: str
    """How it was made, as a reader would say it: ``true colour``."""

    def __post_init__(self) -> None:
        expected = (*self.geobox.shape, 3)
        if self.rgb.dtype != np.uint8 or self.rgb.shape != expected:
            raise ValueError(
                f"a background must be uint8 of shape {expected}, "
                f"got {self.rgb.dtype} of shape {self.rgb.shape}"
            )


@dataclass(frozen=True)
class UnreadAsset:
    """An asset that stayed unreadable after its retries."""

    date: dt.date
    asset: str
    reason: str


@dataclass(frozen=True)
class Limits:
    """How much of a long list is put on the page, which must stay below 5 MB."""

    cards: int = 24
    """Alerts shown with pictures and time series."""
    rows: int = 300
    """Alerts in the table."""
    shapes: int = 2000
    """Alerts drawn on the map."""
    unread: int = 50
    """Unread assets listed by name."""
    jurisdictions: int = 40
    """Jurisdictions listed with their days blind, the longest first."""


@dataclass(frozen=True)
class ReportInputs:
    """Everything the report shows.

    Raises
    ------
    ValueError
        If a table misses a column, or an array has another shape than its grid.
    """

    title: str
    region_name: str
    history: Period
    """Dates from which the season was learned."""
    monitoring: Period
    """Dates that were watched."""
    provenance: Provenance
    config: Mapping[str, str]
    """The settings worth a line each, in the order they are shown."""
    geobox: GeoBox
    """Grid of ``detections``."""
    alerts: gpd.GeoDataFrame
    """The contract's columns; any CRS. Dates may be missing (NaT); zero rows is a proper result."""
    detections: xr.Dataset
    """At least ``n_clear`` [1] and ``max_gap_days`` [days], dims (y, x), as stored or decoded;
    may be lazy, and is reduced before it is computed."""
    clear_share: pd.DataFrame
    """A row a date: ``date`` and ``clear_share`` (0..1 of the region's pixels)."""
    chips: Mapping[str, ChipPair] = field(default_factory=dict)
    """By event_id."""
    series: Mapping[str, AlertSeries] = field(default_factory=dict)
    """By event_id."""
    stages: Sequence[StageSummary] = ()
    """In the order they ran."""
    unread: Sequence[UnreadAsset] = ()
    blindness: pd.DataFrame | None = None
    """`cvlarray.alerts.observability.BLINDNESS_DTYPES`; None without layers."""
    missing_layers: Sequence[tuple[str, str]] = ()
    """Declared layers that could not be read, and why: without them nothing gets a priority."""
    latencies: Sequence[Latency] = ()
    """Of the alerts, in any order."""
    background: Background | None = None
    """None if no date was clear enough."""
    region: BaseGeometry | None = None
    """The region watched, EPSG:4326; None if it is the whole grid."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        _require("alerts", ALERT_COLUMNS, list(self.alerts.columns))
        _require("clear_share", CLEAR_SHARE_COLUMNS, list(self.clear_share.columns))
        _require("detections", DETECTION_NAMES, [str(name) for name in self.detections.data_vars])
        if self.alerts.crs is None:
            raise ValueError("alerts need a CRS, got none; set it with alerts.set_crs(4326)")
        shape = tuple(self.detections.sizes[dim] for dim in ("y", "x"))
        if shape != tuple(self.geobox.shape):
            raise ValueError(
                f"detections must have the grid's shape {tuple(self.geobox.shape)}, got {shape}"
            )


def _require(what: str, expected: Sequence[str], got: Sequence[str]) -> None:
    missing = [name for name in expected if name not in got]
    if missing:
        raise ValueError(f"{what} must have {', '.join(expected)}; missing: {', '.join(missing)}")
