"""A run killed at random moments, again and again, ends with the same bits as one left alone."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import xarray as xr
import yaml

from cvlarray.config import load_config
from cvlarray.store import Workspace
from tests.pipeline.forest import run_settings

N_KILLS = 4


def start(config: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cvlarray.cli", "run", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def write(folder: Path, source: Path, name: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(run_settings(source, folder / name)))
    return path


def finish(config: Path) -> float:
    """Run to the end and return how long it took."""
    started = time.perf_counter()
    process = start(config)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output.decode()
    return time.perf_counter() - started


def test_a_run_killed_at_any_moment_resumes_bit_for_bit(forest_source, tmp_path):
    undisturbed, disturbed = (write(tmp_path, forest_source, n) for n in ("whole", "killed"))
    took = finish(undisturbed)
    moments = random.Random(20)
    n_killed = 0
    for _ in range(N_KILLS):
        process = start(disturbed)
        time.sleep(moments.uniform(0.45, 1.0) * took)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        n_killed += process.returncode == -signal.SIGKILL
    assert n_killed >= 1
    finish(disturbed)
    one, other = (Workspace(load_config(path).workspace) for path in (undisturbed, disturbed))
    for name in ("cube", "baseline", "detections"):
        xr.testing.assert_identical(
            xr.open_zarr(getattr(one, name), mask_and_scale=False).load(),
            xr.open_zarr(getattr(other, name), mask_and_scale=False).load(),
        )
    assert one.alerts_geojson.read_bytes() == other.alerts_geojson.read_bytes()
