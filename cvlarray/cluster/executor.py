"""What a run needs of workers, and the two kinds that this process has itself."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import dask


class Future(Protocol):
    """A unit under way, as concurrent.futures and Dask have it."""

    def result(self) -> Any:
        """Return what the unit returned, or raise what it raised."""


@dataclass(frozen=True)
class Task:
    """How a unit shows on the dashboard, and what it needs."""

    key: str
    """Its name; Dask takes what precedes the first dash as its kind."""
    spans: tuple[str, ...] = ()
    """What its time is summed by, the widest first: region, stage, year."""
    needs_gpu: bool = False
    """Only a worker with the resource GPU may do it."""


class Executor(Protocol):
    """What the pipeline needs of a cluster."""

    @property
    def n_slots(self) -> int:
        """Units that run at the same time."""

    @property
    def dashboard_link(self) -> str | None:
        """Address of the Dask dashboard, None without one."""

    def submit(self, work: Callable[[], Any], task: Task) -> Future:
        """Start ``work``."""

    def wait_any(self, futures: Sequence[Future]) -> list[Future]:
        """Block until at least one of ``futures`` has ended; return those that have."""

    def recorded(self, path: Path) -> AbstractContextManager[None]:
        """Keep what Dask saw of the block as an HTML page; nothing without Dask."""

    def share(self, folder: Path) -> None:
        """Check that every worker, also one that joins later, sees this folder."""

    def prepare(self, work: Callable[[], object], task: Task) -> None:
        """Let every process that will do units of ``task``'s kind do ``work`` once before."""


class _ThisProcess:
    """What needs no preparation where work is done in the process that asks for it."""

    def recorded(self, path: Path) -> AbstractContextManager[None]:  # noqa: ARG002 (protocol)
        """Keep nothing."""
        return nullcontext()

    def share(self, folder: Path) -> None:
        """Do nothing: this process has the folder."""

    def prepare(self, work: Callable[[], object], task: Task) -> None:  # noqa: ARG002 (protocol)
        """Do ``work``."""
        work()


@dataclass
class InlineExecutor(_ThisProcess):
    """The calling thread: for stages that are one unit.

    What such a unit computes with Dask runs on this process's threads, not on a cluster whose
    client happens to be the default: it reads here what it writes here.
    """

    n_slots: int = 1
    dashboard_link: str | None = None

    def submit(self, work: Callable[[], Any], task: Task) -> Future:  # noqa: ARG002 (protocol)
        """Do ``work`` at once."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            with dask.config.set(scheduler="threads"):
                future.set_result(work())
        except Exception as error:  # noqa: BLE001 (raised again by result())
            future.set_exception(error)
        return future

    def wait_any(self, futures: Sequence[Future]) -> list[Future]:
        """Return all: they have ended."""
        return list(futures)


@dataclass
class ThreadExecutor(_ThisProcess):
    """Threads of this process: no dashboard, nothing to start, nothing to lose."""

    pool: concurrent.futures.ThreadPoolExecutor
    n_slots: int
    dashboard_link: str | None = None

    def submit(self, work: Callable[[], Any], task: Task) -> Future:  # noqa: ARG002 (protocol)
        """Start ``work`` in a thread."""
        return self.pool.submit(work)

    def wait_any(self, futures: Sequence[Any]) -> list[Future]:
        """Block until at least one has ended."""
        done, _ = concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED)
        return [future for future in futures if future in done]
