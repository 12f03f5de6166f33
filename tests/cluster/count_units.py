"""Loaded by a worker (`dask worker --preload`): writes down which units begin and end on it."""

from __future__ import annotations

import os
from typing import Any

import distributed


class CountUnits(distributed.WorkerPlugin):
    """Appends a line to the file that UNITS_LOG names."""

    name = "count-units"

    def setup(self, worker: distributed.Worker) -> None:
        self.worker = str(worker.name)
        self.path = os.environ["UNITS_LOG"]

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        what = {"executing": "began", "memory": "ended"}.get(finish)
        if what:
            # A key ends with what tells two runs apart.
            unit = str(key).rpartition("-")[0]
            with open(self.path, "a") as file:  # noqa: PTH123
                file.write(f"{self.worker} {unit} {what}\n")


async def dask_setup(worker: distributed.Worker) -> None:
    await worker.plugin_add(CountUnits())
