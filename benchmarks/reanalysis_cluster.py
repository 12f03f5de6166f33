"""How a run scales: units through the scheduler, workers side by side, memory over the area."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import distributed
import numpy as np
import psutil

from benchmarks.line_scenes import mirrored_run
from benchmarks.registry import Measurement, measures
from cvlarray.cluster import executor
from cvlarray.cluster.clients import mixed_cluster
from cvlarray.cluster.dask_workers import DaskExecutor
from cvlarray.config import CudaCluster, LocalCluster, SchedulerAddress, load_config
from cvlarray.pipeline import Stage, run_pipeline, workspace_of
from cvlarray.pipeline.execute import run_stage
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.search import load_context
from cvlarray.pipeline.units import UnitOutcome, WorkUnit
from cvlarray.store import Ledger
from tests.cluster.processes import running_scheduler

N_UNITS = 100_000
SIDES_PX = 400, 800, 1600
"""1, 4 and 16 times the area, in tiles of the same size."""
TILE_PX = 200
N_PAIRS = 3
N_PLACED = 200
TILED = {Stage.INGEST, Stage.BASELINE, Stage.MONITOR}


class Memory(LogProgress):
    """Takes the scheduler's resident memory at each tenth of the units."""

    def __init__(self, scheduler: psutil.Process, n_units: int) -> None:
        self.scheduler, self.every, self.n_done = scheduler, n_units // 10, 0
        self.taken: list[int] = []

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:  # noqa: ARG002 (protocol)
        self.n_done += 1
        if self.n_done % self.every == 0:
            self.taken.append(self.scheduler.memory_info().rss)


def nothing() -> UnitOutcome:
    """Do no work: what is left is the scheduler's, the client's and the ledger's."""
    return UnitOutcome()


@cache
def scheduled(n_units: int = N_UNITS) -> tuple[float, list[int]]:
    """Return units a second, and the scheduler's memory at each tenth of the run."""
    units = [
        WorkUnit(Stage.INGEST, f"t{n % 800:03d}/{n}", "1" * 64, 1, nothing, year=2013 + n % 12)
        for n in range(n_units)
    ]
    with tempfile.TemporaryDirectory() as name, running_scheduler(Path(name)) as processes:
        for worker in ("one", "two"):
            processes.worker(worker)
        memory = Memory(psutil.Process(processes.started[0].pid), n_units)
        address = SchedulerAddress(address=processes.address, connect_timeout_s=120)
        with executor(address, name="bench") as workers, Ledger(Path(name) / "l.db") as ledger:
            began = time.perf_counter()
            run_stage(Stage.INGEST, units, workers, ledger, memory)
            return n_units / (time.perf_counter() - began), memory.taken


@measures("scheduler_speed")
def scheduler_speed() -> Measurement:
    speed, _ = scheduled()
    return Measurement(speed, "units/s", note=f"{N_UNITS} units without work, a ledger row each")


@measures("scheduler_memory")
def scheduler_memory() -> Measurement:
    _, taken = scheduled()
    return Measurement(max(taken) / 1e9, "GB", note="resident, largest of ten moments")


@measures("scheduler_growth")
def scheduler_growth() -> Measurement:
    _, taken = scheduled()
    growth = 100 * (taken[-1] / taken[0] - 1)
    return Measurement(growth, "%", taken[0] / 1e6, note="from the first tenth [MB] to the end")


class Tiled(NamedTuple):
    """What the tiled stages of a run took."""

    wall_s: float
    peak_bytes: int
    """Resident, of the worker that held most."""
    core_s_per_mpx_date: float


def tiled_run(side_px: int, n_workers: int) -> Tiled:
    """Run the tiled stages anew on warm workers."""
    path, workspace = mirrored_run(side_px)
    config = load_config(path, {"grid": {"tile_px": TILE_PX}, "store": {"shard_px": TILE_PX}})
    shutil.rmtree(workspace, ignore_errors=True)
    local = LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None)
    with executor(local) as workers:
        assert isinstance(workers, DaskExecutor)
        workers.client.run(_warm_up)
        began = time.perf_counter()
        run_pipeline(config, workers, LogProgress(), last=Stage.MONITOR)
        wall_s = time.perf_counter() - began
        peaks = workers.client.run(_peak_rss)
    workspace_ = workspace_of(config)
    context = load_context(config, workspace_)
    with Ledger(workspace_.ledger) as ledger:
        core_s = sum(ledger.summary()[stage].cpu_s for stage in Stage if stage in TILED)
    return Tiled(wall_s, max(peaks.values()), core_s / (side_px**2 * len(context.days) / 1e6))


@cache
def over_area() -> dict[int, Tiled]:
    """Return what one worker took of each area, by its side; the first run compiles."""
    tiled_run(SIDES_PX[0], 1)
    return {side: tiled_run(side, 1) for side in SIDES_PX}


def _warm_up() -> None:
    """Import what units import, so that starting isn't measured."""
    __import__("cvlarray.pipeline")


def _peak_rss() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


@measures("two_workers")
def two_workers() -> Measurement:
    tiled_run(SIDES_PX[0], 2)  # compiles
    pairs = [
        (tiled_run(SIDES_PX[0], 1).wall_s, tiled_run(SIDES_PX[0], 2).wall_s) for _ in range(N_PAIRS)
    ]
    ratios = sorted(one / two for one, two in pairs)
    note = f"wall of the tiled stages, {N_PAIRS} pairs, {ratios[0]:.2f}-{ratios[-1]:.2f}"
    return Measurement(ratios[N_PAIRS // 2], "×", pairs[0][0], ratios[N_PAIRS // 2], note)


@measures("memory_over_area")
def memory_over_area() -> Measurement:
    found = {side: one.peak_bytes for side, one in over_area().items()}
    small = found[SIDES_PX[0]]
    note = ", ".join(f"{peak / 1e6:.0f} MB at {side} px" for side, peak in found.items())
    largest = max(abs(peak / small - 1) for peak in found.values())
    return Measurement(100 * largest, "%", small / 1e6, note=note)


@measures("cost_over_area")
def cost_over_area() -> Measurement:
    found = {side**2: one.core_s_per_mpx_date for side, one in over_area().items()}
    return flatness(found, "core-s a Mpx·date at 1, 4 and 16 times the area")


def flatness(costs: Mapping[int, float], what: str) -> Measurement:
    """Return how far costs are from the smallest run's, and their slope."""
    sizes, values = np.array(list(costs)), np.array(list(costs.values()))
    slope = np.polyfit(np.log2(sizes), values / values[0], 1)[0]
    note = f"{what}: {', '.join(f'{one:.3f}' for one in values)}; {100 * slope:+.1f} % a doubling"
    largest = np.abs(values / values[0] - 1).max()
    return Measurement(100 * float(largest), "%", float(values[0]), note=note)


@measures("gpu_tasks_placed")
def gpu_tasks_placed() -> Measurement:
    """Resources stand for the GPU: one worker of three has it."""
    gpu = {0: {"cls": distributed.Nanny, "options": {}}}
    settings = CudaCluster(n_cpu_workers=2, dashboard_address=None)
    units = [
        WorkUnit(Stage.INGEST, f"u{n}", "1" * 64, 1, where, needs_gpu=n % 2 == 0)
        for n in range(N_PLACED)
    ]
    with (
        tempfile.TemporaryDirectory() as name,
        mixed_cluster(gpu, settings) as cluster,
        distributed.Client(cluster) as client,
        Ledger(Path(name) / "ledger.db") as ledger,
    ):
        client.wait_for_workers(3)
        run_stage(Stage.INGEST, units, DaskExecutor(client), ledger, LogProgress())
        places = {row.unit: row.detail["worker"] for row in ledger.rows()}
    placed = [places[unit.key] == "gpu-0" for unit in units if unit.needs_gpu]
    n_others = len({places[unit.key] for unit in units if not unit.needs_gpu} - {"gpu-0"})
    note = f"{sum(placed)} of {len(placed)}; emulated; the others ran on {n_others} more workers"
    return Measurement(100 * sum(placed) / len(placed), "%", note=note)


def where() -> UnitOutcome:
    """Say on which worker it runs."""
    time.sleep(0.01)
    return UnitOutcome(detail={"worker": distributed.get_worker().name})
