"""From a run's settings to its workers."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cvlarray.cluster.executor import Executor, ThreadExecutor
from cvlarray.config import ClusterConfig, Threads


@contextmanager
def executor(cluster: ClusterConfig, *, name: str = "cvlarray") -> Iterator[Executor]:
    """Start, or connect to, what ``cluster`` describes; stop what was started.

    Parameters
    ----------
    cluster
        The `cluster:` block of a run.
    name
        Of the region; Dask sums times by it.

    Raises
    ------
    ClusterError
        If the workers can't be had, or have other versions than this process.
    """
    if isinstance(cluster, Threads):
        n_threads = cluster.n_threads or os.cpu_count() or 1
        with concurrent.futures.ThreadPoolExecutor(n_threads, "cvlarray") as pool:
            yield ThreadExecutor(pool, n_threads)
        return
    from cvlarray.cluster.connect import connected  # noqa: PLC0415 (threads don't need it)

    with connected(cluster, name) as workers:
        yield workers
