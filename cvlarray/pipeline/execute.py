"""Run work units in a bounded window: data first, then the ledger row; stop without losing any."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from cvlarray.cluster import Executor, Future
from cvlarray.errors import CvlarrayError, UnitError
from cvlarray.pipeline.progress import Progress
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, LedgerRow, UnitStatus

logger = logging.getLogger(__name__)

WINDOW_PER_SLOT = 2
"""Units handed out per slot: one running and one waiting, so that no slot idles and the
scheduler's memory doesn't grow with the length of the run."""


class ToDo(NamedTuple):
    """What a stage has left."""

    missing: list[WorkUnit]
    """Units whose inputs the ledger doesn't know as done."""
    n_units: int
    """All of the stage's."""


def to_do(units: Iterable[WorkUnit], ledger: Ledger, stage: Stage) -> ToDo:
    """Return what is missing of a stage's units, of which the others aren't kept in memory."""
    done, missing, n_units = ledger.done(stage), [], 0
    for unit in units:
        n_units += 1
        if done.get(unit.key) != unit.input_hash:
            missing.append(unit)
    return ToDo(missing, n_units)


def run_stage(
    stage: Stage,
    units: Iterable[WorkUnit],
    executor: Executor,
    ledger: Ledger,
    progress: Progress,
) -> int:
    """Do what is missing of ``units``; each gets its ledger row once its data is written.

    Returns
    -------
    How many were missing.

    Raises
    ------
    CvlarrayError
        When a unit fails. Units that ran beside it are finished and recorded first.
    """
    missing, n_units = to_do(units, ledger, stage)
    progress.stage_started(stage, n_units=n_units, n_done=n_units - len(missing))
    started = time.perf_counter()
    queue = iter(missing)
    running: dict[Future, WorkUnit] = {}
    try:
        while _fill_window(running, queue, executor, ledger):
            for future in executor.wait_any(list(running)):
                _finish(running.pop(future), future, ledger, progress)
    except BaseException:
        _drain(running, executor, ledger, progress)
        raise
    progress.stage_done(stage, wall_s=time.perf_counter() - started)
    return len(missing)


def _fill_window(
    running: dict[Future, WorkUnit],
    queue: Iterator[WorkUnit],
    executor: Executor,
    ledger: Ledger,
) -> bool:
    """Submit up to the window's size; return whether anything runs."""
    n_free = max(1, executor.n_slots) * WINDOW_PER_SLOT - len(running)
    for unit in islice(queue, max(0, n_free)):
        # A row always speaks of the data that are there: it goes before they are written anew.
        ledger.forget(unit.stage, [unit.key])
        running[executor.submit(unit, unit.task)] = unit
    return bool(running)


def _finish(unit: WorkUnit, future: Future, ledger: Ledger, progress: Progress) -> None:
    try:
        outcome: UnitOutcome = future.result()
    except CvlarrayError as error:
        progress.unit_failed(unit, error)
        raise type(error)(f"{unit.stage} {unit.key}: {error}") from error
    except Exception as error:
        progress.unit_failed(unit, error)
        raise UnitError(
            f"{unit.stage} {unit.key} failed with {type(error).__name__}: {error}"
        ) from error
    ledger.record(ledger_row(unit, outcome))
    progress.unit_done(unit, outcome)


def ledger_row(unit: WorkUnit, outcome: UnitOutcome) -> LedgerRow:
    """Return the row that says ``unit`` is done, or partial when an asset stayed unread."""
    return LedgerRow(
        stage=unit.stage,
        unit=unit.key,
        input_hash=unit.input_hash,
        status=UnitStatus.PARTIAL if outcome.unread else UnitStatus.DONE,
        wall_s=outcome.wall_s,
        cpu_s=outcome.cpu_s,
        bytes_read=outcome.n_bytes_read,
        bytes_written=outcome.n_bytes_written,
        detail={**outcome.detail, "unread": list(outcome.unread)},
    )


def _drain(
    running: dict[Future, WorkUnit], executor: Executor, ledger: Ledger, progress: Progress
) -> None:
    """Wait for the few units handed out already, and record them: their data is written."""
    while running:
        for future in executor.wait_any(list(running)):
            unit = running.pop(future)
            try:
                _finish(unit, future, ledger, progress)
            except BaseException as error:  # noqa: BLE001 (the first failure is the one to report)
                logger.debug("%s %s not finished: %s", unit.stage, unit.key, error)
