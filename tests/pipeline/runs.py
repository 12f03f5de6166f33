"""Running the line in a test."""

from __future__ import annotations

from cvlarray.cluster import executor
from cvlarray.config import RunConfig
from cvlarray.pipeline import Stage, run_pipeline
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.units import UnitOutcome, WorkUnit


class Counting(LogProgress):
    """Counts the units done, by stage."""

    def __init__(self) -> None:
        self.done: dict[Stage, int] = {}

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:
        self.done[unit.stage] = self.done.get(unit.stage, 0) + 1


def run(config: RunConfig, **stages: Stage) -> dict[Stage, int]:
    """Run and return how many units of each stage had to be done."""
    progress = Counting()
    with executor(config.cluster) as workers:
        run_pipeline(config, workers, progress, **stages)
    return progress.done
