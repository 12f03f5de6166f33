"""Sides of a comparison with a known cost."""

from __future__ import annotations

import time

from benchmarks.worker import Work


def spin_100_ms() -> Work:
    """Two units of work that together take 100 ms of CPU."""

    def work() -> None:
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass

    return work, 2


def broken() -> Work:
    """A side that can't be prepared."""
    raise ZeroDivisionError
