"""A work unit: one stage on one tile and a block of dates, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cvlarray.cluster import Task


class Stage(StrEnum):
    """The stages of a run, in order; each is also a command."""

    SEARCH = "search"
    INGEST = "ingest"
    NORMALIZE = "normalize"
    PRIOR = "prior"
    BASELINE = "baseline"
    MONITOR = "monitor"
    SEGMENT = "segment"
    RADAR = "radar"
    FUSE = "fuse"
    ALERTS = "alerts"
    REPORT = "report"
    CHANGES = "changes"
    """Only of a reanalysis, as is the next."""
    ANNUAL = "annual"

    @property
    def is_tiled(self) -> bool:
        """Whether the stage is cut into tiles; the others are one unit."""
        return self in {
            Stage.INGEST,
            Stage.NORMALIZE,
            Stage.BASELINE,
            Stage.MONITOR,
            Stage.SEGMENT,
            Stage.RADAR,
            Stage.FUSE,
            Stage.CHANGES,
        }


@dataclass(frozen=True)
class UnitOutcome:
    """What a finished unit reports; its outputs are in place by then."""

    n_bytes_read: int = 0
    """Bytes of sources or stores that the unit asked for, decoded."""
    n_bytes_written: int = 0
    """Bytes that lie on disk because of this unit."""
    unread: tuple[dict[str, str], ...] = ()
    """Assets that stayed unreadable after all retries: scene, band, href, reason."""
    detail: dict[str, Any] = field(default_factory=dict)
    """What else the ledger should keep, JSON."""
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class WorkUnit:
    """One piece of work that is done whole or not at all."""

    stage: Stage
    key: str
    """Unique within the stage, for example ``r000c001/d2019-03-04``."""
    input_hash: str
    """Content hash of everything the result depends on."""
    n_pixels: int
    """Pixel-dates, for throughput."""
    work: Callable[[], UnitOutcome]
    """Does the work wherever it is called; picklable."""
    year: int | None = None
    """Of its first date; None if it spans the run's."""
    needs_gpu: bool = False
    """Only a worker with a GPU may do it."""

    @property
    def task(self) -> Task:
        """Name on the Dask dashboard, and what its time is summed by."""
        return Task(
            key=f"{self.stage}-{self.key}-{self.input_hash[:12]}",
            spans=(str(self.stage), *([str(self.year)] if self.year else [])),
            needs_gpu=self.needs_gpu,
        )

    def __call__(self) -> UnitOutcome:
        """Do the work and time it."""
        wall_start, cpu_start = time.perf_counter(), time.thread_time()
        outcome = self.work()
        return UnitOutcome(
            n_bytes_read=outcome.n_bytes_read,
            n_bytes_written=outcome.n_bytes_written,
            unread=outcome.unread,
            detail=outcome.detail,
            wall_s=time.perf_counter() - wall_start,
            cpu_s=time.thread_time() - cpu_start,
        )
