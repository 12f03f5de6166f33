"""What Dask's processes add to a build: the same tiles by worker processes and by threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks.cubes_scenes import scenes
from benchmarks.cubes_sides import LARGE, SIZE, aligned, fresh, units
from benchmarks.measure import Timer, compare
from benchmarks.registry import Measurement, measures
from cvlarray.cluster import executor
from cvlarray.cluster.executor import Executor, Task
from cvlarray.config import ClusterConfig, LocalCluster, Threads

PAIRS = 3


@measures("local_cluster_cpu")
def local_cluster_cpu() -> Measurement:
    """Two workers of one thread against two threads, each of which has built a cube before."""
    workers = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with warm(Threads(n_threads=2)) as in_threads, warm(workers) as in_workers:
        both = compare(in_workers, in_threads, pairs=PAIRS)
    ratio = 1 / both.ratio
    note = f"{both.note('a cube')}; scheduler, workers and client, which live already"
    return Measurement(ratio, "×", both.peer, ratio, note)


@contextmanager
def warm(cluster: ClusterConfig) -> Iterator[Timer]:
    """Start a cluster and build the small cube on it; yield what builds the large one."""
    with executor(cluster) as workers:
        build_on(workers, SIZE, tile_px=512)
        yield lambda: build_on(workers, LARGE, tile_px=1024)


def build_on(workers: Executor, size: tuple[int, int], tile_px: int) -> float:
    """Build a cube; return the CPU time of this process and its children."""
    work = units(fresh("cluster.zarr"), aligned(size), scenes(*size), tile_px=tile_px)
    before = cpu_seconds()
    futures = [workers.submit(unit, Task(f"ingest-{n}")) for n, unit in enumerate(work)]
    for future in futures:
        future.result()
    return cpu_seconds() - before


def cpu_seconds() -> float:
    """Return the CPU time so far of this process and of its children that live."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times)
