"""Workers that would spoil a run are kept out: other versions, or another disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvlarray.cluster import executor
from cvlarray.cluster.versions import difference, installed
from cvlarray.config import LocalCluster, SchedulerAddress
from cvlarray.errors import ClusterError
from tests.cluster.processes import Processes, running_scheduler, wait_for_text


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with running_scheduler(tmp_path) as started:
        yield started


@pytest.fixture
def other_numba(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a machine whose Numba is another."""
    metadata = tmp_path / "other/numba-0.1.dist-info/METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: numba\nVersion: 0.1\n")
    return {"PYTHONPATH": str(metadata.parents[1])}


def test_a_worker_with_another_version_is_refused_in_one_line(
    processes: Processes, other_numba: dict[str, str]
) -> None:
    processes.worker("old", env=other_numba)
    address = SchedulerAddress(address=processes.address, connect_timeout_s=60)
    refused = pytest.raises(ClusterError, match=r"worker tcp://\S+ has numba 0\.1 instead of")
    with refused as caught, executor(address):
        pass
    assert "\n" not in str(caught.value)


def test_a_worker_with_another_version_can_not_join_a_run(
    processes: Processes, other_numba: dict[str, str]
) -> None:
    processes.worker("good")
    with executor(SchedulerAddress(address=processes.address, connect_timeout_s=60)) as workers:
        log = processes.worker("old", env=other_numba)
        assert "has numba 0.1 instead of" in wait_for_text(log, "Reason: cvlarray-unfit")
        assert processes.started[-1].wait(60) == 0
        assert workers.n_slots == 1


def test_a_worker_that_has_another_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = LocalCluster(n_workers=1, dashboard_address=None)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with executor(local) as workers:
        workers.share(workspace)  # sees it
        # As a worker sees it that has nothing mounted there.
        monkeypatch.setattr(
            "cvlarray.cluster.fitness.write_atomic", lambda path, _: shutil.rmtree(path.parent)
        )
        with pytest.raises(ClusterError, match=f"doesn't see the workspace {workspace} .*No such"):
            workers.share(workspace)


def test_absent_and_other_packages_are_named() -> None:
    ours = installed()
    assert difference(ours, ours) == ""
    theirs = {**ours, "zarr": "2.0"}
    del theirs["numba"]
    assert difference(ours, theirs) == (
        f"numba absent instead of {ours['numba']}, zarr 2.0 instead of {ours['zarr']}"
    )
