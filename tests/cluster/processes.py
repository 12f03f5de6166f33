"""A scheduler and workers as processes of their own, as people start them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.slurm_server import free_ports


@dataclass
class Processes:
    """A scheduler on the loopback, and what was started beside it."""

    folder: Path
    address: str
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, log: str, *words: str, env: Mapping[str, str] | None = None) -> Path:
        """Start a Python module; return the file with what it says."""
        path = self.folder / log
        with path.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                env={**os.environ, **(env or {})},
                stdout=output,
                stderr=output,
            )
        self.started.append(process)
        return path

    def worker(self, name: str, *, env: Mapping[str, str] | None = None) -> Path:
        """Start a worker; return its log."""
        options = ("--name", name, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
        return self.start(f"{name}.log", "dask", "worker", self.address, *options, env=env)


@contextmanager
def running_scheduler(folder: Path) -> Iterator[Processes]:
    """Start a scheduler; stop it and all that was started beside it."""
    (port,) = free_ports(1)
    made = Processes(folder, f"tcp://127.0.0.1:{port}")
    options = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    made.start("scheduler.log", "dask", "scheduler", *options)
    try:
        yield made
    finally:
        for process in reversed(made.started):
            process.terminate()
        for process in reversed(made.started):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_text(path: Path, text: str, timeout_s: float = 60) -> str:
    """Return what a log says once it says ``text``."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = path.read_text() if path.exists() else ""
        if text in found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{path.name} doesn't say {text!r}: {found[-2000:]}")
