"""The report stage: what the other stages left in the workspace, on one page."""

from __future__ import annotations

import datetime as dt
import re
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

import cvlarray
from cvlarray.alerts import AlertSeries, alert_series
from cvlarray.config import RunConfig
from cvlarray.pipeline.alerts import CHIP_NAME, watched_features
from cvlarray.pipeline.background import find_background
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.report import (
    ChipPair,
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
    ingested = [row.input_hash for row in ledger.rows(Stage.INGEST)]
    key = input_hash(cvlarray.__version__, config.report.model_dump(), alerts, ingested)
    work = partial(make_report, context, ledger)
    return [WorkUnit(Stage.REPORT, "index", key, 0, work)]


def make_report(context: RunContext, ledger: Ledger) -> UnitOutcome:
    """Gather the run's results and write the page."""
    config = context.config
    alerts = gpd.read_parquet(context.workspace.alerts_parquet)
    shown = _shown(alerts, config.report.n_alerts_shown)
    clear_share = _clear_share(context, ledger)
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
        chips={event_id: _chips(context.workspace.chips, event_id) for event_id in shown.index},
        series=_series(context, shown),
        stages=[summary[stage] for stage in Stage if stage in summary],
        unread=_unread(context, ledger),
        background=find_background(context, clear_share),
        region=config.region.to_geometry(),
        limits=Limits(cards=config.report.n_alerts_shown),
    )
    path = write_report(inputs, context.workspace.report_html)
    return UnitOutcome(n_bytes_written=path.stat().st_size)


def _shown(alerts: gpd.GeoDataFrame, n_shown: int) -> gpd.GeoDataFrame:
    """Return the largest alerts, by event id: those that get pictures and series."""
    return alerts.nlargest(n_shown, "area_m2").set_index("event_id")


def _series(context: RunContext, shown: gpd.GeoDataFrame) -> dict[str, AlertSeries]:
    features, baseline = watched_features(context)
    monitor = context.config.monitor
    return {
        event_id: alert_series(
            features,
            baseline,
            alert,
            event_id=event_id,
            threshold=monitor.threshold_z,
            monitoring_start=context.config.periods.monitoring.start,
        )
        for event_id, alert in shown.iterrows()
    }


def _chips(folder: Path, event_id: str) -> ChipPair:
    """Return the pictures of an event; their dates are in their names."""
    found: dict[str, tuple[bytes, dt.date]] = {}
    for path in sorted(folder.glob(f"{event_id}_*.png")):
        if match := re.fullmatch(CHIP_NAME, path.name):
            found[match["when"]] = path.read_bytes(), dt.date.fromisoformat(match["date"])
    before, before_date = found.get("before", (None, None))
    after, after_date = found.get("after", (None, None))
    return ChipPair(before, after, before_date, after_date)


def _clear_share(context: RunContext, ledger: Ledger) -> pd.DataFrame:
    """Return the share of the tiles' pixels that was clear on each date."""
    clear = sorted(context.config.masking.clear_values)
    n_pixels = sum(int(np.prod(tile.geobox.shape)) for tile in context.tiles)
    counts = dict.fromkeys((str(day) for day in context.dates), 0)
    for row in ledger.rows(Stage.INGEST):
        for date, of_class in row.detail.get("scl_counts", {}).items():
            if date in counts:
                counts[date] += sum(of_class[value] for value in clear)
    dates = pd.to_datetime(list(counts))
    return pd.DataFrame({"date": dates, "clear_share": np.array(list(counts.values())) / n_pixels})


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
        config_hash=input_hash(context.config.model_dump(exclude={"workspace", "cluster"}))[:16],
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
        "Clear classes": ", ".join(config.masking.clear_classes),
        "Watched features": ", ".join(config.baseline.features),
        "Harmonics": str(config.baseline.harmonic_order),
        "Threshold": f"{config.monitor.threshold_z:g} standard deviations",
        "Confirmed by": f"{config.monitor.consecutive} clear observations in a row",
        "Smallest polygon": f"{config.vectorize.min_area_m2:g} m²",
    }
