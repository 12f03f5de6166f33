"""A small invented run: forest with twelve clearings, a river, and a cloudy winter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.alerts import AlertSeries, ChipPair
from cvlarray.report import Background, Period, Provenance, ReportInputs, UnreadAsset
from cvlarray.report.pictures import png_bytes
from cvlarray.store import StageSummary

GEOBOX = GeoBox((80, 100), Affine(10, 0, 400_000, 0, -10, 8_600_000), "EPSG:32719")
HISTORY = Period(dt.date(2015, 8, 1), dt.date(2018, 8, 31))
MONITORING = Period(dt.date(2018, 9, 1), dt.date(2021, 1, 1))
N_ALERTS = 12


def first_date(index: int) -> dt.date:
    return dt.date(2019, 1, 10) + dt.timedelta(days=50 * index)


def alert_frame(n: int = N_ALERTS) -> gpd.GeoDataFrame:
    """Squares on the grid, the later the larger."""
    left = 400_000 + 100 + 160 * (np.arange(n) % 5)
    top = 8_600_000 - 100 - 160 * (np.arange(n) // 5 % 4)
    side = 20 + 10.0 * (np.arange(n) % 7)
    dates = pd.Series([first_date(i % N_ALERTS) for i in range(n)], dtype="datetime64[ns]")
    columns = {
        "event_id": [f"event-{i:05d}" for i in range(n)],
        "class": "clearing",
        "confidence": np.linspace(0.7, 0.99, n),
        "first_detected": dates,
        "confirmed": dates + pd.Timedelta(days=15),
        "interval_start": dates - pd.Timedelta(days=10),
        "interval_end": dates,
        "area_m2": side**2,
        "area_uncertainty_m2": 0.15 * side**2,
        "sensor": "sentinel-2",
        "priority": [("none", "medium", "high")[i % 3] for i in range(n)],
        "magnitude": -np.linspace(3, 9, n),
        "n_pixels": (side**2 / 100).astype(int),
    }
    squares = shapely.box(left, top - side, left + side, top)
    return gpd.GeoDataFrame(columns, geometry=squares, crs=32719).to_crs(4326)


def alert_series(event_id: str, first: dt.date) -> AlertSeries:
    """A yearly wave that falls by 0.5 on the first date."""
    days = np.arange("2015-08-01", "2021-01-01", 20, dtype="datetime64[D]")
    curve_days = np.arange("2015-08-01", "2021-01-02", 10, dtype="datetime64[D]")
    changed = days >= np.datetime64(first)
    return AlertSeries(
        event_id=event_id,
        feature="ndvi",
        dates=days,
        observed=(_wave(days) - 0.5 * changed).astype(np.float32),
        curve_dates=curve_days,
        expected=_wave(curve_days),
        lower=_wave(curve_days) - np.float32(0.15),
        upper=_wave(curve_days) + np.float32(0.15),
        monitoring_start=MONITORING.start,
        first_detected=first,
        confirmed=first + dt.timedelta(days=60),
    )


def _wave(days: np.ndarray) -> np.ndarray:
    turns = days.astype(np.int64) / 365.2425
    return (0.7 + 0.1 * np.cos(2 * np.pi * turns)).astype(np.float32)


def chip(seed: int, size: int = 48) -> bytes:
    """A smooth green picture."""
    rows, columns = np.mgrid[:size, :size]
    green = 90 + 30 * np.sin((rows + seed) / 9) + 20 * np.cos(columns / 7)
    return png_bytes(np.stack([green * 0.6, green, green * 0.5], axis=-1).astype(np.uint8))


def detections() -> xr.Dataset:
    rows, columns = np.mgrid[:80, :100]
    gaps = (20 + rows + columns // 2).astype(np.uint16)
    n_clear = np.full(gaps.shape, 40, np.uint16)
    n_clear[:4, :10] = 0
    gaps[:4, :10] = MONITORING.days
    return xr.Dataset({"n_clear": (("y", "x"), n_clear), "max_gap_days": (("y", "x"), gaps)})


def clear_share() -> pd.DataFrame:
    dates = pd.date_range("2015-08-01", "2021-01-01", freq="10D")
    share = np.clip(0.6 - 0.5 * np.cos(2 * np.pi * dates.dayofyear / 365), 0, 1)
    return pd.DataFrame({"date": dates, "clear_share": share})


def report_inputs(**changes: Any) -> ReportInputs:
    alerts = alert_frame()
    events = list(zip(alerts["event_id"], alerts["first_detected"].dt.date, strict=True))
    rng = np.random.default_rng(7)
    values: dict[str, Any] = {
        "title": "invented",
        "region_name": "Somewhere in the forest",
        "history": HISTORY,
        "monitoring": MONITORING,
        "provenance": Provenance(
            software="cvlarray 0.1.0",
            config_hash="9f31c2d0a4b7",
            sensors=("Sentinel-2 L2A",),
            n_items=140,
            finished=dt.datetime(2026, 3, 2, 14, 5, tzinfo=dt.UTC),
            wall_s=83.4,
        ),
        "config": {"features": "ndvi, red", "harmonic_order": "2"},
        "geobox": GEOBOX,
        "alerts": alerts,
        "detections": detections(),
        "clear_share": clear_share(),
        "chips": {
            event: ChipPair(chip(i), chip(i + 20), first - dt.timedelta(40), first)
            for i, (event, first) in enumerate(events)
        },
        "series": {event: alert_series(event, first) for event, first in events},
        "stages": [
            StageSummary(stage, 3, partial, dt.datetime(2026, 3, 2, tzinfo=dt.UTC), 4, 7, 10**7, 99)
            for stage, partial in (("ingest", 1), ("baseline", 0))
        ],
        "unread": [UnreadAsset(dt.date(2019, 11, 3), "S2B_20191103/nir.tif", "404 Not Found")],
        "background": Background(
            rng.integers(20, 120, (80, 100, 3), dtype=np.uint8),
            GEOBOX,
            dt.date(2020, 8, 29),
            "true colour",
        ),
    }
    return ReportInputs(**values | changes)


@pytest.fixture(scope="session")
def make_inputs() -> Callable[..., ReportInputs]:
    """Return a function that makes the run's inputs, with changes by field."""
    return report_inputs


@pytest.fixture(scope="session")
def make_alerts() -> Callable[[int], gpd.GeoDataFrame]:
    """Return a function that makes so many alerts."""
    return alert_frame


@pytest.fixture(scope="session")
def make_series() -> Callable[[str, dt.date], AlertSeries]:
    """Return a function that makes the series of an event."""
    return alert_series
