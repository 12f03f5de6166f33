"""The alerts stage: detections of the whole grid to alerts, their files and their pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import geopandas as gpd
import pandas as pd
import xarray as xr

import cvlarray
from cvlarray.alerts import build_alerts, render_chips, write_alerts, write_chips
from cvlarray.features import feature_cube
from cvlarray.masking import is_clear
from cvlarray.names import SCL
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, input_hash, open_raw


def alert_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return the one unit of the alerts: a change may cross any number of tiles."""
    config = context.config
    settings = config.monitor, config.vectorize, config.alerts, config.report, config.masking
    key = input_hash(
        cvlarray.__version__,
        ledger.done(Stage.MONITOR),
        *(part.model_dump() for part in settings),
    )
    return [WorkUnit(Stage.ALERTS, "all", key, 0, partial(make_alerts, context))]


def make_alerts(context: RunContext) -> UnitOutcome:
    """Write the alerts as GeoJSON and GeoParquet, and their pictures before them."""
    config, workspace = context.config, context.workspace
    alerts = build_alerts(
        open_raw(workspace.detections),
        min_area_m2=config.vectorize.min_area_m2,
        min_confidence=config.monitor.min_confidence,
        connectivity=config.vectorize.connectivity,
        class_name=config.alerts.class_name,
    )
    illustrated = write_pictures(context, alerts)
    write_alerts(illustrated, workspace.alerts_geojson, workspace.alerts_parquet)
    written = [workspace.alerts_geojson, workspace.alerts_parquet, *workspace.chips.glob("*.png")]
    n_written = sum(path.stat().st_size for path in written)
    return UnitOutcome(n_bytes_written=n_written, detail={"n_alerts": len(alerts)})


def write_pictures(context: RunContext, alerts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Write the pictures of each alert; return the alerts with the pictures' dates.

    Pictures of alerts that an earlier run had and this one hasn't are removed.
    """
    cube = open_raw(context.workspace.cube)
    clear = clear_mask(context, cube)
    folder = context.workspace.chips
    written: set[Path] = set()
    dates = []
    for _, alert in alerts.iterrows():
        chips = render_chips(cube, clear, alert, size_px=context.config.report.chip_px)
        written.update(write_chips(chips, folder, alert["event_id"]))
        dates.append((chips.before_date, chips.after_date))
    for path in set(folder.glob("*.png")) - written:
        path.unlink()
    columns = pd.DataFrame(dates, columns=["before_date", "after_date"], dtype="datetime64[ms]")
    return alerts.join(columns)


def clear_mask(context: RunContext, cube: xr.Dataset) -> xr.DataArray:
    """Return where the ground was seen, by the run's own classes, lazily."""
    return is_clear(cube[SCL.name], clear_classes=context.config.masking.clear_values)


def watched_features(context: RunContext) -> tuple[xr.DataArray, xr.Dataset]:
    """Return the features of the whole run and their seasonal models, lazily."""
    cube = open_raw(context.workspace.cube)
    features = feature_cube(cube, clear_mask(context, cube), context.config.baseline.features)
    return features, open_raw(context.workspace.baseline)
