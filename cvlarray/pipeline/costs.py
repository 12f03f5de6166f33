"""What a run costs: core-hours, hours and money, from a calibration run of one of its tiles."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import shapely

from cvlarray.cluster import executor
from cvlarray.config import RunConfig, Threads
from cvlarray.config.region import RegionConfig
from cvlarray.errors import StoreError
from cvlarray.grid import Tile, outline
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.plan import Plan
from cvlarray.pipeline.progress import Progress
from cvlarray.pipeline.run import run_pipeline
from cvlarray.pipeline.search import find_context
from cvlarray.pipeline.units import Stage
from cvlarray.store import Ledger, Workspace, write_atomic

_S_PER_HOUR = 3600.0
_N_WORKERS = 100
_MARGIN_SHARE = 32
"""A tile's outline bends in degrees; a small part of its edge is left off the region."""


@dataclass(frozen=True)
class Calibration:
    """What one tile took."""

    tile: str
    core_s: Mapping[Stage, float]
    """Core seconds of each stage, for one of what `workload` counts."""

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self), indent=1)


@dataclass(frozen=True)
class Costs:
    """A run's costs, before it is begun."""

    core_hours: Mapping[Stage, float]
    gpu_hours: float
    network_gb: float
    stored_gb: float
    money: float
    currency: str
    n_workers: int
    hours: float
    """On ``n_workers`` workers of one core."""
    assumptions: tuple[str, ...]

    @property
    def total_core_hours(self) -> float:
        """Of all stages."""
        return sum(self.core_hours.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        hours = {str(stage): value for stage, value in self.core_hours.items()}
        return {**asdict(self), "core_hours": hours, "total_core_hours": self.total_core_hours}


def calibrate(config: RunConfig, progress: Progress) -> Calibration:
    """Run one tile of a run, in the middle of its region, on one core, and keep what it took.

    It has a workspace of its own within the run's: done twice, the second time costs nothing.

    Raises
    ------
    CvlarrayError
        If the tile can't be run.
    """
    workspace = workspace_of(config)
    whole = find_context(config, workspace)
    tile = whole.tiles[len(whole.tiles) // 2]
    of_tile = config.model_copy(
        update={
            "workspace": workspace.path / "calibration",
            "region": _inside(tile),
            "cluster": Threads(kind="threads", n_threads=1),
        }
    )
    with executor(of_tile.cluster) as workers:
        run_pipeline(of_tile, workers, progress, last=Stage.ANNUAL)
    context = find_context(of_tile, workspace_of(of_tile))
    work = workload(context)
    with Ledger(context.workspace.ledger) as ledger:
        spent = {stage: sum(row.cpu_s for row in ledger.rows(stage)) for stage in Stage}
    found = Calibration(
        tile.name, {stage: spent[stage] / work[stage] for stage in Stage if work[stage]}
    )
    write_atomic(workspace.calibration, found.to_json())
    return found


def read_calibration(workspace: Workspace) -> Calibration | None:
    """Return what a calibration found, None if there was none.

    Raises
    ------
    StoreError
        If the file isn't what `calibrate` wrote.
    """
    if not workspace.calibration.exists():
        return None
    try:
        content = json.loads(workspace.calibration.read_text())
        core_s = {Stage(name): float(value) for name, value in content["core_s"].items()}
        return Calibration(content["tile"], core_s)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{workspace.calibration} isn't a calibration ({error}); delete it and calibrate again"
        ) from error


def estimate_costs(config: RunConfig, plan: Plan, calibration: Calibration) -> Costs:
    """Return what a run costs whose tiles each take what the calibrated one took."""
    work = workload(find_context(config, workspace_of(config)))
    core_hours = {
        stage: rate * work[stage] / _S_PER_HOUR for stage, rate in calibration.core_s.items()
    }
    prices = config.reanalysis.costs
    network_gb, stored_gb = plan.n_bytes_to_read / 1e9, plan.n_bytes_to_store / 1e9
    total = sum(core_hours.values())
    money = (
        total * prices.core_hour
        + network_gb * prices.network_gb
        + stored_gb * prices.stored_gb_month
    )
    alone = sum(hours for stage, hours in core_hours.items() if not stage.is_tiled)
    hours = (total - alone) / _N_WORKERS + alone
    return Costs(
        core_hours=core_hours,
        gpu_hours=0.0,
        network_gb=network_gb,
        stored_gb=stored_gb,
        money=money,
        currency=prices.currency,
        n_workers=_N_WORKERS,
        hours=hours,
        assumptions=(
            f"every tile takes per pixel and date what {calibration.tile} took on this machine",
            "cores are as fast as this machine's, and workers never wait for the network",
            "search, prior, alerts, report and annual run on one core, the rest on all workers",
            "no stage of a run uses a GPU",
            "stores are kept for one month",
        ),
    )


def workload(context: RunContext) -> dict[Stage, float]:
    """Return how much each stage goes through: millions of pixels × dates if it is tiled.

    Alerts and annual go through pixels; search, prior and report count as one, whatever the size.
    """
    n_mpx = sum(math.prod(tile.geobox.shape) for tile in context.tiles) / 1e6
    n_history = context.history.stop - context.history.start
    n_watched = context.monitoring.stop - context.monitoring.start
    n_dates = {
        Stage.INGEST: len(context.days),
        Stage.NORMALIZE: len(context.days),
        Stage.BASELINE: n_history,
        Stage.MONITOR: n_watched,
        Stage.CHANGES: n_watched,
    }
    work = {stage: n_mpx * n_dates.get(stage, 1) for stage in Stage}
    # These draw so many pictures, or look at so many pixels, however large the region is.
    return work | dict.fromkeys((Stage.SEARCH, Stage.PRIOR, Stage.REPORT), 1.0)


def save_plan(plan: Plan, costs: Costs | None, workspace: Workspace) -> None:
    """Keep what a run was to take, if nothing of it is done yet or nothing was kept."""
    if any(plan.n_units_done.values()) and workspace.plan.exists():
        return
    content = plan.to_dict() | {"costs": None if costs is None else costs.to_dict()}
    write_atomic(workspace.plan, json.dumps(content, indent=1))


def plan_and_outcome(workspace: Workspace) -> list[tuple[str, float, float, str]]:
    """Return what was planned beside what happened: quantity, planned, happened, unit.

    What several runs did counts together; a unit that was done twice counts as it was done last.
    """
    planned = json.loads(workspace.plan.read_text())
    with Ledger(workspace.ledger) as ledger:
        summary = ledger.summary()
    units = sum(one.done + one.partial for one in summary.values())
    written = sum(one.bytes_written for one in summary.values())
    rows = [
        ("units of work", float(planned["n_tasks"]), float(units), ""),
        ("stored", planned["n_bytes_to_store"] / 1e9, written / 1e9, "GB"),
    ]
    if planned["costs"] is not None:
        for stage, one in summary.items():
            hours = planned["costs"]["core_hours"].get(stage, float("nan"))
            rows.append((f"{stage}, cores", hours, one.cpu_s / _S_PER_HOUR, "h"))
    return rows


def _inside(tile: Tile) -> RegionConfig:
    """Return a region that touches this tile and no other."""
    margin = min(tile.geobox.shape) // _MARGIN_SHARE
    inner = tile.geobox.pad(-margin) if margin else tile.geobox
    return RegionConfig.model_validate({"geometry": shapely.geometry.mapping(outline(inner))})
