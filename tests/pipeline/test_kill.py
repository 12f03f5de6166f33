"""A run killed at random moments, again and again, ends with the same bits as one left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import xarray as xr
import yaml

from cvlarray.alerts.events import read_versions
from cvlarray.config import load_config
from cvlarray.store import Workspace
from tests.pipeline.forest import run_settings

pytestmark = pytest.mark.slow

N_KILLS = 8
DEADLINE_S = 200
STORES = ("cube", "baseline", "detections")


def start(config: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cvlarray.cli", "run", str(config), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def write(folder: Path, source: Path, name: str, end: str = "2021-12-31") -> Path:
    path = folder / f"{name}.yaml"
    settings = run_settings(source, folder / name)
    history = {"start": "2018-01-01", "end": "2020-12-31"}
    settings["periods"] = {"history": history, "monitoring": {"start": "2021-01-01", "end": end}}
    path.write_text(yaml.safe_dump(settings))
    return path


def finish(config: Path) -> None:
    """Run to the end."""
    process = start(config)
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output.decode()


def n_files(workspace: Path) -> int:
    """Return how many shards the stores have: how far the run is, on a machine of any speed."""
    stores = (workspace / f"{name}.zarr" for name in STORES)
    return sum(len(files) for store in stores for _, _, files in os.walk(store))


def kill_after(config: Path, n_more: int, pause_s: float) -> bool:
    """Start a run and kill it a moment after it has written so many more shards."""
    workspace = load_config(config).workspace
    enough = n_files(workspace) + n_more
    process = start(config)
    deadline = time.monotonic() + DEADLINE_S
    while process.poll() is None and time.monotonic() < deadline and n_files(workspace) < enough:
        time.sleep(0.005)
    time.sleep(pause_s)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def logged(path: Path) -> list[list[str]]:
    """Return the dates that a tile's state has taken in."""
    dates: list[list[str]] = json.loads(path.read_text())["dates"]
    return dates


def test_a_run_killed_at_any_moment_resumes_bit_for_bit(forest_source, tmp_path):
    undisturbed, disturbed = (write(tmp_path, forest_source, n) for n in ("whole", "killed"))
    finish(undisturbed)
    moments = random.Random(20)
    total = n_files(load_config(undisturbed).workspace)

    # First until June, later what came since: the second time stores are there to be updated.
    write(tmp_path, forest_source, "killed", end="2021-06-20")
    killed = [
        kill_after(disturbed, moments.randint(0, total // N_KILLS), moments.uniform(0, 0.1))
        for _ in range(N_KILLS)
    ]
    assert sum(killed) >= N_KILLS // 2
    finish(disturbed)
    write(tmp_path, forest_source, "killed")
    killed = [kill_after(disturbed, n_more, moments.uniform(0, 0.3)) for n_more in (2, 7, 12)]
    assert any(killed)
    finish(disturbed)

    one, other = (Workspace(load_config(path).workspace) for path in (undisturbed, disturbed))
    for tile in one.state_logs.glob("*.json"):
        assert logged(tile) == logged(other.state_logs / tile.name)
    for name in STORES:
        xr.testing.assert_identical(
            xr.open_zarr(getattr(one, name), mask_and_scale=False).load(),
            xr.open_zarr(getattr(other, name), mask_and_scale=False).load(),
        )
    assert read_versions(one.events).equals(read_versions(other.events))
    assert one.alerts_geojson.read_bytes() == other.alerts_geojson.read_bytes()


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the workers of a run's Dask cluster."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def half_written(store: Path) -> list[Path]:
    """Return the files of shards that somebody is writing, or was when he was killed."""
    return [
        Path(folder, name)
        for folder, _, names in os.walk(store)
        for name in names
        if ".partial" in name
    ]


def kill_workers_that_write(process: subprocess.Popen[bytes], store: Path, n_before: int) -> bool:
    """Kill all workers at once while one of them writes; tell whether it left a shard half done."""
    deadline = time.monotonic() + DEADLINE_S
    while process.poll() is None and time.monotonic() < deadline:
        if n_files(store.parent) >= n_before and half_written(store):
            workers = workers_of(process)
            signal_all(workers, signal.SIGSTOP)
            if half_written(store):  # still: stopped, they can't finish it
                signal_all(workers, signal.SIGKILL)
                return True
            signal_all(workers, signal.SIGCONT)
        time.sleep(0.0005)
    return False


def signal_all(workers: list[psutil.Process], number: int) -> None:
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.send_signal(number)


def test_workers_killed_while_they_write_shards_change_no_bit(forest_source, tmp_path, finished):
    settings = run_settings(forest_source, tmp_path / "workspace")
    settings["cluster"] = {"kind": "local", "n_workers": 2, "threads_per_worker": 1,
                           "dashboard_address": None}  # fmt: skip
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(settings))
    cube = Workspace(load_config(config).workspace).cube
    process = start(config, "--until", "ingest")
    left = [kill_workers_that_write(process, cube, n_before) for n_before in (20, 60)]
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output.decode()
    assert any(left)
    xr.testing.assert_identical(
        xr.open_zarr(cube, mask_and_scale=False).load(),
        xr.open_zarr(Workspace(finished.workspace).cube, mask_and_scale=False).load(),
    )
