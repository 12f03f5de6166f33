"""Units on workers that differ: some have a GPU, some a machine that fails."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import distributed
import pytest

from cvlarray.cluster.clients import mixed_cluster
from cvlarray.cluster.dask_workers import DaskExecutor
from cvlarray.config import CudaCluster
from cvlarray.errors import StoreError
from cvlarray.pipeline.execute import run_stage
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    """Return a cluster with a worker that stands for one with a GPU, and two others."""
    gpu = {0: {"cls": distributed.Nanny, "options": {}}}
    settings = CudaCluster(n_cpu_workers=2, dashboard_address=None)
    with mixed_cluster(gpu, settings) as cluster, distributed.Client(cluster) as opened:
        opened.wait_for_workers(3)
        yield opened


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def where() -> UnitOutcome:
    time.sleep(0.02)
    return UnitOutcome(detail={"worker": distributed.get_worker().name})


def refused_on(names: tuple[str, ...], number: int) -> UnitOutcome:
    """Find the disk full on some workers."""
    if distributed.get_worker().name in names:
        raise StoreError("cannot write") from OSError(number, "no room")
    return where()


def unit(key: str, work: partial[UnitOutcome], *, needs_gpu: bool = False) -> WorkUnit:
    return WorkUnit(Stage.INGEST, key, "1" * 64, 1, work, year=2020, needs_gpu=needs_gpu)


def run(units: list[WorkUnit], client: distributed.Client, ledger: Ledger) -> DaskExecutor:
    workers = DaskExecutor(client, "somewhere")
    run_stage(Stage.INGEST, units, workers, ledger, LogProgress())
    return workers


def test_gpu_units_run_on_gpu_workers_alone(client: distributed.Client, ledger: Ledger) -> None:
    units = [unit(f"u{n}", partial(where), needs_gpu=n % 2 == 0) for n in range(40)]
    run(units, client, ledger)
    places = {row.unit: row.detail["worker"] for row in ledger.rows(Stage.INGEST)}
    assert {places[one.key] for one in units if one.needs_gpu} == {"gpu-0"}
    assert {places[one.key] for one in units if not one.needs_gpu} >= {"cpu-0", "cpu-1"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_machine_that_fails_is_left_out(
    client: distributed.Client, ledger: Ledger, number: int
) -> None:
    work = partial(refused_on, ("cpu-0",), number)
    workers = run([unit(f"u{n}", work) for n in range(30)], client, ledger)
    assert len(ledger.done(Stage.INGEST)) == 30
    assert "cpu-0" not in {row.detail["worker"] for row in ledger.rows(Stage.INGEST)}
    info = client.scheduler_info(n_workers=-1)["workers"]
    assert {info[address]["name"] for address in workers.left_out} == {"cpu-0"}


def test_what_two_machines_refuse_is_an_error(client: distributed.Client, ledger: Ledger) -> None:
    work = partial(refused_on, ("gpu-0", "cpu-0", "cpu-1"), errno.ENOSPC)
    with pytest.raises(StoreError, match="ingest u: cannot write"):
        run([unit("u", work)], client, ledger)
    assert ledger.done(Stage.INGEST) == {}


def test_times_are_summed_by_region_stage_and_year(
    client: distributed.Client, ledger: Ledger
) -> None:
    workers = DaskExecutor(client, "a river")
    units = [unit(f"u{n}", partial(where)) for n in range(3)]
    run_stage(Stage.INGEST, units, workers, ledger, LogProgress())

    def names(dask_scheduler: distributed.Scheduler) -> list[tuple[str, ...]]:
        spans = dask_scheduler.extensions["spans"].spans.values()
        return [span.name for span in spans if span.name[0] == "a river"]

    # Three units, but a span only once: a scheduler keeps each as long as it lives.
    assert sorted(client.run_on_scheduler(names)) == [
        ("a river",), ("a river", "ingest"), ("a river", "ingest", "2020")
    ]  # fmt: skip


def test_units_that_ended_beside_a_failure_are_recorded(
    client: distributed.Client, ledger: Ledger
) -> None:
    units = [unit(f"u{n}", partial(where)) for n in range(5)]
    units[2:2] = [unit("bad", partial(refused_on, ("gpu-0", "cpu-0", "cpu-1"), errno.EINVAL))]
    workers = DaskExecutor(client)
    futures = {workers.submit(one, one.task): one for one in units}
    distributed.wait([future.future for future in futures])  # all have ended at once
    ended = workers.wait_any(list(futures))
    assert set(ended) == set(futures)
    again = workers.wait_any(ended)  # as a run asks that drains after a failure
    results = [future.result() for future in again if futures[future].key != "bad"]
    assert [type(result) for result in results] == [UnitOutcome] * 5
