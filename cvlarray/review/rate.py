"""How often somebody may ask: counted in memory, by a clock that nobody sets."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Rate"]

WINDOW_S = 60.0
MOST_REMEMBERED = 4096
"""Names, before those who have been silent for a minute are forgotten."""


class Rate:
    """So many in any minute of each name; for threads.

    Parameters
    ----------
    per_minute
        How many.
    clock
        Seconds that only ever go on.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def allows(self, name: str) -> bool:
        """Count a request of a name, unless it is one too many; return whether it may pass."""
        with self._lock:
            start = self._clock() - WINDOW_S
            if name not in self._times:
                self._forget(start)
                self._times[name] = deque(maxlen=self._per_minute)
            times = self._times[name]
            if len(times) == self._per_minute and times[0] > start:
                return False
            times.append(start + WINDOW_S)
            return True

    def _forget(self, start: float) -> None:
        if len(self._times) >= MOST_REMEMBERED:
            self._times = {name: times for name, times in self._times.items() if times[-1] > start}
