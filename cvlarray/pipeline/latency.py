"""When each alert of a run reached each step, from the catalogue, the ledger and the outbox."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pystac

from cvlarray.alerts.deliver import AlertVersion, alert_versions
from cvlarray.alerts.enrich import enriched_at
from cvlarray.alerts.latency import Latency
from cvlarray.catalog import load_items
from cvlarray.grid import Tile, project
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.ingested import unit_key
from cvlarray.pipeline.units import Stage
from cvlarray.sensors import Scene
from cvlarray.store import Ledger, replacing

__all__ = ["published_at", "read_latencies", "update_latencies"]


def update_latencies(
    context: RunContext,
    ledger: Ledger,
    alerts: gpd.GeoDataFrame,
    *,
    sent: Mapping[AlertVersion, dt.datetime],
) -> dict[AlertVersion, Latency]:
    """Write down the steps of alerts that are new, and the delivery of those it wasn't known of.

    What was written once stays: a later search or run says nothing of when an alert was found. An
    alert's last image is the one of the date that made its version (``acquisition``), or else that
    confirmed it, over its place. It was published when its Item says (``published``, or else
    ``created``).

    Parameters
    ----------
    context, ledger
        Of the run.
    alerts
        Its alerts.
    sent
        When each alert version first reached a partner.

    Returns
    -------
    The steps of every version of every alert that was ever written down.
    """
    path = context.workspace.latency_parquet
    known = read_latencies(path)
    versions = map(AlertVersion, alerts["event_id"].astype(str), alert_versions(alerts))
    new = [(n, version) for n, version in enumerate(versions) if version not in known]
    if new:
        clock = _Clock(context, ledger)
        known |= {version: clock.latency(alerts.iloc[n]) for n, version in new}
    told = {
        version: replace(latency, delivered=latency.delivered or sent.get(version))
        for version, latency in known.items()
    }
    if new or told != known:
        _write(told, path)
    return told


def read_latencies(path: Path) -> dict[AlertVersion, Latency]:
    """Return the steps that were written down; none if nothing was yet."""
    if not path.exists():
        return {}
    table = pd.read_parquet(path)
    versions = map(AlertVersion, table.pop("event_id"), table.pop("version"))
    return {
        version: Latency(*(None if pd.isna(at) else at.to_pydatetime() for at in steps))
        for version, steps in zip(versions, table.itertuples(index=False), strict=True)
    }


def _write(latencies: Mapping[AlertVersion, Latency], path: Path) -> None:
    steps = [item.name for item in fields(Latency)]
    rows = [
        {**version._asdict(), **{step: getattr(latency, step) for step in steps}}
        for version, latency in sorted(latencies.items())
    ]
    table = pd.DataFrame(rows, columns=[*AlertVersion._fields, *steps])
    table[steps] = table[steps].apply(pd.to_datetime, utc=True)
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def published_at(item: pystac.Item) -> dt.datetime | None:
    """Return when an Item's catalogue had it, None if it doesn't say."""
    for name in ("published", "created"):
        value = item.properties.get(name)
        if value:
            try:
                moment = dt.datetime.fromisoformat(str(value))
            except ValueError:
                continue
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return None


class _Clock:
    """What is known of the times of a run."""

    def __init__(self, context: RunContext, ledger: Ledger) -> None:
        self._context = context
        self._published = {
            item.id: published_at(item) for item in load_items(context.workspace.items)
        }
        self._done = {
            stage: {row.unit: row.written_at for row in ledger.rows(stage)}
            for stage in (Stage.SEARCH, Stage.INGEST, Stage.MONITOR, Stage.ALERTS)
        }
        self._enriched_at = enriched_at(context.workspace.enrichment)
        self._scenes: dict[dt.date, list[Scene]] = {}
        for scene in context.scenes:
            self._scenes.setdefault(scene.solar_day, []).append(scene)

    def latency(self, alert: pd.Series) -> Latency:
        """Return the steps of an alert, as far as the run took it."""
        scene = self._last_scene(alert)
        tiles = [tile for tile in self._context.tiles if _touches(tile, alert)]
        blocks = [
            block
            for block in self._context.date_blocks()
            if scene is not None and any(scene in day.scenes for day in block.days)
        ]
        units = [unit_key(tile, block) for tile in tiles for block in blocks]
        found = self._latest(Stage.SEARCH, self._done[Stage.SEARCH])
        read = self._latest(Stage.INGEST, units)
        return Latency(
            acquired=scene.datetime if scene else None,
            published=self._published.get(scene.id) if scene else None,
            # A search after the reading was another one.
            found=found if found and read and found <= read else None,
            read=read,
            inferred=self._latest(Stage.MONITOR, [tile.name for tile in tiles]),
            enriched=self._enriched(alert),
        )

    def _enriched(self, alert: pd.Series) -> dt.datetime | None:
        """Return when this version was held against the layers; of a run without, when it ended."""
        version = str(alert["event_id"]), str(alert.get("version", 1))
        ended = self._latest(Stage.ALERTS, self._done[Stage.ALERTS])
        return self._enriched_at.get(version, ended)

    def _last_scene(self, alert: pd.Series) -> Scene | None:
        day = alert.get("acquisition", alert["confirmed"])
        scenes = [] if pd.isna(day) else self._scenes.get(pd.Timestamp(day).date(), [])
        over = [scene for scene in scenes if scene.footprint.intersects(alert["geometry"])]
        return max(over, key=lambda scene: scene.datetime, default=None)

    def _latest(self, stage: Stage, units: Iterable[str]) -> dt.datetime | None:
        times = [self._done[stage][unit] for unit in units if unit in self._done[stage]]
        return max(times, default=None)


def _touches(tile: Tile, alert: pd.Series) -> bool:
    outline = project(alert["geometry"], "EPSG:4326", str(tile.geobox.crs))
    left, bottom, right, top = outline.bounds
    box = tile.geobox.boundingbox
    return bool(left < box.right and right > box.left and bottom < box.top and top > box.bottom)
