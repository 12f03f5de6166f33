"""What a run tells whoever watches it. The command line draws it; a notebook may do without."""

from __future__ import annotations

import logging
from typing import Protocol

from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit

logger = logging.getLogger(__name__)


class Progress(Protocol):
    """Listens to a run; every method returns at once."""

    def dashboard(self, link: str) -> None:
        """Take the address of the Dask dashboard."""

    def stage_started(self, stage: Stage, *, n_units: int, n_done: int) -> None:
        """Take how many units the stage has and how many an earlier run has done."""

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:
        """Take a unit whose ledger row has been written."""

    def unit_failed(self, unit: WorkUnit, error: Exception) -> None:
        """Take a unit that failed; the stage ends with it."""

    def stage_done(self, stage: Stage, *, wall_s: float) -> None:
        """Take the end of a stage."""


class LogProgress:
    """Writes a run's progress to the log."""

    def dashboard(self, link: str) -> None:
        """Log the address of the Dask dashboard."""
        logger.info("dashboard at %s", link)

    def stage_started(self, stage: Stage, *, n_units: int, n_done: int) -> None:
        """Log the size of the stage."""
        logger.info("%s: %d units, %d done before", stage, n_units, n_done)

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:
        """Log the unit."""
        logger.debug("%s %s done in %.2f s", unit.stage, unit.key, outcome.wall_s)

    def unit_failed(self, unit: WorkUnit, error: Exception) -> None:
        """Log the failure."""
        logger.debug("%s %s failed: %s", unit.stage, unit.key, error)

    def stage_done(self, stage: Stage, *, wall_s: float) -> None:
        """Log the end of the stage."""
        logger.info("%s done in %.1f s", stage, wall_s)
