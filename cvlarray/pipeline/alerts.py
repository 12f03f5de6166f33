"""The alerts stage: detections of the whole grid to alerts, their files and their pictures."""

from __future__ import annotations

from functools import partial

import geopandas as gpd
import pandas as pd

import cvlarray
from cvlarray.alerts import UNASSIGNED, chip_files, render_gallery, write_alerts
from cvlarray.alerts.events import EventRules, EventStore, read_events
from cvlarray.alerts.land_cover import classify_alerts
from cvlarray.alerts.observability import blindness
from cvlarray.alerts.simplify import simplify_outlines
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.jurisdiction import (
    enrich_what_changed,
    layer_editions,
    place,
    write_changes,
)
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.sightings import min_pixels, read_acquisitions
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, input_hash, open_raw, replacing, write_atomic
from cvlarray.store.atomic import FileBatch

OPTICAL = "sentinel-2"
"""What all optical sensors are tracked as: Landsat beside Sentinel-2 reads as if it were that."""


def alert_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return the one unit of the alerts: a change may cross any number of tiles."""
    config = context.config
    settings = (
        config.monitor,
        config.vectorize,
        config.events,
        config.alerts,
        config.report,
        config.masking,
    )
    key = input_hash(
        cvlarray.__version__,
        ledger.done(Stage.MONITOR),
        ledger.done(Stage.SEGMENT) if config.models.land_cover else {},
        ledger.done(Stage.RADAR) if config.models.radar else {},
        *(part.model_dump() for part in settings),
        layer_editions(config),
        config.enrichment.model_dump(),
        config.routing.model_dump(mode="json"),
    )
    return [WorkUnit(Stage.ALERTS, "all", key, 0, partial(make_alerts, context))]


def make_alerts(context: RunContext) -> UnitOutcome:
    """Bring the events up to date, and write the confirmed ones with pictures and jurisdiction."""
    config, workspace = context.config, context.workspace
    update_events(context)
    alerts = with_classes(known_events(context), context)
    alerts = _outlined(alerts, context).assign(priority=UNASSIGNED)
    placed = place(write_pictures(context, alerts), config, enriched=enrich_what_changed(workspace))
    write_changes(workspace.alerts_parquet, placed.alerts, workspace.jurisdiction_changes)
    with replacing(workspace.deliveries) as temporary:
        placed.deliveries.to_parquet(temporary, index=False)
    blind = blindness(
        open_raw(workspace.detections), placed.snapshots, region=config.region.to_geometry()
    )
    write_atomic(workspace.blindness, blind.to_csv(index=False))
    write_alerts(placed.alerts, workspace.alerts_geojson, workspace.alerts_parquet)
    written = [path for path in workspace.alerts.rglob("*") if path.is_file()]
    return UnitOutcome(
        n_bytes_written=sum(path.stat().st_size for path in written),
        detail={
            "n_alerts": len(alerts),
            "missing_layers": [one._asdict() for one in placed.missing],
        },
    )


def known_events(context: RunContext) -> gpd.GeoDataFrame:
    """Return the confirmed events, with the sensors that passed on the day that first shows each.

    Optical sensors are tracked as one series, under the name `OPTICAL`: a change that Landsat shows
    first and Sentinel-2 confirms is one event.
    """
    events = read_events(context.workspace.events)
    families = {str(day.date): {scene.family for scene in day.scenes} for day in context.days}
    days = events["first_detected"].astype(str).str[:10]
    seen = []
    for day, tracked in zip(days, events["sensor"], strict=True):
        names = set(str(tracked).split(","))
        if OPTICAL in names and day in families:
            names = (names - {OPTICAL}) | families[day]
        seen.append(",".join(sorted(names)))
    return events.assign(sensor=pd.array(seen, "string"))


def with_classes(alerts: gpd.GeoDataFrame, context: RunContext) -> gpd.GeoDataFrame:
    """Return alerts with what the land cover says they show, if the run has a model of it."""
    if context.config.models.land_cover is None:
        return alerts
    return classify_alerts(
        alerts,
        open_raw(context.workspace.land_cover),
        geobox=context.geobox,
        otherwise=context.config.alerts.class_name,
    )


def _outlined(alerts: gpd.GeoDataFrame, context: RunContext) -> gpd.GeoDataFrame:
    """Return the alerts with outlines as the run wants them."""
    tolerance_m = context.config.vectorize.simplify_tolerance_m
    if tolerance_m is None:
        return alerts
    simple = simplify_outlines(alerts.geometry, context.geobox, tolerance_m=tolerance_m)
    return alerts.set_geometry(simple)


def update_events(context: RunContext) -> None:
    """Take what the dates say into the events, as far as it isn't known yet."""
    config, workspace = context.config, context.workspace
    folders = {OPTICAL: workspace.sightings}
    if config.models.radar is not None:
        folders["sentinel-1"] = workspace.radar_sightings
    acquisitions = [
        one
        for sensor, folder in folders.items()
        for one in read_acquisitions(
            folder, context.tiles, sensor, min_confidence=config.monitor.min_confidence
        )
    ]
    rules = EventRules(
        min_pixels=min_pixels(config.vectorize.min_area_m2, config.grid.resolution_m),
        connectivity=config.vectorize.connectivity,
        max_gap_days=config.events.max_gap_days,
    )
    period = config.periods.monitoring
    store = EventStore(workspace.events, context.geobox, rules, class_name=config.alerts.class_name)
    with store:
        store.update(acquisitions, since=period.start, until=period.end)


def write_pictures(context: RunContext, alerts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Write the pictures of each alert; return the alerts with the pictures' dates.

    Pictures of alerts that an earlier run had and this one hasn't are removed.
    """
    cube = open_raw(context.workspace.cube)
    find_clear = partial(clear_mask, config=context.config)
    folder = context.workspace.chips
    size_px = context.config.report.chip_px
    unwanted = set(folder.glob("*.png"))
    dates = {}
    with FileBatch() as files:  # waits for the disk once, not at every picture
        for event_id, chips in render_gallery(cube, find_clear, alerts, size_px=size_px):
            for path, png in chip_files(chips, folder, event_id).items():
                files.write(path, [png])
                unwanted.discard(path)
            dates[event_id] = chips.before_date, chips.after_date
        for path in unwanted:
            files.remove(path)
    columns = pd.DataFrame(
        [dates[event_id] for event_id in alerts["event_id"]],
        index=alerts.index,
        columns=["before_date", "after_date"],
        dtype="datetime64[ms]",
    )
    return alerts.join(columns)
