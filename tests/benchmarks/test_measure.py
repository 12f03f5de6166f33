"""The measuring tools against known costs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.measure import Worker, compare, cpu_seconds, extra_memory_bytes, run_command

MB = 1_000_000


def scripted(values: list[float], log: list[str], name: str) -> Callable[[], float]:
    """Return a timer that reads its figures from a list and logs when it was called."""
    figures = iter(values)

    def timer() -> float:
        log.append(name)
        return next(figures)

    return timer


def test_compare_takes_turns_and_pairs_neighbours() -> None:
    log: list[str] = []
    ours, peer = scripted([1, 2, 10], log, "ours"), scripted([3, 8, 20], log, "peer")
    comparison = compare(ours, peer, pairs=3)
    assert log == ["ours", "peer", "peer", "ours", "ours", "peer"]
    assert comparison.ratio == 3.0  # of 3, 4 and 2
    assert comparison.spread == (2.0, 4.0)
    assert (comparison.ours, comparison.peer) == (2, 8)


def test_cpu_seconds_counts_work_and_not_waiting() -> None:
    assert cpu_seconds(lambda: time.sleep(0.2)) < 0.1

    def spin() -> None:
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass

    assert 0.2 <= cpu_seconds(spin) < 0.5


def test_extra_memory_sees_what_is_freed_again() -> None:
    def work() -> None:
        np.ones(200 * MB, np.uint8)

    assert 195 * MB < extra_memory_bytes(work) < 230 * MB
    assert extra_memory_bytes(lambda: None) < 5 * MB


def test_run_command_measures_the_child_alone() -> None:
    ballast = np.ones(300 * MB, np.uint8)  # of this process, which isn't asked about
    code = "x = bytearray(80_000_000)\nfor i in range(3_000_000): pass"
    usage = run_command([sys.executable, "-c", code])
    assert 80 * MB < usage.peak_rss_bytes < 140 * MB
    assert 0.02 < usage.cpu_s < 10
    assert usage.wall_s > 0.02
    assert ballast.any()


def test_run_command_says_why_a_command_failed() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3: .*no such run"):
        run_command([sys.executable, "-c", "import sys; print('no such run'); sys.exit(3)"])


def test_worker_prepares_once_and_times_each_run() -> None:
    with Worker("tests.benchmarks.sides:spin_100_ms") as worker:
        assert worker.units == 2
        times = [worker.cpu_per_unit() for _ in range(2)]
    assert all(0.05 <= seconds < 0.1 for seconds in times)


def test_worker_that_dies_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ended with exit code 1"):
        Worker("tests.benchmarks.sides:broken")
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_peers_environment_is_made_once_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str]) -> None:
        commands.append(command)
        (tmp_path / "peers").mkdir(exist_ok=True)

    requirements = tmp_path / "peers.txt"
    requirements.write_text("nrt==0.3.0")
    monkeypatch.setattr(peers, "_run", run)
    monkeypatch.setattr(peers, "ENVIRONMENT", tmp_path / "peers")
    monkeypatch.setattr(peers, "REQUIREMENTS", requirements)
    assert peers.peers_python() == tmp_path / "peers" / "bin" / "python"
    made = len(commands)
    assert made == 2
    peers.peers_python()
    assert len(commands) == made
    requirements.write_text("nrt==0.3.1")
    peers.peers_python()
    assert len(commands) == 2 * made
