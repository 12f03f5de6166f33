"""From a run's settings to its workers."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cvlarray.cluster.executor import Executor, ThreadExecutor
from cvlarray.config import ClusterConfig, Threads


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
        return
    from cvlarray.cluster.dask_workers import dask_executor  # noqa: PLC0415 (threads don't need it)

    with dask_executor(cluster) as workers:
        yield workers
