"""Where work units run: threads of this process, a local Dask cluster, or a scheduler elsewhere."""

from __future__ import annotations

import concurrent.futures
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import distributed

from cvlarray.config import ClusterConfig, LocalCluster, SchedulerAddress, Threads
from cvlarray.errors import CvlarrayError


class Future(Protocol):
    """A unit under way, as concurrent.futures and Dask have it."""

    def result(self) -> Any:
        """Return what the unit returned, or raise what it raised."""


class Executor(Protocol):
    """What the pipeline needs of a cluster."""

    @property
    def n_slots(self) -> int:
        """Units that run at the same time."""

    @property
    def dashboard_link(self) -> str | None:
        """Address of the Dask dashboard, None without one."""

    def submit(self, work: Callable[[], Any], *, key: str) -> Future:
        """Start ``work``; ``key`` names it on the dashboard, up to its first dash."""

    def wait_any(self, futures: Sequence[Future]) -> list[Future]:
        """Block until at least one of ``futures`` has ended; return those that have."""


@dataclass
class InlineExecutor:
    """The calling thread: for stages that are one unit."""

    n_slots: int = 1
    dashboard_link: str | None = None

    def submit(self, work: Callable[[], Any], *, key: str) -> Future:  # noqa: ARG002 (protocol)
        """Do ``work`` at once."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 (raised again by result())
            future.set_exception(error)
        return future

    def wait_any(self, futures: Sequence[Future]) -> list[Future]:
        """Return all: they have ended."""
        return list(futures)


@dataclass
class ThreadExecutor:
    """Threads of this process: no dashboard, nothing to start, nothing to lose."""

    pool: concurrent.futures.ThreadPoolExecutor
    n_slots: int
    dashboard_link: str | None = None

    def submit(self, work: Callable[[], Any], *, key: str) -> Future:  # noqa: ARG002 (protocol)
        """Start ``work`` in a thread."""
        return self.pool.submit(work)

    def wait_any(self, futures: Sequence[Any]) -> list[Future]:
        """Block until at least one has ended."""
        done, _ = concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED)
        return [future for future in futures if future in done]


@dataclass
class DaskExecutor:
    """Workers of a Dask cluster."""

    client: distributed.Client

    @property
    def n_slots(self) -> int:
        """Threads over all workers, at least one while workers are still joining."""
        return max(1, int(sum(self.client.nthreads().values())))

    @property
    def dashboard_link(self) -> str | None:
        """Address of the dashboard."""
        return self.client.dashboard_link or None

    def submit(self, work: Callable[[], Any], *, key: str) -> Future:
        """Start ``work`` on a worker; a unit whose worker dies is started again elsewhere."""
        # A scheduler that outlives this run must not answer with another run's result.
        future: Future = self.client.submit(work, key=f"{key}-{uuid.uuid4().hex[:8]}", pure=False)
        return future

    def wait_any(self, futures: Sequence[Future]) -> list[Future]:
        """Block until at least one has ended."""
        done = distributed.wait(list(futures), return_when="FIRST_COMPLETED").done
        return [future for future in futures if future in done]


@contextmanager
def executor(cluster: ClusterConfig) -> Iterator[Executor]:
    """Start, or connect to, what ``cluster`` describes; stop what was started.

    Raises
    ------
    CvlarrayError
        If the scheduler can't be reached.
    """
    if isinstance(cluster, Threads):
        n_threads = cluster.n_threads or os.cpu_count() or 1
        with concurrent.futures.ThreadPoolExecutor(n_threads, "cvlarray") as pool:
            yield ThreadExecutor(pool, n_threads)
    elif isinstance(cluster, LocalCluster):
        with _local(cluster) as local, distributed.Client(local) as client:
            yield DaskExecutor(client)
    else:
        with _connect(cluster) as client:
            yield DaskExecutor(client)


def _local(cluster: LocalCluster) -> distributed.LocalCluster:
    return distributed.LocalCluster(
        n_workers=cluster.n_workers,
        threads_per_worker=cluster.threads_per_worker,
        memory_limit=cluster.memory_limit or "auto",
        # The scheduler serves its health page at this address even without a dashboard.
        dashboard_address=cluster.dashboard_address or ":0",
        scheduler_kwargs={"dashboard": cluster.dashboard_address is not None},
    )


def _connect(cluster: SchedulerAddress) -> distributed.Client:
    try:
        return distributed.Client(cluster.address, timeout=cluster.connect_timeout_s)
    except OSError as error:
        raise CvlarrayError(
            f"no Dask scheduler answers at {cluster.address} within "
            f"{cluster.connect_timeout_s:g} s; start one with `dask scheduler`, or use "
            f"--cluster local"
        ) from error
