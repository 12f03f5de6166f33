"""What an acquisition says: the pixels whose state it changes."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.sightings import CLEARED, CONFIRMED, PENDING
from cvlarray.names import NO_DATE

__all__ = ["OBSERVED", "SENSORS", "Acquisition", "Key", "by_acquisition", "day_of", "number_of"]

SENSORS = ("sentinel-2", "landsat", "sentinel-1")
"""Sensors by their number in `cvlarray.alerts.events.patches.TRACKED`; new ones go to the end."""

OBSERVED = np.dtype(
    [
        ("day", "<i4"),
        ("row", "<i4"),
        ("col", "<i4"),
        ("status", "u1"),
        ("first_flagged", "<i4"),
        ("interval_start", "<i4"),
        ("confidence", "<f4"),
        ("magnitude", "<f4"),
    ]
)
"""As `cvlarray.kernels.sightings.SIGHTING`, with the pixel's place on the grid of the run."""

EPOCH = dt.date(1970, 1, 1)

Key = tuple[str, str]
"""Date and sensor; in this order acquisitions are taken in."""

Table = npt.NDArray[np.void]


def number_of(day: dt.date) -> int:
    """Return days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(number: int) -> dt.date | None:
    """Return the date so many days after 1970-01-01, None of -1."""
    return None if number == NO_DATE else EPOCH + dt.timedelta(days=int(number))


@dataclass(frozen=True, eq=False)
class Acquisition:
    """What a sensor showed on a solar day."""

    date: dt.date
    sensor: str
    """One of `SENSORS`."""
    pixels: Table
    """`OBSERVED`, each pixel once."""

    def __post_init__(self) -> None:
        if self.sensor not in SENSORS:
            raise ValueError(f"sensor must be one of {', '.join(SENSORS)}, got {self.sensor!r}")
        unknown = ~np.isin(self.pixels["status"], (CLEARED, PENDING, CONFIRMED))
        if unknown.any():
            raise ValueError(f"status must be 0, 1 or 2, got {self.pixels['status'][unknown][0]}")
        if np.any(self.pixels["day"] != number_of(self.date)):
            raise ValueError(f"all pixels must be of {self.date}")
        ordered = self.pixels[np.lexsort((self.pixels["col"], self.pixels["row"]))]
        same = (np.diff(ordered["row"]) == 0) & (np.diff(ordered["col"]) == 0)
        if same.any():
            row, col = (ordered[1:][same][name][0] for name in ("row", "col"))
            raise ValueError(f"each pixel must be there once, got row {row}, column {col} twice")
        object.__setattr__(self, "pixels", ordered)

    @property
    def key(self) -> Key:
        """Date and sensor, as the store has them."""
        return self.date.isoformat(), self.sensor

    @property
    def digest(self) -> str:
        """Hash of the pixels."""
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()


def by_acquisition(tables: Iterable[Table], sensor: str) -> list[Acquisition]:
    """Return the acquisitions that tables of `OBSERVED` hold, by date.

    Parameters
    ----------
    tables
        Such as those of the tiles of a run.
    sensor
        What saw all of it.
    """
    joined = np.concatenate([np.empty(0, OBSERVED), *tables])
    ordered = joined[np.argsort(joined["day"], kind="stable")]
    days, firsts = np.unique(ordered["day"], return_index=True)
    parts = np.split(ordered, firsts[1:])
    return [
        Acquisition(EPOCH + dt.timedelta(days=int(day)), sensor, part)
        for day, part in zip(days, parts, strict=False)
    ]
