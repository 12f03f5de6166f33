"""Connected pixels that are watched, and the event they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TRACKED", "Patch", "places"]

TRACKED = np.dtype(
    [
        ("row", "<i4"),
        ("col", "<i4"),
        ("sensor", "u1"),
        ("status", "u1"),
        ("first_flagged", "<i4"),
        ("confirmed", "<i4"),
        ("interval_start", "<i4"),
        ("confidence", "<f4"),
        ("magnitude", "<f4"),
    ]
)
"""A pixel that is pending or confirmed, as one sensor sees it."""

Table = npt.NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Patch:
    """One connected change; it has a name from when it is large enough to be an event."""

    key: int | None
    """In the store; None for a new one."""
    pixels: Table
    """`TRACKED`, by row, column and sensor."""
    event_id: str | None = None
    anchor: tuple[int, int] = (-1, -1)
    """Row and column of the pixel that the name was made of."""
    born: int = -1
    """Day on which the oldest pixel was first flagged when the event got its name."""
    is_confirmed: bool = False
    n_shown: int = 0
    """Pixels of the last version."""
    parents: tuple[str, ...] = ()
    """Events that it came off or took in."""
    children: tuple[str, ...] = ()
    """Events that came off it or took it in."""

    @property
    def rank(self) -> tuple[bool, bool, int, tuple[int, int]]:
        """Which of several patches that grow together gives its name: the least rank.

        Of equals by place and not by name: a name that a late scene changed decides nothing.
        """
        return not self.is_confirmed, self.event_id is None, self.born, self.anchor

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """First and last row, first and last column."""
        row, col = self.pixels["row"], self.pixels["col"]
        return int(row.min()), int(row.max()), int(col.min()), int(col.max())


def places(pixels: Table) -> npt.NDArray[np.int64]:
    """Return a number for each pixel's place that orders by row and then column."""
    numbers: npt.NDArray[np.int64] = (pixels["row"].astype(np.int64) << 31) | pixels["col"]
    return numbers
