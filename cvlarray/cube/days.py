"""Scenes grouped into the time slices of a cube."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvlarray.sensors import Scene, newest_baseline


@dataclass(frozen=True)
class Day:
    """One time slice: the scenes of a solar day, mosaicked in this order."""

    date: dt.date
    """Solar day."""
    scenes: tuple[Scene, ...]
    """The first wins where it has data."""


def group_by_day(scenes: Iterable[Scene]) -> list[Day]:
    """Group scenes by solar day.

    Parameters
    ----------
    scenes
        Of one series (SAR orbit) and one family of sensors, or read as one (see
        `cvlarray.sensors.harmonized`), in the order in which they win.

    Returns
    -------
    Days in order. Of an acquisition processed twice only the newest baseline is in it.

    Raises
    ------
    ValueError
        If there is no scene, or scenes of several families or series.
    """
    kept = newest_baseline(scenes)
    if not kept:
        raise ValueError("a cube needs at least one scene, got none; widen the search")
    kinds = sorted({_kind(scene) for scene in kept})
    if len(kinds) > 1:
        raise ValueError(
            f"a cube is of one sensor and one orbit, got {', '.join(kinds)}; make a cube of each, "
            "or harmonise Landsat to Sentinel-2"
        )
    days: dict[dt.date, list[Scene]] = {}
    # The finer sensor wins over those that are read as if they were it.
    for scene in sorted(kept, key=lambda scene: scene.harmonized_to is not None):
        days.setdefault(scene.solar_day, []).append(scene)
    return [Day(date, tuple(days[date])) for date in sorted(days)]


def _kind(scene: Scene) -> str:
    """Return what may stand in a cube together."""
    return f"{scene.harmonized_to or scene.family} {scene.series}".strip()


def times(days: Sequence[Day]) -> NDArray[np.datetime64]:
    """Return the time coordinate of some days.

    Parameters
    ----------
    days
        Time slices.

    Returns
    -------
    datetime64[ns] (time), midnight of each solar day.
    """
    return np.array([day.date for day in days], dtype="datetime64[D]").astype("datetime64[ns]")
