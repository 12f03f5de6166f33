"""Measurements register under the name of their target."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass


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
        group = function.__module__.rpartition(".")[2]
        if MEASURES.setdefault(f"{group}/{name}", function) is not function:
            raise ValueError(f"{group}/{name} has two measurements")
        return function

    return register


def discover(groups: Iterable[str]) -> dict[str, Measure]:
    """Import the module of each group, where there is one, and return all measurements."""
    for group in groups:
        module = f"benchmarks.{group}"
        if importlib.util.find_spec(module):
            importlib.import_module(module)
    return MEASURES
