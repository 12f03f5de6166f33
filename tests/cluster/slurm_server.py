"""A real Slurm of two nodes on this machine: munged, slurmctld and two slurmd, in one folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch")
INSTALL = "apt-get install -y --no-install-recommends slurm-wlm munge"
NODES = ("node1", "node2")
CAPABILITIES = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}
"""Number of each in linux/capability.h."""
CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=2
InactiveLimit=0
KillWait=5
NodeName={nodes[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=8000
NodeName={nodes[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=8000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing_tools() -> list[str]:
    """Return what of Slurm isn't installed."""
    return [
        tool for tool in TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]


def missing_rights() -> list[str]:
    """Return what a container may lack of what Slurm's daemons need to start jobs."""
    if os.geteuid() != 0:
        return ["root"]
    held = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
    return [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]


def free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@dataclass
class Slurm:
    """A running Slurm."""

    folder: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which Slurm's commands find it."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def command(self, *words: str) -> str:
        """Run one of Slurm's commands; return what it prints."""
        done = subprocess.run(
            words,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def running_jobs(self) -> list[str]:
        """Return the numbers of the jobs that run."""
        return self.command("squeue", "--noheader", "--states=RUNNING", "--format=%i").split()

    def idle_nodes(self) -> int:
        return self.command("sinfo", "--noheader", "--Node", "--format=%T").split().count("idle")


@contextmanager
def running_slurm(folder: Path) -> Iterator[Slurm]:
    """Start Slurm, wait until both nodes are idle, and stop all of it afterwards."""
    slurm = Slurm(folder)
    for name in ("munge", "state", *(f"spool.{node}" for node in NODES)):
        (folder / name).mkdir(mode=0o755)
    text = CONFIG.format(host=socket.gethostname(), folder=folder, ports=free_ports(3), nodes=NODES)
    (folder / "slurm.conf").write_text(text)
    key = folder / "munge/key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    try:
        _start(slurm, *_munged(folder / "munge"))
        _wait_for((folder / "munge/socket").exists, slurm, "munged")
        _start(slurm, "slurmctld", "-D", "-i")
        for node in NODES:
            _start(slurm, "slurmd", "-D", "-N", node)
        _wait_for(lambda: slurm.idle_nodes() == len(NODES), slurm, "slurmd")
        yield slurm
    finally:
        _stop(slurm)


def _munged(folder: Path) -> list[str]:
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log",
             "seed-file": "seed"}  # fmt: skip
    return [
        "munged",
        "--foreground",
        "--force",
        *(f"--{option}={folder / name}" for option, name in files.items()),
    ]


def _start(slurm: Slurm, *words: str) -> None:
    log = (slurm.folder / f"{words[0]}.{len(slurm.daemons)}.out").open("wb")
    environment = {**os.environ, **slurm.environment}
    environment["PATH"] += ":/usr/sbin"
    slurm.daemons.append(
        subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)
    )
    log.close()


def _wait_for(is_ready: object, slurm: Slurm, what: str, timeout_s: float = 120) -> None:
    assert callable(is_ready)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if is_ready():
                return
        except subprocess.CalledProcessError:
            pass
        time.sleep(0.5)
    logs = "\n".join(
        f"{path.name}: {path.read_text()[-1500:]}" for path in slurm.folder.glob("*.[lo][ou][gt]")
    )
    raise RuntimeError(f"{what} doesn't come up: {logs}")


def _stop(slurm: Slurm) -> None:
    for daemon in reversed(slurm.daemons):
        daemon.send_signal(signal.SIGTERM)
    for daemon in reversed(slurm.daemons):
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
