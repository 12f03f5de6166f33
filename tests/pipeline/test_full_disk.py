"""A run on a disk that is full says so, and once there is room again ends with the same bits.

A limit of the size of files stands for the disk: it needs no rights, and the writers see the same
error from the same calls.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

from cvlarray.config import load_config
from cvlarray.store import Ledger, Workspace

TIMEOUT_S = 200


def run_with_room(config: Path, largest_file: int | None) -> subprocess.CompletedProcess[str]:
    """Run to the end, or until a file gets too large."""

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))

    return subprocess.run(
        [sys.executable, "-m", "cvlarray.cli", "run", str(config)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=limit,
    )


def largest(folder: Path) -> int:
    return max(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.fixture
def whole(finished):
    """Return the workspace of an undisturbed run."""
    return Workspace(finished.workspace)


def assert_told(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert "make room or mend the disk and run again" in error or "not full" in error
    assert "Traceback" not in done.stderr


def test_what_a_full_disk_stopped_goes_on_to_the_same_bits(whole, forest_source, write_config):
    config = write_config(forest_source)
    workspace = Workspace(load_config(config).workspace)
    of_cube, of_report = largest(whole.cube), whole.report_html.stat().st_size
    assert of_report > of_cube

    assert_told(run_with_room(config, of_cube - 1))
    with Ledger(workspace.ledger) as ledger:
        n_ingested = len(ledger.done("ingest"))
    with Ledger(whole.ledger) as ledger:
        assert n_ingested < len(ledger.done("ingest"))

    assert_told(run_with_room(config, of_report - 1))
    assert not workspace.report_html.exists()
    assert not [file for file in workspace.path.rglob("*") if "partial" in file.name]

    done = run_with_room(config, None)
    assert done.returncode == 0, done.stderr
    for name in ("cube", "baseline", "detections"):
        xr.testing.assert_identical(
            xr.open_zarr(getattr(whole, name), mask_and_scale=False).load(),
            xr.open_zarr(getattr(workspace, name), mask_and_scale=False).load(),
        )
    assert whole.alerts_geojson.read_bytes() == workspace.alerts_geojson.read_bytes()
    assert workspace.report_html.exists()
