"""A review page over alerts drawn by hand, served by a real server on loopback."""

from __future__ import annotations

import datetime as dt
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import geopandas as gpd
import httpx
import numpy as np
import pandas as pd
import pytest
import shapely
import uvicorn
from PIL import Image

from cvlarray.alerts import AlertSeries, write_alerts
from cvlarray.alerts.route import Partner
from cvlarray.review import Limits, Picture, ReviewSettings, create_app, sign_link

KEY = "k" * 40
PARTNERS = (
    Partner(name="Tambopata", tier="government", area=shapely.box(-70, -14, -69, -12)),
    Partner(name="Manu", tier="field_organisation", area=shapely.box(-72, -13, -71, -11)),
)
EVIL = "<img src=x onerror=\"document.title='ran'\">"
"""An attribute of an official layer, as somebody might fill it in."""


def make_alerts(n: int = 60) -> gpd.GeoDataFrame:
    """Return alerts that are two thirds Tambopata's and one third Manu's; the first is in both."""
    number = np.arange(n)
    lon = np.where(number % 3 == 0, -71.5, -69.5) + 0.002 * (number % 40)
    lat = -12.5 + 0.003 * (number // 40)
    day = pd.to_datetime("2025-03-01") + pd.to_timedelta(number % 90, unit="D")
    return gpd.GeoDataFrame(
        {
            "event_id": pd.array([f"20250301-event{i:010d}" for i in number], "string"),
            "class": pd.array(np.where(number % 2, "mine_pit", "recent_clearing"), "string"),
            "confidence": 0.5 + 0.5 * (number % 10) / 10,
            "first_detected": day.astype("datetime64[ms]"),
            "confirmed": (day + pd.Timedelta(days=20)).astype("datetime64[ms]"),
            "interval_start": (day - pd.Timedelta(days=10)).astype("datetime64[ms]"),
            "interval_end": day.astype("datetime64[ms]"),
            "area_m2": 1000.0 * (1 + number % 17),
            "area_uncertainty_m2": 150.0 * (1 + number % 17),
            "sensor": pd.array(["sentinel-2"] * n, "string"),
            "priority": pd.array(
                np.array(["high", "medium", "low", "monitoring"])[number % 4], "string"
            ),
            "magnitude": 5.0,
            "n_pixels": 10,
            "jurisdiction": [
                [{"layer": "anp", "role": "strict_protection", "name": EVIL, "share": 0.5}]
            ]
            * n,
            "reasoning": [{"rule": "park", "text": EVIL}] * n,
        },
        geometry=shapely.box(lon, lat, lon + 0.001, lat + 0.001),
        crs=4326,
    )


class DrawnEvidence:
    """Chips and series for every alert, without a cube."""

    def picture(self, event_id: str, when: str) -> Picture | None:
        """Return a grey square, dark before and bright after."""
        file = io.BytesIO()
        Image.new("RGB", (64, 64), (90,) * 3 if when == "before" else (180,) * 3).save(file, "PNG")
        return Picture(file.getvalue(), dt.date(2025, 3, 1))

    def series(self, event_id: str) -> AlertSeries | None:
        """Return three years of a season, and a drop."""
        dates = np.arange("2022-01-01", "2025-06-01", 16, dtype="datetime64[D]")
        season = 0.7 + 0.1 * np.sin(2 * np.pi * dates.astype(int) / 365.25)
        seen = np.where(dates >= np.datetime64("2025-03-01"), 0.3, season)
        curve = season.astype(np.float32)
        return AlertSeries(
            event_id=event_id,
            feature="ndvi",
            dates=dates,
            observed=seen.astype(np.float32),
            curve_dates=dates,
            expected=curve,
            lower=np.where(dates < dates[5], np.nan, curve - 0.1).astype(np.float32),
            upper=curve + np.float32(0.1),
            monitoring_start=dt.date(2025, 1, 1),
            first_detected=dt.date(2025, 3, 1),
            confirmed=dt.date(2025, 3, 21),
        )

    def point_picture(self, point_id: str, when: str) -> Picture | None:
        """Return the same squares."""
        return self.picture(point_id, when)

    def point_series(self, point_id: str) -> AlertSeries | None:
        """Return the same season."""
        return self.series(point_id)

    def backdrop(self) -> None:
        """Return none."""


@dataclass
class Page:
    """A page that is being served."""

    settings: ReviewSettings

    @property
    def url(self) -> str:
        """Where."""
        return self.settings.public_url

    def link(self, partner: str = "", *, valid: timedelta = timedelta(days=1), **options) -> str:
        """Return an address that lets in."""
        token = sign_link(self.settings.key, partner=partner, valid=valid, **options)
        return f"{self.url}/link/{token}"

    @contextmanager
    def client(self, partner: str = "", **options) -> Iterator[httpx.Client]:
        """Yield a client that a link has let in, with the page's token in its headers."""
        with httpx.Client(base_url=self.url, follow_redirects=True) as client:
            page = client.post(self.link(partner, **options))
            assert page.status_code == 200, page.text
            client.headers["x-csrf-token"] = page.text.split('"csrf": "')[1].split('"')[0]
            yield client


@contextmanager
def serve(settings: ReviewSettings) -> Iterator[Page]:
    """Serve a page on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = replace(settings, public_url=url)
        options = uvicorn.Config(create_app(settings), log_level="error", lifespan="on")
        server = uvicorn.Server(options)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield Page(settings)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> ReviewSettings:
    """Return a page's settings, its alerts written."""
    alerts_parquet = tmp_path / "alerts.parquet"
    write_alerts(make_alerts(), tmp_path / "alerts.geojson", alerts_parquet)
    return ReviewSettings(
        title="Madre de Dios",
        database=tmp_path / "review" / "review.db",
        alerts_parquet=alerts_parquet,
        key=KEY,
        public_url="http://127.0.0.1:1",
        evidence=DrawnEvidence(),
        partners=PARTNERS,
        limits=Limits(reads_per_minute=100_000, verdicts_per_minute=100_000),
        look_again_s=0.1,
    )


@pytest.fixture
def page(settings: ReviewSettings) -> Iterator[Page]:
    """Return a page that is being served."""
    with serve(settings) as page:
        yield page


@pytest.fixture(scope="session")
def draw_alerts() -> Callable[..., gpd.GeoDataFrame]:
    """Return the function that draws alerts."""
    return make_alerts


@pytest.fixture(scope="session")
def serve_page() -> Callable[..., object]:
    """Return the function that serves a page."""
    return serve
