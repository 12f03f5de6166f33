"""Machines of a small network: a network and a mount namespace each, on one bridge."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PORT = 8786
N_WORKERS = 3
NETWORKS = itertools.count()


def lacking() -> str | None:
    """Return what this machine lacks for namespaces, None if it has it all."""
    if os.geteuid() != 0:
        return "root"
    if not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return "iproute2 and util-linux"
    tried = subprocess.run(["unshare", "-nm", "true"], check=False, capture_output=True)
    return "namespaces" if tried.returncode else None


@dataclass
class Host:
    """A machine with one process of ours."""

    namespace: str
    address: str
    device: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start its process."""
        inside = [
            "ip",
            "netns",
            "exec",
            self.namespace,
            "unshare",
            "-m",
            "--propagation",
            "private",
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*inside, *self.command], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def processes(self) -> list[psutil.Process]:
        """Return its process and all below, the eldest first."""
        if self.process is None:
            return []
        try:
            eldest = psutil.Process(self.process.pid)
            return [eldest, *eldest.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self, *, keeper_too: bool) -> None:
        """Send SIGKILL to all at once, or to all but the process that brings them back."""
        for process in self.processes()[0 if keeper_too else 1 :]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)

    def link(self, *, is_up: bool) -> None:
        """Plug or unplug its cable."""
        ip("-n", self.namespace, "link", "set", self.device, "up" if is_up else "down")

    def fill_disk(self, folder: Path) -> None:
        """Put a disk without room in place of a folder, for this machine alone."""
        youngest = self.processes()[-1]
        script = (
            f"mount -t tmpfs -o size=16k tmpfs {folder} && "
            f"head -c 16k /dev/zero > {folder}/.full 2>/dev/null; df --output=avail {folder}"
        )
        inside = ["nsenter", "-t", str(youngest.pid), "-m", "sh", "-c", script]
        subprocess.run(inside, check=True, capture_output=True)

    def stop(self) -> None:
        """End all its processes."""
        self.kill(keeper_too=True)
        if self.process:
            self.process.wait()


@dataclass
class Network:
    """A scheduler and workers, which log what they do of the units."""

    folder: Path
    name: str
    scheduler: Host
    workers: list[Host]
    helpers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"tcp://{self.scheduler.address}:{PORT}"

    @property
    def executed(self) -> list[tuple[str, str, str]]:
        """Return what began and ended where: worker, unit, and began or ended."""
        lines = [
            line.split()
            for path in sorted(self.folder.glob("*.units"))
            for line in path.read_text().splitlines()
        ]
        return [(worker, unit, what) for worker, unit, what in lines]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def network(folder: Path, *, slow: tuple[float, float] | None = None) -> Iterator[Network]:
    """Start a scheduler and three workers on machines of their own; stop and remove all afterwards.

    Parameters
    ----------
    folder
        For logs and scratch.
    slow
        Delay each way [s] and loss of the last worker's link.
    """
    # The kernel takes its time to forget the names of a network that is gone.
    number = (100 * os.getpid() + next(NETWORKS)) % 100_000
    name = f"cv{number}"
    subnet = f"10.{64 + number // 256 % 64}.{number % 256}"
    ip("link", "add", name, "type", "bridge")
    made = Network(folder, name, _scheduler(folder, name, subnet), [])
    try:
        ip("addr", "add", f"{subnet}.254/24", "dev", name)
        ip("link", "set", name, "up")
        for index in range(1, N_WORKERS + 1):
            made.workers.append(_worker(folder, name, subnet, index, made.address))
        for host in (made.scheduler, *made.workers):
            ip("netns", "add", host.namespace)
            ip("-n", host.namespace, "link", "set", "lo", "up")
            if slow and host is made.workers[-1]:
                made.helpers.append(_wire(name, host, *slow))
            else:
                _cable(name, host)
            host.start()
        yield made
    finally:
        _remove(made)


def _cable(bridge: str, host: Host) -> None:
    outer = f"{host.namespace}o"
    ip("link", "add", outer, "type", "veth", "peer", "name", host.device,
       "netns", host.namespace)  # fmt: skip
    ip("link", "set", outer, "master", bridge, "up")
    ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", host.device)
    ip("-n", host.namespace, "link", "set", host.device, "up")


def _wire(bridge: str, host: Host, delay_s: float, loss: float) -> subprocess.Popen[bytes]:
    words = [bridge, host.namespace, f"{host.address}/24", str(delay_s), str(loss)]
    wire = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.wire", *words], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert wire.stdout
    assert wire.stdout.readline() == b"carries\n"
    host.device = f"{bridge}t1"
    return wire


def _scheduler(folder: Path, name: str, subnet: str) -> Host:
    address = f"{subnet}.1"
    command = [sys.executable, "-m", "dask", "scheduler", "--host", address, "--port", str(PORT),
               "--no-dashboard"]  # fmt: skip
    return Host(f"{name}s", address, "eth0", command, folder / "scheduler.log")


def _worker(folder: Path, name: str, subnet: str, index: int, scheduler: str) -> Host:
    address, scratch = f"{subnet}.{index + 1}", folder / f"scratch{index}"
    scratch.mkdir()
    command = [
        *(sys.executable, "-m", "cvlarray.cluster.keep_worker", scheduler),
        *("--name", f"worker{index}", "--nthreads", "1", "--memory-limit", "1.5GiB"),
        *("--host", address, "--no-dashboard", "--local-directory", str(scratch)),
        *("--preload", "tests.cluster.count_units"),
    ]
    host = Host(f"{name}w{index}", address, "eth0", command, folder / f"worker{index}.log")
    host.command = ["env", f"UNITS_LOG={folder / f'worker{index}.units'}", *command]
    return host


def _remove(made: Network) -> None:
    for host in (*made.workers, made.scheduler):
        host.stop()
    for helper in made.helpers:
        helper.kill()
        helper.communicate()
    for host in (made.scheduler, *made.workers):
        with suppress(subprocess.CalledProcessError):
            ip("netns", "del", host.namespace)
    time.sleep(0.2)
    with suppress(subprocess.CalledProcessError):
        ip("link", "del", made.name)
