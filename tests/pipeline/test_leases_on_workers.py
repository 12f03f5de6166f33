"""Leases on a real Dask cluster, one of whose workers is killed in the middle of one."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial

import pytest

from cvlarray.cluster import InlineExecutor, Task, executor
from cvlarray.config import LocalCluster
from cvlarray.inference import Lease, create_maps, superblocks
from cvlarray.models import SpectralRule
from cvlarray.pipeline.execute import run_stage
from cvlarray.pipeline.units import Stage, WorkUnit
from cvlarray.store import Ledger
from tests.inference.scenes import CHUNK_PX, DATES, GRID, SHARD_PX, write_cube
from tests.pipeline.runs import Counting
from tests.pipeline.slow_model import SlowRule, classify, leave_number


def maps_and_units(folder, cube, model):
    """Return a new store, and the leases of both dates as work units."""
    store, started = folder / "maps.zarr", folder / "started"
    started.mkdir(parents=True)
    create_maps(
        store,
        model.spec,
        geobox=GRID,
        times=DATES,
        shard_px=SHARD_PX,
        chunk_px=CHUNK_PX,
        made_by={},
    )
    units = [
        WorkUnit(
            Stage.SEGMENT,
            f"y{y.start}x{x.start}/{date}",
            "same",
            1,
            partial(classify, cube, store, Lease(y, x, date), model, started),
        )
        for date in range(len(DATES))
        for y, x in superblocks(GRID.shape, shard_px=SHARD_PX, size_px=96)
    ]
    return store, units


def files(store):
    return {path.relative_to(store): path.read_bytes() for path in store.rglob("c/*/*/*")}


def kill_the_first_to_start(folder):
    """Kill the worker that begins the third lease, while it is at it."""
    while len(found := sorted(folder.glob("*"), key=os.path.getmtime)) < 3:
        time.sleep(0.01)
    os.kill(int(found[2].name.rpartition("-")[2]), signal.SIGKILL)


def test_a_lost_worker_changes_no_byte_and_each_process_is_prepared_once(tmp_path):
    cube = tmp_path / "cube.zarr"
    write_cube(cube)
    alone, units = maps_and_units(tmp_path / "alone", cube, SpectralRule())
    with Ledger(tmp_path / "alone.db") as ledger:
        run_stage(Stage.SEGMENT, units, InlineExecutor(), ledger, Counting())
    expected = files(alone)
    assert expected

    together, units = maps_and_units(tmp_path / "together", cube, SlowRule())
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    started = together.parent / "started"
    killer = threading.Thread(target=kill_the_first_to_start, args=(started,))
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    progress = Counting()
    with executor(cluster) as workers, Ledger(tmp_path / "together.db") as ledger:
        for _ in range(2):  # a stage that asks again finds it done
            workers.prepare(partial(leave_number, prepared), Task("model-0123"))
        killer.start()
        run_stage(Stage.SEGMENT, units, workers, ledger, progress)
        killer.join(timeout=60)
        assert len(ledger.done(Stage.SEGMENT)) == len(units)
    begun = [path.name.rpartition("-")[0] for path in started.iterdir()]
    assert len(begun) > len(set(begun)) == len(units)  # one was begun again elsewhere
    assert files(together) == expected
    texts = [path.read_text() for path in prepared.iterdir()]
    assert texts == ["prepared\n"] * len(texts)
    assert len(texts) >= 2


def test_a_worker_that_cannot_prepare_says_why(tmp_path):
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with executor(cluster) as workers, pytest.raises(FileNotFoundError, match="nowhere"):
        workers.prepare(partial(leave_number, tmp_path / "nowhere"), Task("model-4567"))
