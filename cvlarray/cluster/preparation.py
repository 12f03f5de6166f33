"""What a worker process does once before units come, also one that joins later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import distributed

_DONE: set[str] = set()
"""Names of what this process has done: Dask sets a plugin up anew whenever it is registered."""


@dataclass
class Preparation(distributed.WorkerPlugin):
    """Work of a worker process; under one name it is done once, whoever asks again."""

    work: Callable[[], object]
    name: str
    resource: str | None = None
    """Only workers that offer it do the work; None: all."""

    async def setup(self, worker: distributed.Worker) -> None:
        """Do the work beside the worker's event loop, which goes on answering."""
        is_meant = self.resource is None or worker.state.total_resources.get(self.resource)
        if is_meant and self.name not in _DONE:
            await asyncio.to_thread(self.work)
            _DONE.add(self.name)
