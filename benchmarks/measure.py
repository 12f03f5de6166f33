"""How figures are taken: CPU time of two sides in turn, and the memory a process or a call needs.

Absolute times of a shared machine aren't stable; ratios of neighbours in time are. Both sides of a
comparison therefore run alternately, and the median of the pairwise ratios counts.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ONE_THREAD = {
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Environment of a worker that shall use one core."""

Timer = Callable[[], float]
"""Runs one side once and returns its CPU seconds a unit of work."""


@dataclass(frozen=True)
class Comparison:
    """Two sides measured in turn."""

    ours: float
    """Median [CPU-s a unit]."""
    peer: float
    """Median [CPU-s a unit]."""
    ratio: float
    """Median of the pairwise ratios peer / ours: how many times faster ours is."""
    spread: tuple[float, float]
    """Smallest and largest of these ratios."""
    pairs: int

    def note(self, per: str) -> str:
        """Return the comparison in one line."""
        low, high = self.spread
        return (
            f"ours {self.ours:.3g}, peer {self.peer:.3g} CPU-s {per}; "
            f"{self.pairs} pairs, {low:.3g}-{high:.3g}"
        )


def compare(ours: Timer, peer: Timer, *, pairs: int = 5) -> Comparison:
    """Run both sides in turn, the one that starts changing each time."""
    times: list[tuple[float, float]] = []
    for i in range(pairs):
        if i % 2:
            second, first = peer(), ours()
        else:
            first, second = ours(), peer()
        times.append((first, second))
    ratios = [b / a for a, b in times]
    return Comparison(
        ours=statistics.median(a for a, _ in times),
        peer=statistics.median(b for _, b in times),
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
        pairs=pairs,
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of a call, all threads of this process together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def wall_seconds(work: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Worker:
    """A process that prepares one side of a comparison once and then times it whenever asked.

    ``factory`` is ``module:function``; see `benchmarks.worker`. ``python`` may be the peers' own.
    """

    def __init__(
        self,
        factory: str,
        *,
        python: Path | str = sys.executable,
        env: Mapping[str, str] = ONE_THREAD,
    ) -> None:
        self.process = subprocess.Popen(
            [str(python), "-m", "benchmarks.worker", factory],
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.units = self._answer()["units"]

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def cpu_per_unit(self) -> float:
        """Run once; return CPU seconds a unit of work."""
        return self._run()["cpu_s"] / self.units

    def wall_per_unit(self) -> float:
        """Run once; return wall seconds a unit of work."""
        return self._run()["wall_s"] / self.units

    def _run(self) -> dict[str, float]:
        assert self.process.stdin
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.process.communicate()
            raise RuntimeError(f"the worker ended with exit code {self.process.returncode}")
        answer: dict[str, float] = json.loads(line)
        return answer


@dataclass(frozen=True)
class Usage:
    """What a command cost."""

    wall_s: float
    cpu_s: float
    """Of the command and all its children."""
    peak_rss_bytes: int
    """Of the largest process among the command and its children, not their sum."""


LAUNCHER = """
import json, os, resource, sys, time
start = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - start
with open(sys.argv[1], "w") as f:
    json.dump([wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024], f)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run_command(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Usage:
    """Run a command to its end and return what it cost.

    A child's peak memory starts at its parent's size, so a bare interpreter (10 MB) stands between.

    Raises
    ------
    RuntimeError
        If the command fails; the message ends with its output.
    """
    with tempfile.NamedTemporaryFile("r") as result:
        launch = [sys.executable, "-I", "-S", "-c", LAUNCHER, result.name, *command]
        done = subprocess.run(
            launch,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            tail = (done.stdout + done.stderr)[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {tail}")
        return Usage(*json.load(result))


def extra_memory_bytes(work: Callable[[], object]) -> int:
    """Return by how much the peak memory of this process rises during a call (Linux)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or the call would live in what was freed before it
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is resident now
    before = _peak_rss_bytes()
    kept = work()
    after = _peak_rss_bytes()
    del kept
    return after - before


def _peak_rss_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024
