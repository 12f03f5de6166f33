"""Nothing is lost and nothing is half-believed: kills at random moments, and full disks."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from cvlarray.store import Ledger, LedgerRow, Workspace

from . import commit_worker as worker

# odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

NO_LIMIT = 0


@pytest.fixture(scope="module")
def forker() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported what it needs, and forks one that works for each line."""
    with subprocess.Popen(
        [sys.executable, worker.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.communicate()


@dataclass(frozen=True)
class Worker:
    """A process that writes all that isn't done."""

    forker: subprocess.Popen[str]
    pid: int

    @classmethod
    def start(
        cls, forker: subprocess.Popen[str], workspace: Workspace, version: str, file_size: int = 0
    ) -> Self:
        return cls(forker, _ask(forker, json.dumps([str(workspace.path), version, file_size])))

    def wait(self) -> int:
        """Return its exit code, once."""
        return _ask(self.forker, "")

    def message(self) -> str:
        """Return what it said when it failed."""
        assert self.forker.stderr is not None
        return self.forker.stderr.readline()


def _ask(forker: subprocess.Popen[str], line: str) -> int:
    assert forker.stdin is not None
    assert forker.stdout is not None
    forker.stdin.write(f"{line}\n")
    forker.stdin.flush()
    return int(forker.stdout.readline())


def _kill(process: Worker, workspace: Workspace, began: int, n_new: int, delay_s: float) -> None:
    """Kill it some time after it has written some shards; 0 is while it makes the store."""
    deadline = time.monotonic() + 60
    while _n_written_since(workspace, began) < n_new and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


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
    tmp_path: Path, forker: subprocess.Popen[str]
) -> None:
    undisturbed, killed = Workspace(tmp_path / "undisturbed"), Workspace(tmp_path / "killed")
    n_units = len(list(worker.units()))
    counts = []
    for version, kills in (("first", (0, 4)), ("second", (3,))):
        start = time.perf_counter()
        worker.run(undisturbed, version)
        unit_s = (time.perf_counter() - start) / n_units
        for n_new_shards in kills:
            began = time.time_ns()
            process = Worker.start(forker, killed, version)
            _kill(process, killed, began, n_new_shards, random.uniform(0, 2 * unit_s))
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
    """A disk of 1 MB; the other stands in where this user may not mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1000k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        yield limited_files
        return
    grow = partial(subprocess.run, ["mount", "-o", "remount,size=9m", tmp_path], check=True)
    yield SmallDisk(tmp_path, NO_LIMIT, grow, ("No space left", "disk is full"))
    subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize("kind", ["limited_files", "full_disk"])
def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(
    request: pytest.FixtureRequest, forker: subprocess.Popen[str], kind: str
) -> None:
    disk: SmallDisk = request.getfixturevalue(kind)
    workspace = Workspace(disk.folder / "run")
    process = Worker.start(forker, workspace, "first", disk.file_size)
    assert process.wait() == worker.FAILED
    message = process.message()
    assert str(workspace.path) in message
    assert any(cause in message for cause in disk.causes), message
    assert not list(workspace.cube.rglob("*.partial*"))

    disk.grow()
    assert _n_done(workspace) < len(list(worker.units()))
    assert worker.wrong_units(workspace, ("first",)) == []
    worker.run(workspace, "first")
    assert worker.wrong_units(workspace, ("first",)) == []
    assert _n_done(workspace) == len(list(worker.units()))
