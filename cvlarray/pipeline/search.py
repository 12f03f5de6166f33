"""The search stage: ask the catalogue once, keep what it said, read it into scenes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cvlarray.catalog import RawItem, SearchResult, load_rows, save_items, search, to_item
from cvlarray.config import RadarConfig, RunConfig
from cvlarray.cube import group_by_day
from cvlarray.errors import ItemError, SearchError
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.sensors import Scene, harmonized, read_item
from cvlarray.store import Ledger, Workspace, input_hash

Usable = tuple[RawItem, Scene]
"""An item, and what it was read as."""

N_REASONS = 20
"""Rejected items that the ledger names; the others it counts."""


def search_units(config: RunConfig, workspace: Workspace) -> list[WorkUnit]:
    """Return the unit of the search, and that of Sentinel-1 if the run looks by radar too.

    A rerun with the same question reads the saved answer, so it works on the same items even if
    the catalogue has changed since.
    """
    question = config.search, config.periods, config.region.to_geometry()
    # What isn't asked for doesn't count: keys that a newer version adds leave old answers valid.
    key = input_hash(*(part.model_dump(exclude_none=True) for part in question[:2]), question[2])
    work = partial(search_catalog, config, workspace)
    units = [WorkUnit(Stage.SEARCH, "items", key, 0, work)]
    radar = config.models.radar
    if radar is not None:
        asked = radar.model_dump(exclude={"checkpoint"}, exclude_none=True)
        key = input_hash(key, asked)
        units.append(
            WorkUnit(Stage.SEARCH, "radar", key, 0, partial(search_radar, radar, config, workspace))
        )
    return units


def search_catalog(config: RunConfig, workspace: Workspace) -> UnitOutcome:
    """Ask the catalogue and save the items that can be read as stac-geoparquet.

    Raises
    ------
    SearchError
        If nothing usable is found.
    """
    return _saved(*usable_items(config), workspace.items)


def search_radar(radar: RadarConfig, config: RunConfig, workspace: Workspace) -> UnitOutcome:
    """Ask the catalogue for Sentinel-1 and save the items that can be read.

    Raises
    ------
    SearchError
        If nothing usable is found.
    """
    period = config.periods.monitoring
    found = search(
        radar.source or config.search.source,
        collections=(radar.collection,),
        region=config.region.to_geometry(),
        start=period.start - dt.timedelta(days=radar.history_days),
        end=period.end,
    )
    return _saved(*_readable(found), workspace.radar_items)


def radar_scenes(workspace: Workspace) -> list[Scene]:
    """Return the scenes of Sentinel-1 that the search found."""
    return [read_item(row) for row in load_rows(workspace.radar_items)]


def _saved(found: Sequence[Usable], reasons: Sequence[str], path: Path) -> UnitOutcome:
    """Save what was found, with what became of the rest for the ledger."""
    items = [to_item(row) for row, _ in found]
    save_items(items, path)
    detail = {"n_items": len(items), "n_rejected": len(reasons), "rejected": reasons[:N_REASONS]}
    return UnitOutcome(n_bytes_written=path.stat().st_size, detail=detail)


def usable_items(config: RunConfig) -> tuple[list[Usable], list[str]]:
    """Return the items of the run that fit a sensor profile as scenes, and why the others don't.

    Raises
    ------
    SearchError
        If nothing usable is found.
    """
    found = search(
        config.search.source,
        collections=config.search.collections,
        region=config.region.to_geometry(),
        start=config.periods.history.start,
        end=config.periods.monitoring.end,
        max_cloud_cover=config.search.max_cloud_cover_percent,
        cql2_filter=config.search.cql2_filter,
    )
    return _readable(found)


def _readable(found: SearchResult) -> tuple[list[Usable], list[str]]:
    """Return the items that fit a sensor profile as scenes, and why the others don't."""
    usable: list[Usable] = []
    reasons = [f"{item.id} {item.reason}" for item in found.rejected]
    for row in found.rows:
        try:
            scene = read_item(row)
        except ItemError as error:
            reasons.append(str(error))
        else:
            usable.append((row, scene))
    if not usable:
        raise SearchError(f"none of the {len(found)} items found can be read: {reasons[0]}")
    return usable, reasons


@dataclass(frozen=True)
class CatalogueChange:
    """What a catalogue answers now that it didn't when it was asked first."""

    added: tuple[str, ...] = ()
    """Ids of Items that came."""
    removed: tuple[str, ...] = ()
    """Ids of Items that are gone."""
    changed: tuple[str, ...] = ()
    """Ids of Items whose files, processing or calibration are others."""

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.added or self.removed or self.changed)


def catalogue_change(config: RunConfig, workspace: Workspace) -> CatalogueChange:
    """Compare the saved answer of the catalogue with what it says now; nothing is saved.

    Returns
    -------
    What differs; nothing where there is no saved answer to the same question.

    Raises
    ------
    SearchError
        If the catalogue can't be read.
    """
    if not _has_answer(config, workspace):
        return CatalogueChange()
    saved = {scene.id: scene for scene in map(read_item, load_rows(workspace.items))}
    now = {scene.id: scene for _, scene in usable_items(config)[0]}
    both = saved.keys() & now.keys()
    return CatalogueChange(
        added=tuple(sorted(now.keys() - saved.keys())),
        removed=tuple(sorted(saved.keys() - now.keys())),
        changed=tuple(sorted(one for one in both if not _is_same(saved[one], now[one]))),
    )


def _is_same(one: Scene, other: Scene) -> bool:
    """Return whether two readings of an Item give the same pixels."""
    return (one.assets, one.processing_baseline, one.crs) == (
        other.assets,
        other.processing_baseline,
        other.crs,
    )


def _has_answer(config: RunConfig, workspace: Workspace) -> bool:
    """Return whether the ledger knows the run's question as answered."""
    if not workspace.ledger.exists():
        return False
    unit, *_ = search_units(config, workspace)
    with Ledger(workspace.ledger) as ledger:
        return ledger.done(Stage.SEARCH).get(unit.key) == unit.input_hash


def find_context(config: RunConfig, workspace: Workspace) -> RunContext:
    """Return the context of a run from its saved items, or from the catalogue if there are none.

    Raises
    ------
    SearchError
        If nothing usable is found.
    """
    if _has_answer(config, workspace):
        return load_context(config, workspace)
    found, _ = usable_items(config)
    return context_of(config, workspace, [scene for _, scene in found])


def load_context(config: RunConfig, workspace: Workspace) -> RunContext:
    """Return the run's context from the saved items.

    Raises
    ------
    SearchError
        If the items don't cover the periods.
    """
    scenes = [read_item(row) for row in load_rows(workspace.items)]
    return context_of(config, workspace, scenes)


def context_of(config: RunConfig, workspace: Workspace, scenes: list[Scene]) -> RunContext:
    """Return the run's context from scenes; those between the periods are left out.

    Landsat that stands beside Sentinel-2 is harmonised to it.

    Raises
    ------
    SearchError
        If the history or the monitoring period holds no scene.
    """
    periods = config.periods
    for name, period in (("history", periods.history), ("monitoring", periods.monitoring)):
        if not any(period.start <= scene.solar_day <= period.end for scene in scenes):
            raise SearchError(
                f"no item in the {name} period {period.start} to {period.end}; "
                f"widen periods.{name} or search another catalogue"
            )
    wanted = [
        scene
        for scene in scenes
        if periods.history.start <= scene.solar_day <= periods.history.end
        or periods.monitoring.start <= scene.solar_day <= periods.monitoring.end
    ]
    if {scene.family for scene in wanted} == {"landsat", "sentinel-2"}:
        wanted = [harmonized(scene) for scene in wanted]
    return RunContext(config, workspace, tuple(group_by_day(wanted)))
