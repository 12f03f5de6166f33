"""A finished decade, run once more: nothing to do, and how long it takes to know that."""

from __future__ import annotations

import datetime as dt
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.cubes_plan import huge_run
from benchmarks.registry import Measurement, measures
from cvlarray.cluster import InlineExecutor
from cvlarray.config import RunConfig, load_config
from cvlarray.pipeline import Stage, make_plan, run_pipeline, workspace_of
from cvlarray.pipeline.alerts import alert_units
from cvlarray.pipeline.annual import annual_units
from cvlarray.pipeline.baseline import baseline_units, create_baseline
from cvlarray.pipeline.changes import changes_units, create_changes
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.ingest import create_cube, ingest_units
from cvlarray.pipeline.monitor import create_detections, monitor_units
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.report import report_units
from cvlarray.pipeline.search import load_context
from cvlarray.pipeline.state import create_states
from cvlarray.pipeline.units import UnitOutcome, WorkUnit
from cvlarray.store import Ledger, LedgerRow
from cvlarray.store.sqlite import transaction

SIZE_PX, N_DATES = 60_000, 730
"""3,481 tiles in 31 blocks of dates: 107,911 units of ingest, a tenth of that of other stages."""
HISTORY_END, WATCH_END = dt.date(2020, 12, 31), dt.date(2028, 1, 31)


class NothingToDo(LogProgress):
    """Counts what had to be done all the same."""

    n_done = 0

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:  # noqa: ARG002 (protocol)
        self.n_done += 1


def decade(folder: Path) -> RunConfig:
    """Return a decade that has not begun; its Items lie in a snapshot."""
    huge_run(folder, SIZE_PX, N_DATES)
    monitoring = {"start": str(HISTORY_END + dt.timedelta(days=1)), "end": str(WATCH_END)}
    changed = {
        "periods": {"history": {"end": str(HISTORY_END)}, "monitoring": monitoring},
        "cluster": {"kind": "threads", "n_threads": 2},
    }
    return load_config(folder / "huge.yaml", changed)


def finished_decade(folder: Path) -> RunConfig:
    """Return a decade whose ledger says that all is done; no pixel was ever computed."""
    config = decade(folder)
    run_pipeline(config, InlineExecutor(), LogProgress(), last=Stage.SEARCH)
    workspace = workspace_of(config)
    context = load_context(config, workspace)
    with Ledger(workspace.ledger) as ledger:
        create_cube(context, ledger)
        for create in (create_baseline, create_states, create_detections, create_changes):
            create(context)
        for folder_of in (workspace.sightings, workspace.annual, workspace.alerts):
            folder_of.mkdir()
        workspace.events.write_bytes(b"")
        workspace.run_page.parent.mkdir(parents=True, exist_ok=True)
        workspace.run_page.write_text("")
        for stage, units_of in STAGES.items():
            _record(ledger, stage, list(units_of(context, ledger)))
    return config


UnitsOf = Callable[[RunContext, Ledger], Iterable[WorkUnit]]
STAGES: Mapping[Stage, UnitsOf] = {
    Stage.INGEST: ingest_units,
    Stage.BASELINE: baseline_units,
    Stage.MONITOR: monitor_units,
    Stage.ALERTS: alert_units,
    Stage.REPORT: report_units,
    Stage.CHANGES: changes_units,
    Stage.ANNUAL: annual_units,
}


def _record(ledger: Ledger, stage: Stage, units: Iterable[WorkUnit]) -> None:
    with transaction(ledger._connection):
        for unit in units:
            detail = _detail(unit) if stage is Stage.INGEST else {}
            row = LedgerRow(stage, unit.key, unit.input_hash, wall_s=1.0, cpu_s=1.0, detail=detail)
            ledger.record(row)


def _detail(unit: WorkUnit) -> dict[str, Any]:
    """Return what ingest writes down of a unit."""
    days = unit.work.args[3]  # type: ignore[attr-defined]  # a partial
    dates = [str(one.day.date) for one in days]
    return {
        "dates": {date: one.identity for date, one in zip(dates, days, strict=True)},
        "clear_share": dict.fromkeys(dates, 0.512345),
        "needs_sar": dates[::2],
        "boa_offset": dict.fromkeys(dates, "agrees"),
        "unread": [],
    }


def resume(path: str) -> None:
    """Run a finished decade again, in a process of its own; print seconds, units, and memory."""
    import time

    config, progress = load_config(Path(path)), NothingToDo()
    began = time.perf_counter()
    run_pipeline(config, InlineExecutor(), progress, last=Stage.ANNUAL)
    seconds = time.perf_counter() - began
    print(seconds, progress.n_done, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


@measures("plan_decade")
def plan_decade() -> Measurement:
    """As `plan --years`, but for the start of the process."""
    with tempfile.TemporaryDirectory() as name:
        config = decade(Path(name))
        began = time.perf_counter()
        plan = make_plan(config, last=Stage.ANNUAL)
        seconds = time.perf_counter() - began
    note = (
        f"{plan.n_items:,} Items, {plan.n_dates} dates, {plan.n_tiles:,} tiles, "
        f"{plan.n_pixels / 1e6:,.0f} Mpx, {plan.n_tasks:,} units; wall"
    )
    return Measurement(seconds, "s", note=note)


@measures("resume_finished")
def resume_finished() -> Measurement:
    with tempfile.TemporaryDirectory() as name:
        config = finished_decade(Path(name))
        with Ledger(workspace_of(config).ledger) as ledger:
            n_rows = sum(one.done for one in ledger.summary().values())
        command = [sys.executable, "-m", __name__, str(workspace_of(config).run_yaml)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    seconds, n_done, n_bytes = float(out[0]), int(out[1]), float(out[2])
    if n_done:
        raise AssertionError(f"{n_done} units were done again")
    note = f"{n_rows:,} ledger rows; wall; the process held {n_bytes / 1e6:.0f} MB"
    return Measurement(seconds, "s", note=note)


if __name__ == "__main__":
    resume(sys.argv[1])
