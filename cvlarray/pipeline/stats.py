"""The tables of a period from a run's alerts, its reviewers' verdicts and its outbox."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd

from cvlarray.alerts import read_alerts
from cvlarray.alerts.deliver import AlertVersion, Outbox, alert_versions
from cvlarray.alerts.feedback import VERDICT_DTYPES
from cvlarray.alerts.latency import Latency
from cvlarray.alerts.seen import Seen, seen_in_period
from cvlarray.alerts.statistics import Operations, operations, sample_accuracy
from cvlarray.config import RunConfig
from cvlarray.errors import StoreError
from cvlarray.names import READ_STATUS
from cvlarray.pipeline.context import workspace_of
from cvlarray.pipeline.jurisdiction import read_layers
from cvlarray.pipeline.latency import read_latencies
from cvlarray.pipeline.quality import clear_mask
from cvlarray.store import Workspace, open_raw
from cvlarray.vectorize import area_m2

if TYPE_CHECKING:
    from cvlarray.review import ReviewDatabase

__all__ = ["run_accuracy", "run_coverage", "run_statistics"]

M2_PER_KM2 = 1e6


def run_statistics(config: RunConfig, *, start: dt.date, end: dt.date) -> Operations:
    """Return what a run did in a period: alerts confirmed in it, their latency and verdicts.

    Raises
    ------
    StoreError
        If the run has made no alerts yet, or its log of verdicts was tampered with.
    ValueError
        If the period ends before it starts.
    """
    workspace = workspace_of(config)
    if not workspace.alerts_parquet.exists():
        raise StoreError(f"{workspace.path} has no alerts yet; make them with `cvlarray run`")
    alerts = read_alerts(workspace.alerts_parquet)
    region = gpd.GeoSeries([config.region.to_geometry()], crs="EPSG:4326")
    return operations(
        alerts,
        _verdicts(workspace),
        _latencies(workspace, alerts),
        _reached(workspace),
        start=start,
        end=end,
        monitored_km2=float(area_m2(region)[0]) / M2_PER_KM2,
    )


def run_coverage(config: RunConfig, *, start: dt.date, end: dt.date) -> Seen | None:
    """Return how much of each jurisdiction a run saw in a period; None if its cube is gone.

    Raises
    ------
    ValueError
        If the period ends before it starts.
    """
    workspace = workspace_of(config)
    try:
        cube = open_raw(workspace.cube, chunks={"time": -1})
    except StoreError:
        return None
    snapshots, _ = read_layers(config.layers)
    return seen_in_period(
        cube[READ_STATUS.name],
        clear_mask(cube, config),
        snapshots,
        start=start,
        end=end,
        region=config.region.to_geometry(),
    )


def run_accuracy(config: RunConfig) -> pd.DataFrame | None:
    """Return `ACCURACY_DTYPES` of the sample as far as it is labelled; None if none was drawn."""
    workspace = workspace_of(config)
    database = _review_database(workspace)
    if database is None or not workspace.sample.exists():
        return None
    from cvlarray.review import read_labels  # noqa: PLC0415 (an extra)

    points = pd.read_parquet(workspace.sample)
    areas = pd.read_parquet(workspace.sample_areas)
    return sample_accuracy(points, areas, read_labels(database, points["point_id"]))


def _latencies(workspace: Workspace, alerts: gpd.GeoDataFrame) -> dict[str, Latency]:
    """Return the steps of each alert's first version that was delivered, or else of this one."""
    known = read_latencies(workspace.latency_parquet)
    delivered: dict[str, Latency] = {}
    for version, latency in sorted(known.items(), key=lambda pair: pair[1].delivered or _NEVER):
        if latency.delivered is not None:
            delivered.setdefault(version.event_id, latency)
    versions = map(AlertVersion, alerts["event_id"].astype(str), alert_versions(alerts))
    current = {version.event_id: known[version] for version in versions if version in known}
    return current | delivered


def _reached(workspace: Workspace) -> dict[str, set[str]]:
    """Return the alerts that reached each partner, none if nothing was ever delivered."""
    if not workspace.outbox.exists():
        return {}
    with Outbox(workspace.outbox) as outbox:
        return outbox.reached()


_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)


def _verdicts(workspace: Workspace) -> pd.DataFrame:
    """Return the reviewers' verdicts, none if the page was never served."""
    database = _review_database(workspace)
    if database is None:
        return pd.DataFrame({name: [] for name in VERDICT_DTYPES}).astype(VERDICT_DTYPES)
    from cvlarray.review import check_log, read_verdicts  # noqa: PLC0415 (an extra)

    check_log(database)
    return read_verdicts(database)


def _review_database(workspace: Workspace) -> ReviewDatabase | None:
    """Return the page's database, None if the page was never served."""
    path = workspace.review / "review.db"
    if not path.exists():
        return None
    from cvlarray.review import ReviewDatabase  # noqa: PLC0415 (an extra)

    return ReviewDatabase(path)
