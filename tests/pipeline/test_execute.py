"""Units on real executors: threads and a Dask cluster of processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dask
import pytest

from cvlarray.cluster import Executor, InlineExecutor, Task, executor
from cvlarray.config import LocalCluster, Threads
from cvlarray.errors import StoreError, UnitError
from cvlarray.pipeline.execute import run_stage
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, UnitStatus


def append_line(path: Path) -> UnitOutcome:
    with path.open("a") as file:
        file.write("x\n")
    return UnitOutcome(n_bytes_written=2)


def fail(error: Exception) -> UnitOutcome:
    raise error


def die_once(path: Path) -> UnitOutcome:
    """Kill the worker the first time, as the system does when memory runs out."""
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return append_line(path)


def leave_unread() -> UnitOutcome:
    asset = {"scene_id": "s", "band": "red", "href": "x.tif", "reason": "truncated"}
    return UnitOutcome(unread=(asset,))


def unit(key: str, work: partial[UnitOutcome], input_hash: str = "1" * 64) -> WorkUnit:
    return WorkUnit(Stage.INGEST, key, input_hash, 100, work)


@pytest.fixture(scope="module", params=["threads", "local"])
def workers(request: pytest.FixtureRequest) -> Iterator[Executor]:
    local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with executor(Threads(n_threads=2) if request.param == "threads" else local) as started:
        yield started


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def run(units: list[WorkUnit], workers: Executor, ledger: Ledger) -> None:
    run_stage(Stage.INGEST, units, workers, ledger, LogProgress())


def test_units_run_once_and_again_only_when_their_inputs_change(workers, ledger, tmp_path):
    paths = [tmp_path / f"{n}.txt" for n in range(9)]
    units = [unit(path.name, partial(append_line, path)) for path in paths]
    run(units, workers, ledger)
    run(units, workers, ledger)
    assert [path.read_text() for path in paths] == ["x\n"] * 9
    changed = [unit(paths[3].name, partial(append_line, paths[3]), "2" * 64)]
    run([*units[:3], *changed, *units[4:]], workers, ledger)
    assert [path.read_text().count("x") for path in paths] == [1, 1, 1, 2, 1, 1, 1, 1, 1]
    assert {row.unit for row in ledger.rows(Stage.INGEST)} == {path.name for path in paths}


def test_a_failing_unit_is_named_and_those_beside_it_are_kept(workers, ledger, tmp_path):
    good = [unit(f"g{n}", partial(append_line, tmp_path / f"g{n}")) for n in range(3)]
    bad = unit("bad", partial(fail, ValueError("odd number")))
    with pytest.raises(UnitError, match="ingest bad failed with ValueError: odd number"):
        run([*good[:1], bad, *good[1:]], workers, ledger)
    done = ledger.done(Stage.INGEST)
    assert "bad" not in done
    for key in done:
        assert (tmp_path / key).read_text() == "x\n"
    run(good, workers, ledger)
    assert [(tmp_path / f"g{n}").read_text() for n in range(3)] == ["x\n"] * 3


def test_our_own_errors_keep_their_class(workers, ledger):
    with pytest.raises(StoreError, match="ingest u: no space left"):
        run([unit("u", partial(fail, StoreError("no space left")))], workers, ledger)


def test_a_unit_with_unread_assets_is_partial_and_tried_again(workers, ledger, tmp_path):
    run([unit("u", partial(leave_unread))], workers, ledger)
    (row,) = ledger.rows(Stage.INGEST)
    assert row.status is UnitStatus.PARTIAL
    assert row.detail["unread"][0]["reason"] == "truncated"
    run([unit("u", partial(append_line, tmp_path / "u"))], workers, ledger)
    (row,) = ledger.rows(Stage.INGEST)
    assert row.status is UnitStatus.DONE


def where_it_runs() -> int:
    """Return the process in which what Dask computes runs."""
    pid: int = dask.delayed(os.getpid)().compute()
    return pid


@pytest.mark.usefixtures("workers")
def test_what_one_unit_alone_computes_runs_here_also_beside_a_cluster():
    assert InlineExecutor().submit(where_it_runs, Task("report-index")).result() == os.getpid()


@pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnhandledThreadExceptionWarning")
def test_a_killed_worker_costs_only_its_unit(ledger, tmp_path):
    local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    units = [unit(f"u{n}", partial(append_line, tmp_path / f"u{n}")) for n in range(4)]
    units.insert(1, unit("deadly", partial(die_once, tmp_path / "deadly")))
    with executor(local) as workers:
        run(units, workers, ledger)
    assert (tmp_path / "deadly").read_text() == "x\n"
    assert len(ledger.done(Stage.INGEST)) == 5


class InterruptAfter(LogProgress):
    """Presses Ctrl-C when the first unit has been recorded."""

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:
        raise KeyboardInterrupt


def slow(path: Path) -> UnitOutcome:
    time.sleep(0.2)
    return append_line(path)


def test_ctrl_c_records_what_was_running(workers, ledger, tmp_path):
    units = [unit(f"u{n}", partial(slow, tmp_path / f"u{n}")) for n in range(12)]
    with pytest.raises(KeyboardInterrupt):
        run_stage(Stage.INGEST, units, workers, ledger, InterruptAfter())
    done = set(ledger.done(Stage.INGEST))
    written = {path.name for path in tmp_path.glob("u*")}
    assert written == done
    assert 1 <= len(done) < 12
