"""The report stage: what the other stages left in the workspace, on one page."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr

import cvlarray
from cvlarray.alerts import AlertSeries, ChipPair, alert_series, read_alerts
from cvlarray.alerts.deliver import AlertVersion, Outbox, alert_versions
from cvlarray.alerts.latency import Latency
from cvlarray.alerts.window import alert_window
from cvlarray.config import RunConfig
from cvlarray.features import bands_of, feature_cube
from cvlarray.names import QUALITY
from cvlarray.pipeline.background import find_background
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.latency import update_latencies
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.report import (
    Limits,
    Period,
    Provenance,
    ReportInputs,
    UnreadAsset,
    write_report,
)
from cvlarray.store import Ledger, input_hash, open_raw


def report_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return the one unit of the report."""
    config = context.config
    alerts = ledger.done(Stage.ALERTS)
    ingested = list(ledger.hashes(Stage.INGEST).values())
    n_sent = len(_sent(context))
    key = input_hash(cvlarray.__version__, config.report.model_dump(), alerts, ingested, n_sent)
    work = partial(make_report, context, ledger)
    return [WorkUnit(Stage.REPORT, "index", key, 0, work)]


def make_report(context: RunContext, ledger: Ledger) -> UnitOutcome:
    """Gather the run's results and write the page."""
    config = context.config
    alerts = read_alerts(context.workspace.alerts_parquet)
    shown = _shown(alerts, config.report.n_alerts_shown)
    clear_share = clear_share_of(context, ledger)
    summary = ledger.summary()
    inputs = ReportInputs(
        title=config.report.title or config.name,
        region_name=config.name.replace("_", " "),
        history=Period(config.periods.history.start, config.periods.history.end),
        monitoring=Period(config.periods.monitoring.start, config.periods.monitoring.end),
        provenance=_provenance(context, ledger),
        config=_settings(config),
        geobox=context.geobox,
        alerts=alerts,
        detections=open_raw(context.workspace.detections),
        clear_share=clear_share,
        chips={a["event_id"]: chips_of(context.workspace.chips, a) for _, a in shown.iterrows()},
        series=_series(context, shown),
        stages=[summary[stage] for stage in Stage if stage in summary],
        unread=_unread(context, ledger),
        blindness=pd.read_csv(context.workspace.blindness, dtype={"code": str}),
        missing_layers=[
            (one["layer"], one["reason"])
            for row in ledger.rows(Stage.ALERTS)
            for one in row.detail.get("missing_layers", ())
        ],
        latencies=_latencies(context, ledger, alerts),
        background=find_background(context, clear_share),
        region=config.region.to_geometry(),
        limits=Limits(cards=config.report.n_alerts_shown),
    )
    path = write_report(inputs, context.workspace.report_html)
    return UnitOutcome(n_bytes_written=path.stat().st_size)


def _latencies(context: RunContext, ledger: Ledger, alerts: gpd.GeoDataFrame) -> list[Latency]:
    """Return the steps of the alerts that are shown, and write down those of new ones."""
    versions = map(AlertVersion, alerts["event_id"].astype(str), alert_versions(alerts))
    known = update_latencies(context, ledger, alerts, sent=_sent(context))
    return [known[version] for version in versions]


def _sent(context: RunContext) -> dict[AlertVersion, dt.datetime]:
    """Return when each alert version first reached a partner."""
    path = context.workspace.outbox
    if not path.exists():
        return {}
    with Outbox(path) as outbox:
        return outbox.first_sent()


def _shown(alerts: gpd.GeoDataFrame, n_shown: int) -> gpd.GeoDataFrame:
    """Return the largest alerts: those that get pictures and series."""
    return alerts.nlargest(n_shown, "area_m2")


def _series(context: RunContext, shown: gpd.GeoDataFrame) -> dict[str, AlertSeries]:
    """Return the series of the alerts shown, by event id."""
    stores = _stores_of_series(context)
    return {
        alert["event_id"]: _one_series(context, alert, *stores) for _, alert in shown.iterrows()
    }


def series_of(context: RunContext, alert: pd.Series) -> AlertSeries:
    """Return the series of the first of the watched features at an alert.

    Of the stores, only the alert's window is read and masked.
    """
    return _one_series(context, alert, *_stores_of_series(context))


def _stores_of_series(context: RunContext) -> tuple[xr.Dataset, xr.Dataset]:
    """Return what a series needs of the cube, and the baseline, both lazily."""
    config = context.config
    bands = bands_of([config.baseline.features[0]], config.cube.bands)
    # All dates of a few pixels are wanted: one task for them.
    cube = open_raw(context.workspace.cube, chunks={"time": -1})[[*bands, QUALITY.name]]
    return cube, open_raw(context.workspace.baseline)


def _one_series(
    context: RunContext, alert: pd.Series, cube: xr.Dataset, baseline: xr.Dataset
) -> AlertSeries:
    config = context.config
    feature = config.baseline.features[0]
    window = alert_window(alert["geometry"], context.geobox)
    place = {"y": window.y, "x": window.x}
    # Threads would cost more than they read.
    seen = cube.isel(place).load(scheduler="synchronous")
    return alert_series(
        feature_cube(seen, clear_mask(seen, config), [feature]),
        baseline.isel(place).load(scheduler="synchronous"),
        alert,
        geobox=window.geobox,
        feature=feature,
        monitoring_start=config.periods.monitoring.start,
        half_width=config.monitor.detector.threshold,
    )


def chips_of(folder: Path, alert: pd.Series) -> ChipPair:
    """Return the pictures of an alert, as the alerts stage left them."""
    pictures = [folder / f"{alert['event_id']}_{when}.png" for when in ("before", "after")]
    before, after = (path.read_bytes() if path.exists() else None for path in pictures)
    dates = (alert["before_date"], alert["after_date"])
    before_date, after_date = (None if pd.isna(date) else date.date() for date in dates)
    return ChipPair(before, after, before_date, after_date, "")


def clear_share_of(context: RunContext, ledger: Ledger) -> pd.DataFrame:
    """Return the share of the tiles' pixels that was clear on each date."""
    sizes = {tile.name: int(np.prod(tile.geobox.shape)) for tile in context.tiles}
    clear = dict.fromkeys((str(day) for day in context.dates), 0.0)
    for row in ledger.rows(Stage.INGEST):
        tile, _, _ = row.unit.partition("/")
        for date, share in row.detail.get("clear_share", {}).items():
            if date in clear and tile in sizes:
                clear[date] += share * sizes[tile]
    shares = np.array(list(clear.values())) / sum(sizes.values())
    return pd.DataFrame({"date": pd.to_datetime(list(clear)), "clear_share": shares})


def _unread(context: RunContext, ledger: Ledger) -> list[UnreadAsset]:
    """Return the assets that stayed unreadable, each once."""
    days = {scene.id: scene.solar_day for scene in context.scenes}
    found = {
        (days[asset["scene_id"]], f"{asset['scene_id']} {asset['band']}", asset["reason"])
        for row in ledger.rows(Stage.INGEST)
        for asset in row.detail.get("unread", ())
        if asset["scene_id"] in days
    }
    return [UnreadAsset(*asset) for asset in sorted(found)]


def _provenance(context: RunContext, ledger: Ledger) -> Provenance:
    rows = ledger.rows()
    finished = max(row.written_at for row in rows)
    return Provenance(
        software=f"cvlarray {cvlarray.__version__}",
        config_hash=input_hash(
            context.config.model_dump(mode="json", exclude={"workspace", "cluster"})
        )[:16],
        sensors=tuple(sorted({scene.sensor for scene in context.scenes})),
        n_items=len(context.scenes),
        finished=finished,
        wall_s=sum(row.wall_s for row in rows),
    )


def _settings(config: RunConfig) -> dict[str, str]:
    """Return the settings worth a line each."""
    return {
        "Catalogue": config.search.source,
        "Grid": f"{config.grid.crs}, {config.grid.resolution_m:g} m",
        "Bands": ", ".join(config.cube.bands),
        "Mask": config.masking.provider,
        "Not clear": ", ".join(config.masking.obscuring),
        "Watched features": ", ".join(config.baseline.features),
        "Harmonics": str(config.baseline.harmonic_order),
        "Threshold": f"{config.monitor.detector.threshold:g} standard deviations",
        "Confirmed by": config.monitor.detector.confirmed_by,
        "Smallest polygon": f"{config.vectorize.min_area_m2:g} m²",
    }
