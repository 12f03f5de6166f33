"""Nothing is lost and nothing is half-believed: kills at random moments, and full disks."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from cvlarray.store import Ledger, LedgerRow, Workspace

from . import commit_worker as worker

# odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

NO_LIMIT = 0


def _start(workspace: Workspace, version: str, file_size: int = NO_LIMIT) -> subprocess.Popen[str]:
    """Start the worker, and wait until it has imported what it needs."""
    process = subprocess.Popen(
        [sys.executable, worker.__file__, workspace.path, version, str(file_size)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def _kill(workspace: Workspace, version: str, n_new_shards: int, delay_s: float) -> None:
    """Kill the worker some time after it has written some shards; 0 is while it makes the store."""
    began = time.time_ns()
    with _start(workspace, version) as process:
        while _n_written_since(workspace, began) < n_new_shards and process.poll() is None:
            time.sleep(0.001)
        time.sleep(delay_s)
        process.kill()
        process.communicate()


def _n_written_since(workspace: Workspace, began_ns: int) -> int:
    shards = (workspace.cube / "red" / "c").glob("*/*/*")
    return sum(path.stat().st_mtime_ns >= began_ns for path in shards if path.name.isdigit())


def _data_files(workspace: Workspace) -> dict[str, bytes]:
    return {
        path.relative_to(workspace.path).as_posix(): path.read_bytes()
        for path in workspace.cube.rglob("*")
        if path.is_file()
    }


def _n_done(workspace: Workspace) -> int:
    with Ledger(workspace.ledger) as ledger:
        return len(ledger.done(worker.STAGE))


def test_kills_at_random_moments_lose_nothing_and_leave_nothing_half_believed(
    tmp_path: Path,
) -> None:
    undisturbed, killed = Workspace(tmp_path / "undisturbed"), Workspace(tmp_path / "killed")
    n_units = len(list(worker.units()))
    counts = []
    for version, kills in (("first", (0, 2, 8)), ("second", (0, 6))):
        start = time.perf_counter()
        worker.run(undisturbed, version)
        unit_s = (time.perf_counter() - start) / n_units
        for n_new_shards in kills:
            _kill(killed, version, n_new_shards, random.uniform(0, 2 * unit_s))
            if killed.cube.exists():
                assert worker.wrong_units(killed, ("first", "second")) == []
                counts.append(_n_done(killed))
        worker.run(killed, version)
        assert worker.wrong_units(killed, (version,)) == []
        assert _n_done(killed) == n_units
        assert _data_files(killed) == _data_files(undisturbed)
    assert any(0 < count < n_units for count in counts), f"killed in time only at {counts}"


def test_a_unit_that_is_done_is_not_written_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    worker.run(workspace, "first")
    times = {path: path.stat().st_mtime_ns for path in workspace.cube.rglob("*")}
    worker.run(workspace, "first")
    assert {path: path.stat().st_mtime_ns for path in workspace.cube.rglob("*")} == times


def test_inputs_taken_back_after_a_crash_are_not_believed_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crash comes between a unit's data and its row: the row of the old data must be gone."""
    workspace = Workspace(tmp_path)
    worker.run(workspace, "first")

    def crash(ledger: Ledger, row: LedgerRow) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "record", crash)
        with pytest.raises(KeyboardInterrupt):
            worker.run(workspace, "second")
    assert worker.wrong_units(workspace, ("first", "second")) == []
    worker.run(workspace, "first")
    assert worker.wrong_units(workspace, ("first",)) == []
    assert _n_done(workspace) == len(list(worker.units()))


@dataclass(frozen=True)
class SmallDisk:
    folder: Path
    file_size: int
    """Limit on the size of a file; 0 for none."""
    grow: Callable[[], object]
    causes: tuple[str, ...]


@pytest.fixture
def limited_files(tmp_path: Path) -> SmallDisk:
    """A limit on the size of files: less than a shard of red, more than the ledger's."""
    return SmallDisk(tmp_path, 40_000, lambda: None, ("File too large",))


@pytest.fixture
def full_disk(tmp_path: Path, limited_files: SmallDisk) -> Iterator[SmallDisk]:
    """A disk of 1.5 MB; the other stands in where this user may not mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        yield limited_files
        return
    grow = partial(subprocess.run, ["mount", "-o", "remount,size=9m", tmp_path], check=True)
    yield SmallDisk(tmp_path, NO_LIMIT, grow, ("No space left", "disk is full"))
    subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize("kind", ["limited_files", "full_disk"])
def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(
    request: pytest.FixtureRequest, kind: str
) -> None:
    disk: SmallDisk = request.getfixturevalue(kind)
    workspace = Workspace(disk.folder / "run")
    with _start(workspace, "first", disk.file_size) as process:
        _, message = process.communicate(timeout=60)
    assert process.returncode == worker.FAILED
    assert message.count("\n") == 1
    assert str(workspace.path) in message
    assert any(cause in message for cause in disk.causes), message
    assert not list(workspace.cube.rglob("*.partial*"))

    disk.grow()
    assert _n_done(workspace) < len(list(worker.units()))
    assert worker.wrong_units(workspace, ("first",)) == []
    worker.run(workspace, "first")
    assert worker.wrong_units(workspace, ("first",)) == []
    assert _n_done(workspace) == len(list(worker.units()))
