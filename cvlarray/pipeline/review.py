"""The verification page of a run: what it shows, and the links that let people in."""

from __future__ import annotations

import io
import socket
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import uvicorn
from odc.geo.warp import rio_reproject
from PIL import Image

from cvlarray.alerts import AlertSeries, read_alerts
from cvlarray.alerts.feedback import labelled_set
from cvlarray.config import RunConfig
from cvlarray.errors import CvlarrayError, StoreError
from cvlarray.pipeline.background import find_background
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.report import chips_of, clear_share_of, series_of
from cvlarray.pipeline.sample import PointEvidence
from cvlarray.pipeline.search import load_context
from cvlarray.report import Background
from cvlarray.review import (
    Backdrop,
    Picture,
    ReviewDatabase,
    ReviewSettings,
    check_log,
    create_app,
    read_key,
    read_verdicts,
    sign_link,
)
from cvlarray.store import Ledger, replacing

__all__ = ["review_link", "review_settings", "serve", "write_labels"]

BACKDROP_EDGE_PX = 640
"""Longest edge of the picture under the map: some 40 kB, so that a phone at 2G can load it."""

WEBP_QUALITY = 50

N_SERIES_KEPT = 256
"""Series that are kept in memory: reviewers go back and forth."""


def review_settings(config: RunConfig, public_url: str) -> ReviewSettings:
    """Return what the verification page of a run needs.

    Raises
    ------
    StoreError
        If the run has made no alerts yet.
    CvlarrayError
        If the run's items or its secret can't be read.
    """
    workspace = workspace_of(config)
    if not workspace.alerts_parquet.exists():
        raise StoreError(
            f"{workspace.alerts_parquet} is not there: this run has made no alerts yet; "
            "run it first (cvlarray run)"
        )
    return ReviewSettings(
        title=config.report.title or config.name.replace("_", " "),
        database=workspace.review / "review.db",
        alerts_parquet=workspace.alerts_parquet,
        key=read_key(workspace.review),
        public_url=public_url,
        evidence=WorkspaceEvidence(load_context(config, workspace)),
        partners=config.routing.partners,
        sample=workspace.sample,
    )


def serve(settings: ReviewSettings, listener: socket.socket) -> None:
    """Serve the page on an open socket until Ctrl-C."""
    options = uvicorn.Config(
        create_app(settings), log_level="warning", server_header=False, timeout_keep_alive=30
    )
    uvicorn.Server(options).run(sockets=[listener])


def review_link(
    settings: ReviewSettings,
    *,
    partner: str,
    reviewer: str | None,
    event_id: str | None,
    valid: timedelta,
) -> str:
    """Return an address that lets its bearer in once.

    Raises
    ------
    CvlarrayError
        If there is no such partner or alert.
    """
    known = [one.name for one in settings.partners]
    if partner and partner not in known:
        raise CvlarrayError(f"there is no partner {partner!r}; the run knows {known or 'none'}")
    if event_id is not None:
        events = pd.read_parquet(settings.alerts_parquet, columns=["event_id"])["event_id"]
        if event_id not in set(events):
            raise CvlarrayError(f"{settings.alerts_parquet} has no alert {event_id}")
    token = sign_link(
        settings.key, partner=partner, reviewer=reviewer, event_id=event_id, valid=valid
    )
    return f"{settings.public_url.rstrip('/')}/link/{token}"


def write_labels(settings: ReviewSettings, path: Path, *, window_days: int) -> tuple[int, int]:
    """Write the verdicts of the last days as GeoParquet of `labelled_set`.

    Returns
    -------
    How many changes and how many verified negatives it holds.

    Raises
    ------
    StoreError
        If the log of verdicts was tampered with, or the file can't be written.
    """
    database = ReviewDatabase(settings.database)
    check_log(database)
    alerts = read_alerts(settings.alerts_parquet)
    found = labelled_set(
        alerts, read_verdicts(database), as_of=datetime.now(UTC), window_days=window_days
    )
    with replacing(path) as temporary:
        found.to_parquet(temporary, index=False)
    n_changes = int(found["is_change"].sum())
    return n_changes, len(found) - n_changes


class WorkspaceEvidence:
    """What a run left in its workspace, read when somebody looks at an alert.

    Parameters
    ----------
    context
        The run.
    """

    def __init__(self, context: RunContext) -> None:
        self.context = context
        self._kept_series = lru_cache(N_SERIES_KEPT)(self._read_series)
        self._points = PointEvidence(context)

    def picture(self, event_id: str, when: str) -> Picture | None:
        """Return a chip as the alerts stage wrote it."""
        alert = self._alert(event_id)
        if alert is None:
            return None
        pair = chips_of(self.context.workspace.chips, alert)
        found = {
            "before": (pair.before_png, pair.before_date),
            "after": (pair.after_png, pair.after_date),
        }
        png, day = found[when]
        return Picture(png, day) if png else None

    def series(self, event_id: str) -> AlertSeries | None:
        """Return what was seen and expected, from the cube and the baseline."""
        written_ns = self.context.workspace.alerts_parquet.stat().st_mtime_ns
        return self._kept_series(event_id, written_ns)

    def point_picture(self, point_id: str, when: str) -> Picture | None:
        """Return a sampled point's place from the cube."""
        before, after = self._points.pictures(point_id)
        png = before if when == "before" else after
        return Picture(png, None) if png else None

    def point_series(self, point_id: str) -> AlertSeries | None:
        """Return what was seen and expected at a sampled point."""
        return self._points.series(point_id)

    def backdrop(self) -> Backdrop | None:
        """Return the report's background in the map's projection."""
        return self._backdrop

    @cached_property
    def _backdrop(self) -> Backdrop | None:
        with Ledger(self.context.workspace.ledger) as ledger:
            background = find_background(self.context, clear_share_of(self.context, ledger))
        return _in_web_mercator(background) if background else None

    def _read_series(self, event_id: str, written_ns: int) -> AlertSeries | None:  # noqa: ARG002
        """Read a series anew for each alerts' file; ``written_ns`` tells it from earlier ones."""
        alert = self._alert(event_id)
        return None if alert is None else series_of(self.context, alert)

    def _alert(self, event_id: str) -> pd.Series | None:
        """Return one row; of a million, Parquet reads the column of the names only."""
        path = self.context.workspace.alerts_parquet
        rows = gpd.read_parquet(path, filters=[("event_id", "==", event_id)])
        return None if rows.empty else rows.iloc[0]


def _in_web_mercator(background: Background) -> Backdrop:
    source = background.geobox
    largest = max(source.shape)
    target = source.to_crs("EPSG:3857").zoom_out(max(1.0, largest / BACKDROP_EDGE_PX))
    layers = np.full((4, *target.shape), 0, np.uint8)
    is_there = np.full(source.shape, 255, np.uint8)
    for band, layer in enumerate((*np.moveaxis(background.rgb, -1, 0), is_there)):
        rio_reproject(np.ascontiguousarray(layer), layers[band], source, target, "bilinear")
    file = io.BytesIO()
    Image.fromarray(np.moveaxis(layers, 0, -1)).save(file, "WEBP", quality=WEBP_QUALITY)
    west, south, east, north = target.extent.to_crs("EPSG:4326").boundingbox.bbox
    return Backdrop(file.getvalue(), ((south, west), (north, east)), background.date)
