"""What is kept of how a run went: metrics, failures, Dask's report, and a page at its end."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvlarray.cluster import Executor
from cvlarray.config import RunConfig
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.metrics import Metrics
from cvlarray.pipeline.progress import Progress
from cvlarray.pipeline.run_page import make_run_page
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger

logger = logging.getLogger(__name__)

N_DASK_REPORTS = 10
"""Of the last runs that did something; one takes some megabytes."""


@dataclass
class RunRecord:
    """Listens to a run, tells the listener behind it, and keeps what is worth keeping."""

    progress: Progress
    metrics: Metrics
    failures_file: Path
    context: RunContext | None = None
    """The run, once its scenes are known."""
    n_units: int = field(default=0, init=False)
    """That ended in this run, well or not."""

    def dashboard(self, link: str) -> None:
        """Pass it on."""
        self.progress.dashboard(link)

    def stage_started(self, stage: Stage, *, n_units: int, n_done: int) -> None:
        """Count what is missing."""
        self.metrics.stage_started(stage, n_units - n_done)
        self.progress.stage_started(stage, n_units=n_units, n_done=n_done)

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:
        """Count the unit."""
        self.n_units += 1
        self.metrics.unit_done(unit, outcome)
        self.progress.unit_done(unit, outcome)

    def unit_failed(self, unit: WorkUnit, error: Exception) -> None:
        """Write the failure down: the ledger knows only what was done."""
        self.n_units += 1
        self.metrics.unit_failed(unit)
        _append(
            self.failures_file, {"stage": str(unit.stage), "unit": unit.key, "error": str(error)}
        )
        self.progress.unit_failed(unit, error)

    def stage_done(self, stage: Stage, *, wall_s: float) -> None:
        """Write the metrics."""
        self.metrics.write()
        self.progress.stage_done(stage, wall_s=wall_s)


@contextmanager
def recorded(
    config: RunConfig, ledger: Ledger, workers: Executor, progress: Progress
) -> Iterator[RunRecord]:
    """Keep how the block goes, in the workspace; also when it fails.

    What can't be kept is logged: no run fails for it.
    """
    workspace = workspace_of(config)
    record = RunRecord(progress, Metrics(config.name, workspace.metrics), workspace.failures)
    started = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    report = workspace.dask_reports / f"{started}.html"
    with workers.recorded(report):
        try:
            yield record
        finally:
            _keep(record, ledger)
    _forget_old(workspace.dask_reports, report, is_wanted=record.n_units > 0)


def _keep(record: RunRecord, ledger: Ledger) -> None:
    try:
        record.metrics.write()
        if record.context and (record.n_units or not record.context.workspace.run_page.exists()):
            make_run_page(record.context, ledger)
    except Exception as error:  # noqa: BLE001 (a full disk, an odd row: the run matters more)
        logger.warning("how the run went was not kept: %s", error)


def _forget_old(folder: Path, newest: Path, *, is_wanted: bool) -> None:
    if not is_wanted:
        newest.unlink(missing_ok=True)
    for old in sorted(folder.glob("*.html"))[:-N_DASK_REPORTS]:
        old.unlink(missing_ok=True)


def _append(path: Path, row: dict[str, Any]) -> None:
    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": at, **row}) + "\n")
    except OSError as error:
        logger.warning("a failure was not kept: %s", error)
