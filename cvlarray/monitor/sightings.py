"""Every observation that changes what is known of a pixel, collected while a period is watched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.sightings import SIGHTING, find_sightings
from cvlarray.monitor.scan import PixelState

__all__ = ["Sightings"]


class Sightings:
    """A list that `cvlarray.monitor.update` adds to.

    Parameters
    ----------
    pending
        Flagged observations of one change, at least 1, from which it is pending.
    """

    def __init__(self, pending: int = 2) -> None:
        if pending < 1:
            raise ValueError(f"pending must be at least 1 observation, got {pending}")
        self.pending = pending
        self._parts: list[NDArray[np.void]] = []

    @property
    def table(self) -> NDArray[np.void]:
        """All of them so far, `cvlarray.kernels.sightings.SIGHTING`, by day and pixel."""
        joined = np.concatenate([np.empty(0, SIGHTING), *self._parts])
        return joined[np.lexsort((joined["pixel"], joined["day"]))]

    def note(
        self,
        residual: NDArray[np.float32],
        day: int,
        before: PixelState,
        after: PixelState,
        first_pixel: int,
    ) -> None:
        """Add what a date says of some pixels, the first of which is number ``first_pixel``."""
        known = (before.alarm, before.evidence), (after.alarm, after.evidence)
        found = find_sightings(residual, day, self.pending, *known)
        found["pixel"] += first_pixel
        if found.size:
            self._parts.append(found)
