"""Alerts against the official layers: where they lie, how urgent they are, whom they concern."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import pandas as pd

from cvlarray.alerts import UNASSIGNED, read_alerts
from cvlarray.alerts.enrich import (
    CHANGE_COLUMNS,
    Backend,
    FileSource,
    GeoPandasBackend,
    Layer,
    LayerError,
    PostgisBackend,
    Snapshot,
    enrich,
    enrich_changed,
    jurisdiction_changes,
    take_snapshot,
)
from cvlarray.alerts.route import DELIVERY_DTYPES, route
from cvlarray.config import RunConfig
from cvlarray.errors import MissingExtraError
from cvlarray.store import Workspace, replacing

logger = logging.getLogger(__name__)


class MissingLayer(NamedTuple):
    """A layer that the run declares and couldn't read."""

    layer: str
    reason: str


class Placed(NamedTuple):
    """Alerts that know where they lie."""

    alerts: gpd.GeoDataFrame
    deliveries: pd.DataFrame
    """A row is an alert for a partner; `cvlarray.alerts.route.DELIVERY_DTYPES`."""
    missing: tuple[MissingLayer, ...]
    snapshots: tuple[Snapshot, ...]
    """The layers that could be read."""


def layer_editions(config: RunConfig) -> list[Any]:
    """Return what tells whether the layers are still those of the last run.

    Files by their size and time, or that they are missing; tables and services count as new every
    day, since only reading them would tell.
    """
    return [layer.model_dump(mode="json") | {"edition": _edition(layer)} for layer in config.layers]


Enrich = Callable[[gpd.GeoDataFrame, Sequence[Snapshot], Backend], gpd.GeoDataFrame]
"""Says where alerts lie."""


def enrich_all(
    alerts: gpd.GeoDataFrame, snapshots: Sequence[Snapshot], backend: Backend
) -> gpd.GeoDataFrame:
    """Hold every alert against the layers."""
    return enrich(alerts, snapshots, backend=backend)


def enrich_what_changed(workspace: Workspace) -> Enrich:
    """Return what holds those alerts against the layers that it didn't hold against them before."""

    def enriched(
        alerts: gpd.GeoDataFrame, snapshots: Sequence[Snapshot], backend: Backend
    ) -> gpd.GeoDataFrame:
        now = dt.datetime.now(dt.UTC)
        return enrich_changed(alerts, snapshots, workspace.enrichment, backend=backend, now=now)

    return enriched


def place(alerts: gpd.GeoDataFrame, config: RunConfig, *, enriched: Enrich = enrich_all) -> Placed:
    """Hold alerts against the declared layers, and route them.

    Without layers nothing is added. If one can't be read, the alerts are held against the others,
    but get no priority and go to nobody: a park that is missing would make them look harmless.

    Parameters
    ----------
    alerts
        Confirmed alerts, EPSG:4326.
    config
        Layers, routing, and the database if PostGIS is to measure.
    enriched
        Says where they lie.
    """
    nobody = pd.DataFrame({name: [] for name in DELIVERY_DTYPES}).astype(DELIVERY_DTYPES)
    if not config.layers:
        return Placed(alerts, nobody, (), ())
    snapshots, missing = read_layers(config.layers)
    database = config.enrichment.database
    backend: Backend = GeoPandasBackend() if database is None else PostgisBackend(database)
    routed = route(enriched(alerts, snapshots, backend), config.routing)
    # What radar alone has seen needs a second look, wherever it lies.
    needs_review = routed.alerts["needs_review"] | alerts.get("needs_review", default=False)
    placed = routed.alerts.assign(needs_review=needs_review.astype("bool"))
    if not missing:
        return Placed(placed, routed.deliveries, (), tuple(snapshots))
    names = ", ".join(repr(one.layer) for one in missing)
    text = f"no priority: of the declared layers {names} could not be read"
    reasoning = pd.Series([{"text": text}] * len(placed), index=placed.index, dtype=object)
    undecided = placed.assign(priority=UNASSIGNED, queue="", rule="", reasoning=reasoning)
    return Placed(undecided, nobody, tuple(missing), tuple(snapshots))


def write_changes(before: Path, after: gpd.GeoDataFrame, path: Path) -> int:
    """Add to the table at ``path`` what became different for alerts that the last run had.

    Parameters
    ----------
    before
        Alerts of the last run, GeoParquet; may be absent, or not held against any layer.
    after
        Alerts of this run.
    path
        CSV with the columns ``date`` and `CHANGE_COLUMNS`; a row stays once it is there.

    Returns
    -------
    Number of changes.
    """
    if "jurisdiction" not in after or not before.exists():
        return 0
    old = read_alerts(before)
    if "jurisdiction" not in old:
        return 0
    changes = jurisdiction_changes(old, after)
    if changes.empty:
        return 0
    today = dt.datetime.now(dt.UTC).date().isoformat()
    known = pd.read_csv(path, dtype=str) if path.exists() else pd.DataFrame(dtype=str)
    table = pd.concat([known, changes.assign(date=today)], ignore_index=True)
    columns = ["date", *CHANGE_COLUMNS]
    with replacing(path) as temporary:
        # A run that was killed after this step lists the same changes again.
        table[columns].drop_duplicates(["date", "event_id", "text"]).to_csv(temporary, index=False)
    return len(changes)


def read_layers(layers: Sequence[Layer]) -> tuple[list[Snapshot], list[MissingLayer]]:
    """Return the layers that can be read, and why the others can't, which is logged."""
    snapshots, missing = [], []
    for layer in layers:
        try:
            snapshots.append(take_snapshot(layer))
        except (LayerError, MissingExtraError) as error:
            logger.warning("%s", error)
            missing.append(MissingLayer(layer.name, str(error)))
    return snapshots, missing


def _edition(layer: Layer) -> Any:
    if not isinstance(layer.source, FileSource):
        return dt.datetime.now(dt.UTC).date().isoformat()
    files = [file for path in layer.source.path for file in (path, *_beside(path))]
    return [[file.stat().st_size, file.stat().st_mtime_ns] for file in files if file.exists()]


def _beside(path: Path) -> list[Path]:
    """Return the other files of a shapefile, or those in a folder."""
    if path.is_dir():
        return sorted(path.iterdir())
    if path.suffix.lower() != ".shp" or not path.parent.is_dir():
        return []
    return sorted(other for other in path.parent.iterdir() if other.stem == path.stem)
