"""A run in numbers, as Prometheus reads them: a text file for node_exporter's textfile collector.

https://github.com/prometheus/node_exporter#textfile-collector
"""

from __future__ import annotations

import time
from pathlib import Path

from cvlarray.errors import StoreError
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit

EVERY_S = 10.0
"""How often the file is written while units end."""
SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


class Metrics:
    """Counts of this process's run; the file is replaced whole.

    Parameters
    ----------
    region
        Name of the run; a label of every metric.
    path
        The file.
    """

    def __init__(self, region: str, path: Path) -> None:
        # HTTP and TLS come with it, which only a run needs, not every command.
        from prometheus_client import (  # noqa: PLC0415
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
        )

        self.path = path
        self.registry = CollectorRegistry()
        self._written = 0.0
        self._region = region
        labels = ["region", "stage"]
        self._units = Counter(
            "cvlarray_units", "Units that ended", [*labels, "outcome"], registry=self.registry
        )
        self._missing = Gauge(
            "cvlarray_units_missing", "Units still to do", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "cvlarray_unit_seconds", "Elapsed time of a unit", labels,
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self._cpu = Counter("cvlarray_cpu_seconds", "CPU time", labels, registry=self.registry)
        self._pixels = Counter(
            "cvlarray_pixel_dates", "Pixels times dates", labels, registry=self.registry
        )
        self._read = Counter("cvlarray_read_bytes", "Bytes read", labels, registry=self.registry)
        self._wrote = Counter(
            "cvlarray_written_bytes", "Bytes written", labels, registry=self.registry
        )
        self._unread = Counter(
            "cvlarray_unread_assets", "Assets that stayed unread", labels, registry=self.registry
        )
        self._last = Gauge(
            "cvlarray_last_unit_timestamp_seconds", "When a unit last ended", labels,
            registry=self.registry,
        )  # fmt: skip

    def stage_started(self, stage: Stage, n_missing: int) -> None:
        """Take how much a stage has to do."""
        self._missing.labels(self._region, stage).set(n_missing)

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:
        """Take a finished unit."""
        where = self._region, unit.stage
        self._units.labels(*where, "partial" if outcome.unread else "done").inc()
        self._missing.labels(*where).dec()
        self._seconds.labels(*where).observe(outcome.wall_s)
        self._cpu.labels(*where).inc(outcome.cpu_s)
        self._pixels.labels(*where).inc(unit.n_pixels)
        self._read.labels(*where).inc(outcome.n_bytes_read)
        self._wrote.labels(*where).inc(outcome.n_bytes_written)
        self._unread.labels(*where).inc(len(outcome.unread))
        self._last.labels(*where).set_to_current_time()
        if time.monotonic() - self._written > EVERY_S:
            self.write()

    def unit_failed(self, unit: WorkUnit) -> None:
        """Take a unit that failed."""
        self._units.labels(self._region, unit.stage, "failed").inc()

    def write(self) -> None:
        """Replace the file.

        Raises
        ------
        StoreError
            If it can't be written.
        """
        from prometheus_client import write_to_textfile  # noqa: PLC0415

        self._written = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_to_textfile(str(self.path), self.registry)
        except OSError as error:
            raise StoreError(f"cannot write the metrics {self.path}: {error}") from error
