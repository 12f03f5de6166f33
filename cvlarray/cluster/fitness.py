"""Workers that a run may use: the client's versions, and the client's disk under the same path."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import distributed

from cvlarray.cluster.versions import difference, installed, scheduler_difference
from cvlarray.errors import ClusterError
from cvlarray.store import write_atomic

logger = logging.getLogger(__name__)

MARK = ".workers"
"""File of a workspace by which its workers know it."""


@dataclass(frozen=True)
class Folder:
    """A folder and what a file in it says."""

    path: Path
    token: str

    def refusal(self) -> str | None:
        """Return why this process doesn't see it, None if it does."""
        try:
            found = (self.path / MARK).read_text(encoding="utf-8")
        except OSError as error:
            return str(error)
        return None if found == self.token else "another folder of that name"


@dataclass
class Fitness(distributed.WorkerPlugin):
    """Keeps a worker out that would spoil the run; also one that joins later."""

    versions: Mapping[str, str]
    """By package; see `installed`."""
    folder: Folder | None = None
    """Where the run writes; None before that is known."""
    name = "cvlarray-fitness"

    def setup(self, worker: distributed.Worker) -> None:
        """Check the worker; one that is just joining leaves again.

        Raises
        ------
        ClusterError
            If its packages differ, or it doesn't see the folder: what it writes would be lost.
        """
        refusal = self._refusal(worker.address)
        if refusal is None:
            return
        logger.error("%s", refusal)
        is_joining = not worker.periodic_callbacks["heartbeat"].is_running()
        if is_joining:
            # Dask lets a worker in although this fails; it gets no unit before it has left.
            worker.status = distributed.Status.paused
            worker.loop.add_callback(worker.close, reason="cvlarray-unfit")
        raise ClusterError(refusal)

    def _refusal(self, address: str) -> str | None:
        differs = difference(self.versions, installed())
        if differs:
            return _mixed(f"worker {address}", differs)
        reason = self.folder.refusal() if self.folder else None
        if self.folder is None or reason is None:
            return None
        return (
            f"worker {address} doesn't see the workspace {self.folder.path} ({reason}); put it on "
            "a file system that all machines have under the same path"
        )


def check_versions(client: distributed.Client) -> None:
    """Compare scheduler and workers with this process, now and whenever a worker joins.

    Raises
    ------
    ClusterError
        In one line: which machine has which package in another version.
    """
    differs = scheduler_difference(client)
    if differs:
        raise ClusterError(_mixed("the scheduler", differs))
    try:
        client.register_plugin(Fitness(installed()))
    except (ImportError, AttributeError) as error:
        raise ClusterError(_mixed("a worker", f"no or another cvlarray ({error})")) from error


def check_folder(client: distributed.Client, path: Path) -> None:
    """Let every worker look for the folder, now or when it joins.

    Raises
    ------
    ClusterError
        If one doesn't see it.
    StoreError
        If it can't be written.
    """
    folder = Folder(path, uuid.uuid4().hex)
    write_atomic(path / MARK, folder.token)
    client.register_plugin(Fitness(installed(), folder))


def forget_checks(client: distributed.Client) -> None:
    """Let workers join the scheduler again that only this run would keep out."""
    client.unregister_worker_plugin(Fitness.name)


def _mixed(who: str, differs: str) -> str:
    return (
        f"{who} has {differs}; install the same versions on all machines, as results of two "
        "versions must not mix"
    )
