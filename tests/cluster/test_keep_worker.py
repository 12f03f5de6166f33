"""The command that brings a worker back."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.cluster.processes import running_scheduler, wait_for_text

OPTIONS = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")


def test_a_worker_that_ends_comes_back_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with running_scheduler(tmp_path) as processes:
        log = processes.start("kept.log", "cvlarray.cli", "worker", processes.address, *OPTIONS)
        keeper = processes.started[-1]
        wait_for_text(log, "Registered to")
        (worker,) = psutil.Process(keeper.pid).children()
        worker.send_signal(signal.SIGKILL)
        wait_for_text(log, "worker ended with -9")
        assert log.read_text().count("Registered to") == 1
        said = log.read_text()
        log.write_text("")
        wait_for_text(log, "Registered to")
        assert "again in 1 s" in said
        keeper.terminate()
        assert keeper.wait(30) == 0
        assert not worker.is_running()


def test_gives_up_when_no_scheduler_is_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cvlarray.cluster.keep_worker", "tcp://127.0.0.1:1"]
    done = subprocess.run(
        [*command, *OPTIONS, "--death-timeout", "1", "--give-up-after", "1"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no scheduler for" in done.stderr
