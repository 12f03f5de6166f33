"""Workers of a Dask cluster: one that is started here, or one that runs elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import distributed

from cvlarray.cluster.executor import Future
from cvlarray.config import LocalCluster, SchedulerAddress
from cvlarray.errors import CvlarrayError


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
def dask_executor(cluster: LocalCluster | SchedulerAddress) -> Iterator[DaskExecutor]:
    """Start a cluster, or connect to one; stop what was started.

    Raises
    ------
    CvlarrayError
        If the scheduler can't be reached.
    """
    if isinstance(cluster, LocalCluster):
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
