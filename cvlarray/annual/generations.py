"""The generation guard: figures of different makings aren't compared without saying so.

A public system's mined area of 2024, 27,187 ha after some 2,600 in the years before, was a new
model, not a new rush. So every figure carries what it was made by, differences are taken only
within one making, and two makings are joined only over years that both have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cvlarray.sensors import Scene
from cvlarray.store import input_hash

__all__ = [
    "COMPARED_COLUMNS",
    "Generation",
    "generations_of",
    "overlap_calibrated",
    "yearly_differences",
]

COMPARED_COLUMNS = ("year", "value", "generation", "difference", "is_comparable", "note")


@dataclass(frozen=True)
class Generation:
    """What a year's figure was made by."""

    software: str
    """Version of this package."""
    model: str
    """Hash of all settings that decide what is found."""
    layers: Mapping[str, str]
    """SHA-256 of each official layer that areas are cut by."""
    sensors: tuple[str, ...]
    """Families of sensors that saw the year."""
    baselines: tuple[str, ...]
    """Processing baselines of the year's scenes, as ``sentinel-2 04.00``; those that change what a
    pixel's number means count, their minor updates don't."""

    @property
    def name(self) -> str:
        """A short name; equal where everything is."""
        parts = self.software, self.model, sorted(self.layers.items()), self.sensors, self.baselines
        return input_hash(*parts)[:8]

    def differs_in(self, other: Generation) -> list[str]:
        """Return what two generations don't share, in words."""
        named = ("software", "model", "layers", "sensors", "baselines")
        return [
            f"{name} ({_words(getattr(other, name))} → {_words(getattr(self, name))})"
            for name in named
            if getattr(self, name) != getattr(other, name)
        ]


def generations_of(
    scenes: Iterable[Scene],
    years: Sequence[int],
    *,
    software: str,
    model: str,
    layers: Mapping[str, str],
) -> dict[int, Generation]:
    """Return what each year was made by.

    Parameters
    ----------
    scenes
        Every scene of the run.
    years
        Calendar years.
    software, model, layers
        See `Generation`.
    """
    families: dict[int, set[str]] = {year: set() for year in years}
    baselines: dict[int, set[str]] = {year: set() for year in years}
    for scene in scenes:
        if scene.solar_day.year in families:
            families[scene.solar_day.year].add(scene.family)
            major = scene.processing_baseline.partition(".")[0]
            baselines[scene.solar_day.year].add(f"{scene.family} {major}".strip())
    return {
        year: Generation(
            software,
            model,
            dict(layers),
            tuple(sorted(families[year])),
            tuple(sorted(baselines[year])),
        )
        for year in years
    }


def yearly_differences(
    values: Mapping[int, float], generations: Mapping[int, Generation]
) -> pd.DataFrame:
    """Return each year's difference to the year before, none where they were made differently.

    Parameters
    ----------
    values
        A figure by year.
    generations
        What each was made by.

    Returns
    -------
    `COMPARED_COLUMNS`; ``difference`` is NaN where ``is_comparable`` is False, and ``note`` says
    why.
    """
    rows = []
    before: int | None = None
    for year in sorted(values):
        changed = [] if before is None else generations[year].differs_in(generations[before])
        is_comparable = before is not None and not changed
        difference = np.nan if before is None or changed else values[year] - values[before]
        note = (
            f"not compared with {before}: {', '.join(changed)}; run both makings over a year that "
            "both have and calibrate"
            if changed
            else ""
        )
        rows.append((year, values[year], generations[year].name, difference, is_comparable, note))
        before = year
    return pd.DataFrame(rows, columns=list(COMPARED_COLUMNS))


def overlap_calibrated(older: Mapping[int, float], newer: Mapping[int, float]) -> pd.DataFrame:
    """Return one series on the newer making's scale, joined over the years that both have.

    Parameters
    ----------
    older, newer
        Figures by year, of one making each.

    Returns
    -------
    ``year``, ``value``, ``source`` ("newer", or "older × factor") and ``factor``: the sum of the
    newer over that of the older in the years of both; ``factor_low`` and ``factor_high`` are the
    extremes of single years.

    Raises
    ------
    ValueError
        If no year has both, or the older has nothing there: there is no way to compare them.
    """
    shared = sorted(set(older) & set(newer))
    base = sum(older[year] for year in shared)
    if not shared or base <= 0:
        raise ValueError(
            "two makings can be joined only over years that both have, and where the older found "
            f"something; got {_span(older)} and {_span(newer)}; run the newer over earlier years"
        )
    factor = sum(newer[year] for year in shared) / base
    each = [newer[year] / older[year] for year in shared if older[year] > 0]
    rows = [
        (year, newer[year], "newer")
        if year in newer
        else (year, older[year] * factor, "older × factor")
        for year in sorted(set(older) | set(newer))
    ]
    joined = pd.DataFrame(rows, columns=["year", "value", "source"])
    return joined.assign(factor=factor, factor_low=min(each), factor_high=max(each))


def _span(series: Mapping[int, float]) -> str:
    return f"{min(series)} to {max(series)}" if series else "no years"


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {str(text)[:8]}" for key, text in sorted(value.items())) or "none"
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
