"""How a run scales: units through the scheduler, workers side by side, memory over the area."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

import psutil

from benchmarks.line_scenes import mirrored_run
from benchmarks.registry import Measurement, measures
from cvlarray.cluster import executor
from cvlarray.cluster.dask_workers import DaskExecutor
from cvlarray.config import LocalCluster, SchedulerAddress, load_config
from cvlarray.pipeline import Stage, run_pipeline
from cvlarray.pipeline.execute import run_stage
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.units import UnitOutcome, WorkUnit
from cvlarray.store import Ledger
from tests.cluster.processes import running_scheduler

N_UNITS = 100_000
SIDES_PX = 400, 1600
"""1× and 16× the area, in tiles of the same size."""
TILE_PX = 200
N_PAIRS = 3


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


def tiled_run(side_px: int, n_workers: int) -> tuple[float, int]:
    """Run the tiled stages anew; return their wall time [s] and a worker's largest memory."""
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
    return wall_s, max(peaks.values())


def _warm_up() -> None:
    """Import what units import, so that starting isn't measured."""
    __import__("cvlarray.pipeline")


def _peak_rss() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


@measures("two_workers")
def two_workers() -> Measurement:
    tiled_run(SIDES_PX[0], 2)  # compiles
    pairs = [(tiled_run(SIDES_PX[0], 1)[0], tiled_run(SIDES_PX[0], 2)[0]) for _ in range(N_PAIRS)]
    ratios = sorted(one / two for one, two in pairs)
    note = f"wall of the tiled stages, {N_PAIRS} pairs, {ratios[0]:.2f}-{ratios[-1]:.2f}"
    return Measurement(ratios[N_PAIRS // 2], "×", pairs[0][0], ratios[N_PAIRS // 2], note)


@measures("memory_over_area")
def memory_over_area() -> Measurement:
    small, large = (tiled_run(side, 1)[1] for side in SIDES_PX)
    note = f"{small / 1e6:.0f} MB at {SIDES_PX[0]} px, {large / 1e6:.0f} MB at {SIDES_PX[1]} px"
    return Measurement(100 * abs(large / small - 1), "%", small / 1e6, note=note)
