"""Runs over machines of a network, one of which fails midway: how they end, and what was lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cvlarray.pipeline import Stage
from cvlarray.store import Ledger, Workspace
from tests.cluster.hosts import Network, network
from tests.cluster.workspaces import (
    TIMEOUT_S,
    different_files,
    n_different_bytes,
    start,
    write_config,
)

N_BEFORE_FAULT = 12
"""Units done before anything fails."""
CUT_S = 60
SLOW_LINK = 0.1, 0.01
"""Delay each way [s] and loss."""
RESTART_S = 3
"""How soon systemd has a scheduler back."""


TILED = tuple(f"{stage}-" for stage in Stage if stage.is_tiled)


@dataclass
class Outcome:
    """What became of a run."""

    fault: str
    wall_s: float
    """From the first start to the end of the last."""
    n_starts: int
    """How often the command was given."""
    messages: list[str] = field(default_factory=list)
    """The last line of each start."""
    different: list[str] = field(default_factory=list)
    """Files that differ from an undisturbed run's."""
    n_different_bytes: int = 0
    """Of those files."""
    n_lost: int = 0
    """Units done again that the fault took: under way on its machine, or not yet recorded."""
    n_repeated: int = 0
    """Units done again without a reason."""


Fault = Callable[[Network, Path], None]


def nothing(net: Network, workspace: Path) -> None:
    """Leave all as it is."""


def kill_worker(net: Network, workspace: Path) -> None:
    """Kill a worker and its nanny while it has a unit; the keeper lives."""
    net.workers[0].kill(keeper_too=False)


def kill_scheduler(net: Network, workspace: Path) -> None:
    """Kill the scheduler; it is back after a moment, as under systemd, and knows nothing."""
    net.scheduler.stop()
    time.sleep(RESTART_S)
    net.scheduler.start()


def cut_link(net: Network, workspace: Path) -> None:
    """Pull a worker's cable for a minute."""
    net.workers[0].link(is_up=False)
    time.sleep(CUT_S)
    net.workers[0].link(is_up=True)


def fill_disk(net: Network, workspace: Path) -> None:
    """Let one worker find no room where it writes."""
    folder = workspace / "cube.zarr/nir/c"
    folder.mkdir(parents=True, exist_ok=True)
    net.workers[0].fill_disk(folder)


FAULTS: dict[str, Fault] = {
    "none": nothing,
    "kill -9 of a worker": kill_worker,
    "kill -9 of the scheduler": kill_scheduler,
    "link cut for 60 s": cut_link,
    "slow link, 100 ms and 1 %": nothing,
    "full disk on a worker": fill_disk,
}
"""What may happen midway, by name."""


def run_with(fault: str, folder: Path, source: Path, undisturbed: Path) -> Outcome:
    """Run with a fault midway, and once more if the first run doesn't end well."""
    folder.mkdir(exist_ok=True)
    slow = SLOW_LINK if fault.startswith("slow") else None
    with network(folder, slow=slow) as net:
        block = {"kind": "scheduler", "address": net.address, "connect_timeout_s": 120}
        config = write_config(folder, source, "run", block)
        workspace = folder / "run"
        with _all_workers(net):
            began = time.perf_counter()
            run = start(config)
            recorded = _wait_midway(workspace, run)
            at_fault = set(net.executed)
            FAULTS[fault](net, workspace)
            output, _ = run.communicate(timeout=TIMEOUT_S)
            outcome = Outcome(fault, 0, 1, [last_line(output)])
            if run.returncode:
                recorded = units_done(workspace)
                at_fault = set(net.executed)
                run = start(config)
                output, _ = run.communicate(timeout=TIMEOUT_S)
                assert run.returncode == 0, output
                outcome.n_starts = 2
                outcome.messages.append(last_line(output))
            outcome.wall_s = time.perf_counter() - began
        outcome.different = different_files(undisturbed, workspace)
        outcome.n_different_bytes = n_different_bytes(undisturbed, workspace)
        outcome.n_lost, outcome.n_repeated = _repeated(net, at_fault, recorded, outcome.n_starts)
        return outcome


def _wait_midway(workspace: Path, run: object) -> set[str]:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        done = units_done(workspace)
        if len(done) >= N_BEFORE_FAULT:
            return done
        time.sleep(0.05)
    raise TimeoutError("the run doesn't get midway")


def units_done(workspace: Path) -> set[str]:
    """Return the tiled units that the ledger knows, named as Dask's keys begin."""
    path = Workspace(workspace).ledger
    if not path.exists():
        return set()
    with Ledger(path) as ledger:
        return {f"{row.stage}-{row.unit}-{row.input_hash[:12]}" for row in ledger.rows()}


def last_line(output: str) -> str:
    """Return the last line that a run printed."""
    return output.strip().splitlines()[-1] if output.strip() else ""


@contextmanager
def _all_workers(net: Network) -> Iterator[None]:
    import distributed  # noqa: PLC0415

    with distributed.Client(net.address, timeout=60) as client:
        client.wait_for_workers(len(net.workers), timeout=120)
    yield


def _repeated(
    net: Network, at_fault: set[tuple[str, str, str]], recorded: set[str], n_starts: int
) -> tuple[int, int]:
    """Return how many units began twice: those the fault took, and the others."""
    begun: dict[str, list[str]] = {}
    for worker, unit, what in net.executed:
        # What is computed for pictures and the report is nobody's unit.
        if what == "began" and unit.startswith(TILED):
            begun.setdefault(unit, []).append(worker)
    again = {unit for unit, workers in begun.items() if len(workers) > 1}
    # Lost is what the failed machine had; with the scheduler, all that wasn't recorded.
    failed = {"worker1"} if n_starts == 1 else {worker for worker, _, _ in at_fault}
    lost = {unit for unit in again if failed & set(begun[unit]) and unit not in recorded}
    return len(lost), len(again - lost)


def table(outcomes: list[Outcome]) -> str:
    """Return what the faults cost, as text."""
    undisturbed = next(one.wall_s for one in outcomes if one.fault == "none")
    lines = [
        f"{'fault':28}{'starts':>7}{'time':>8}{'lost':>8}{'units lost':>12}{'repeated':>10}"
        f"{'files that differ':>19}"
    ]
    lines += [
        f"{one.fault:28}{one.n_starts:7d}{one.wall_s:6.0f} s{one.wall_s - undisturbed:6.0f} s"
        f"{one.n_lost:12d}{one.n_repeated:10d}{len(one.different):19d}"
        for one in outcomes
    ]
    return "\n".join(lines)
