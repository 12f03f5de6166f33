"""Units on the workers of a Dask cluster, wherever it runs; machines may fail."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import distributed
from dask.base import annotate, get_annotations
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from cvlarray.cluster.executor import Future, Task
from cvlarray.cluster.fitness import check_folder
from cvlarray.cluster.machine_faults import MachineFault, Watched
from cvlarray.cluster.preparation import Preparation
from cvlarray.errors import ClusterError

logger = logging.getLogger(__name__)

GPU = "GPU"
"""Dask's resource that workers with a GPU offer: one unit at a time."""
MAX_MACHINES = 2
"""Machines that may refuse a unit before it is taken for the unit's own fault."""
CHECK_EVERY_S = 10.0
NO_WORKER_S = 600.0
"""How long a run waits for a worker once it has lost them all."""


@dataclass(eq=False)
class DaskFuture:
    """A unit under way; it may move from a machine that failed to another."""

    work: Callable[[], Any]
    task: Task
    future: distributed.Future[Any]
    allowed: frozenset[str] | None = None
    """Addresses of the workers that may do it; None: any."""
    faults: list[MachineFault] = field(default_factory=list)
    """What machines refused."""
    has_ended: bool = False
    value: Any = None
    error: Exception | None = None
    """Once it has ended: what it returned, or raised."""

    def result(self) -> Any:
        """Return what the unit returned, or raise what it raised.

        Raises
        ------
        ClusterError
            If the scheduler was lost, or the unit took several workers with it.
        """
        if not self.has_ended:
            self.collect()
        if self.error:
            raise self.error
        return self.value

    def collect(self) -> None:
        """Wait for the end, take the result, and let Dask forget it.

        Dask would do a unit again whose result it is asked to keep, should the worker end that has
        it: also one that the ledger knows by then.
        """
        try:
            self.value = self.future.result()
        except (distributed.CancelledError, CommClosedError) as error:
            self.error = ClusterError(
                "the Dask scheduler was lost; start it and run again: what is done stays done"
            )
            self.error.__cause__ = error
        except KilledWorker as error:
            self.error = ClusterError(
                f"{error.allowed_failures + 1} workers in turn ended while they did it, the last "
                f"at {error.last_worker.address}; give workers more memory, or use smaller tiles"
            )
            self.error.__cause__ = error
        except Exception as error:  # noqa: BLE001 (raised again by result())
            self.error = error
        if isinstance(self.value, MachineFault):
            self.faults.append(self.value)
            self.error = self.value.error
        self.has_ended = True
        self.future.release()


@dataclass
class DaskExecutor:
    """Workers of a Dask cluster."""

    client: distributed.Client
    name: str = "cvlarray"
    """Of the region, for the spans."""
    left_out: set[str] = field(default_factory=set)
    """Addresses of workers whose machine failed."""
    spans: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    """Dask's annotations, by what they sum."""
    prepared: set[str] = field(default_factory=set)
    """Names of what workers do when they join."""

    @property
    def n_slots(self) -> int:
        """Threads over all workers, at least one while workers are still joining."""
        return max(1, int(sum(self.client.nthreads().values())))

    @property
    def dashboard_link(self) -> str | None:
        """Address of the dashboard."""
        return self.client.dashboard_link or None

    def submit(self, work: Callable[[], Any], task: Task) -> Future:
        """Start ``work`` on a worker; a unit whose worker dies is started again elsewhere."""
        allowed = self._healthy() if self.left_out else None
        return DaskFuture(work, task, self._start(work, task, allowed), allowed)

    def wait_any(self, futures: Sequence[Any]) -> list[Future]:
        """Block until at least one has ended, here or on the second machine that tried.

        Raises
        ------
        ClusterError
            If there has been no worker for ten minutes, or none with a GPU for a unit.
        """
        seen = time.monotonic()
        while True:
            ended = [unit for unit in self._wait(futures) if not self._moved(unit)]
            if ended:
                return list(ended)
            workers = self._workers()
            lacking = self._lacking(futures, workers)
            if lacking is None:
                seen = time.monotonic()
                self._rescue(futures, workers)
            elif time.monotonic() - seen > NO_WORKER_S:
                raise ClusterError(
                    f"no worker{lacking} has been there for {NO_WORKER_S:.0f} s; start some and "
                    "run again: what is done stays done"
                )

    @contextmanager
    def recorded(self, path: Path) -> Iterator[None]:
        """Keep Dask's performance report of the block; it opens without a network."""
        path.parent.mkdir(parents=True, exist_ok=True)
        report = distributed.performance_report(str(path), mode="inline")
        report.__enter__()
        try:
            yield
        finally:
            try:
                report.__exit__(None, None, None)
            except Exception as error:  # noqa: BLE001 (a lost scheduler has nothing to tell)
                logger.warning("no performance report: %s", error)

    def share(self, folder: Path) -> None:
        """Check that every worker, also one that joins later, sees this folder.

        Raises
        ------
        ClusterError
            If one doesn't: what it writes would be lost.
        """
        check_folder(self.client, folder)

    def prepare(self, work: Callable[[], object], task: Task) -> None:
        """Let every worker, also one that joins later, do ``work`` once.

        Raises
        ------
        CvlarrayError
            If a worker can't; what it says names the cause.
        """
        preparation = Preparation(work, f"cvlarray-{task.key}", GPU if task.needs_gpu else None)
        self.prepared.add(preparation.name)
        self.client.register_plugin(preparation)

    def forget_prepared(self) -> None:
        """Let workers join the scheduler after this run without doing what it asked for."""
        for name in self.prepared:
            self.client.unregister_worker_plugin(name)

    def _start(
        self, work: Callable[[], Any], task: Task, allowed: frozenset[str] | None
    ) -> distributed.Future[Any]:
        # A scheduler that outlives this run must not answer with another run's result.
        key = f"{task.key}-{uuid.uuid4().hex[:8]}"
        resources = {GPU: 1} if task.needs_gpu else None
        with annotate(span=self._span((self.name, *task.spans))):
            return self.client.submit(
                Watched(work),
                key=key,
                pure=False,
                workers=sorted(allowed) if allowed else None,
                resources=resources,
            )

    def _span(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return the annotation of a span, one for all its units: the scheduler keeps each."""
        if names not in self.spans:
            outer = {"span": self._span(names[:-1])} if names[1:] else {}
            with annotate(**outer), distributed.span(names[-1]):
                self.spans[names] = get_annotations()["span"]
        return self.spans[names]

    def _wait(self, futures: Sequence[DaskFuture]) -> list[DaskFuture]:
        """Wait a while; return the units that have ended, now or by an earlier call."""
        known = [unit for unit in futures if unit.has_ended]
        if known:
            return known
        # What was cancelled has ended, and says so when asked for its result.
        with suppress(TimeoutError, distributed.CancelledError):
            distributed.wait(
                [unit.future for unit in futures],
                timeout=CHECK_EVERY_S,
                return_when="FIRST_COMPLETED",
            )
        ended = [unit for unit in futures if unit.future.done()]
        for unit in ended:
            unit.collect()
        return ended

    def _moved(self, unit: DaskFuture) -> bool:
        """Return whether the unit met a machine's fault and another machine tries it."""
        value = unit.value
        if not isinstance(value, MachineFault):
            return False
        if value.worker not in self.left_out:
            logger.warning("worker %s is left out from now on: %s", value.worker, value.error)
            self.left_out.add(value.worker)
        others = self._healthy()
        if not others or len(unit.faults) >= MAX_MACHINES:
            return False
        self._restart(unit, others)
        return True

    def _rescue(self, futures: Sequence[DaskFuture], workers: frozenset[str]) -> None:
        """Start units again that wait for workers that are gone."""
        for unit in futures:
            if unit.allowed and not unit.allowed & workers:
                self._restart(unit, self._healthy() or workers)

    def _lacking(self, futures: Sequence[DaskFuture], workers: frozenset[str]) -> str | None:
        """Return what kind of worker is missing altogether, None if there is one for every unit."""
        if not workers:
            return ""
        if not any(unit.task.needs_gpu for unit in futures):
            return None
        known = self.client.scheduler_info(n_workers=-1)["workers"].values()
        has_gpu = any(worker["resources"].get(GPU) for worker in known)
        return None if has_gpu else f" with a GPU (dask worker --resources {GPU}=1)"

    def _restart(self, unit: DaskFuture, allowed: frozenset[str]) -> None:
        unit.allowed, unit.has_ended, unit.value, unit.error = allowed, False, None, None
        unit.future = self._start(unit.work, unit.task, allowed)

    def _healthy(self) -> frozenset[str]:
        return self._workers() - self.left_out

    def _workers(self) -> frozenset[str]:
        return frozenset(self.client.nthreads())
