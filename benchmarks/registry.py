"""Measurements register under the name of their target.

Those of a group live in `benchmarks/<group>.py`, or beside it in `benchmarks/<group>_<part>.py`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """What was measured for one target."""

    value: float
    """The figure that is held against the target, in `unit`."""
    unit: str
    baseline: float | None = None
    """The peer's own figure of the same run, in the unit that the note names."""
    ratio: float | None = None
    """Ours to the peer's or the peer's to ours, as the target has it."""
    note: str = ""
    """How it was measured, in one line."""


class UnavailableError(Exception):
    """The hardware that a target needs isn't here."""


Measure = Callable[[], Measurement]
MEASURES: dict[str, Measure] = {}
"""By `group/name`; filled by the decorator when a group's module is imported."""


def measures(name: str) -> Callable[[Measure], Measure]:
    """Register a function as the measurement of target ``name`` of its module's group."""

    def register(function: Measure) -> Measure:
        group = _group_of(function.__module__.rpartition(".")[2])
        if MEASURES.setdefault(f"{group}/{name}", function) is not function:
            raise ValueError(f"{group}/{name} has two measurements")
        return function

    return register


def discover(groups: Iterable[str]) -> dict[str, Measure]:
    """Import the modules of each group and return all measurements."""
    wanted = set(groups)
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if _group_of(module.name) in wanted:
            importlib.import_module(f"benchmarks.{module.name}")
    return MEASURES


def _group_of(module: str) -> str:
    return module.partition("_")[0]
