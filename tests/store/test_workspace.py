from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cvlarray.errors import StoreError, WorkspaceBusyError
from cvlarray.store import Workspace

HOLD = """
import sys
from pathlib import Path
from cvlarray.store.workspace import Workspace
with Workspace(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "demo-run")


def _held_elsewhere(workspace: Workspace) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, workspace.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_paths_are_those_other_programs_read(workspace: Workspace) -> None:
    found = {
        name: getattr(workspace, name).relative_to(workspace.path).as_posix()
        for name, member in vars(Workspace).items()
        if isinstance(member, property) and name != "states"
    }
    states = [state.relative_to(workspace.path).as_posix() for state in workspace.states]
    assert states == ["state.zarr", "state_next.zarr"]
    assert found == {
        "run_yaml": "run.yaml",
        "items": "items.parquet",
        "ledger": "ledger.db",
        "cube": "cube.zarr",
        "corrections": "corrections",
        "prior": "prior.json",
        "baseline": "baseline.zarr",
        "state_logs": "state_logs",
        "detections": "detections.zarr",
        "changes": "changes.zarr",
        "annual": "annual",
        "calibration": "calibration.json",
        "plan": "plan.json",
        "land_cover": "land_cover.zarr",
        "sightings": "sightings",
        "radar_items": "radar_items.parquet",
        "radar": "radar.zarr",
        "radar_sightings": "radar_sightings",
        "fused": "fused.zarr",
        "alerts": "alerts",
        "blindness": "alerts/days_blind.csv",
        "deliveries": "alerts/deliveries.parquet",
        "enrichment": "alerts/enrichment.parquet",
        "events": "alerts/events.gpkg",
        "jurisdiction_changes": "alerts/jurisdiction_changes.csv",
        "alerts_geojson": "alerts/alerts.geojson",
        "alerts_parquet": "alerts/alerts.parquet",
        "chips": "alerts/chips",
        "latency_parquet": "alerts/latency.parquet",
        "outbox": "outbox.db",
        "report": "report",
        "report_html": "report/index.html",
        "run_page": "report/run.html",
        "coverage": "coverage",
        "logs": "logs",
        "metrics": "logs/metrics.prom",
        "failures": "logs/failures.jsonl",
        "dask_reports": "logs/dask",
        "lock_file": ".lock",
        "review": "review",
        "sample": "review/sample.parquet",
        "sample_areas": "review/sample_areas.parquet",
    }
    assert not workspace.path.exists()


def test_a_second_lock_in_this_process_is_refused_and_the_first_stays(
    workspace: Workspace,
) -> None:
    with workspace.lock():
        for _ in range(2):
            busy = pytest.raises(WorkspaceBusyError, match=f"process {os.getpid()} on")
            with busy, workspace.lock():
                pass
    with workspace.lock():
        pass


def test_another_process_is_named_and_its_lock_dies_with_it(workspace: Workspace) -> None:
    with _held_elsewhere(workspace) as holder:
        with pytest.raises(WorkspaceBusyError) as caught, workspace.lock():
            pass
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert f"process {holder.pid} on {socket.gethostname()} since 20" in str(caught.value)
    assert str(workspace.path) in str(caught.value)
    with workspace.lock():
        assert str(os.getpid()) in workspace.lock_file.read_text()


def test_the_lock_is_dropped_though_a_child_has_its_file_open(workspace: Workspace) -> None:
    with workspace.lock():
        for link in _open_as(workspace.lock_file, "self"):
            os.set_inheritable(int(link.name), True)
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
        assert len(_open_as(workspace.lock_file, child.pid)) == 1
    with child, workspace.lock():
        child.communicate()
    assert child.returncode == 0  # it lived on while the lock was taken again


def _open_as(file: Path, process: object) -> list[Path]:
    """Return the links under which a process has a file open."""
    links = Path(f"/proc/{process}/fd").iterdir()
    return [link for link in links if link.exists() and link.samefile(file)]


def test_the_lock_is_dropped_on_an_error(workspace: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt), workspace.lock():
        raise KeyboardInterrupt
    with workspace.lock():
        pass


def test_a_workspace_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = pytest.raises(StoreError, match="cannot make the workspace")
    with refused, Workspace(tmp_path / "file").lock():
        pass
