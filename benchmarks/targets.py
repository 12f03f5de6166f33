"""The table of targets: what each figure must reach."""

from __future__ import annotations

import math
import operator
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

TARGETS_FILE = Path(__file__).parent / "targets.toml"
GROUPS = ("line", "cubes", "season", "models", "alerts", "reanalysis")


class Comparator(StrEnum):
    """How a measured figure is held against its target."""

    AT_MOST = "<="
    BELOW = "<"
    AT_LEAST = ">="
    ABOVE = ">"
    EQUAL = "=="
    WITHIN = "within"
    """Inside a pair of bounds."""
    REPORT = "report"
    """Asked for without a bound."""


ORDERS: dict[Comparator, Callable[[float, float], bool]] = {
    Comparator.AT_MOST: operator.le,
    Comparator.BELOW: operator.lt,
    Comparator.AT_LEAST: operator.ge,
    Comparator.ABOVE: operator.gt,
    Comparator.EQUAL: operator.eq,
}
SYMBOLS = {Comparator.AT_MOST: "≤", Comparator.AT_LEAST: "≥", Comparator.EQUAL: "="}


@dataclass(frozen=True)
class Target:
    """One row of the table."""

    group: str
    name: str
    what: str
    comparator: Comparator
    bounds: tuple[float, ...]
    """No number for `report`, two for `within`, else one."""
    unit: str
    peer: str
    needs: str | None = None
    """Hardware without which the figure is left out."""

    @property
    def key(self) -> str:
        """Return the name under which a measurement registers."""
        return f"{self.group}/{self.name}"

    def holds(self, measured: float) -> bool:
        """Return whether a figure reaches the target; NaN never does."""
        if self.comparator is Comparator.REPORT:
            return not math.isnan(measured)
        if self.comparator is Comparator.WITHIN:
            low, high = self.bounds
            return low <= measured <= high
        return ORDERS[self.comparator](measured, self.bounds[0])

    @property
    def requirement(self) -> str:
        """Return the target as people write it."""
        if self.comparator is Comparator.REPORT:
            return "–"
        bounds = "-".join(f"{bound:g}" for bound in self.bounds)
        symbol = SYMBOLS.get(self.comparator, str(self.comparator))
        return f"{symbol} {bounds} {self.unit}"


def load_targets(path: Path = TARGETS_FILE) -> list[Target]:
    """Read and check the table.

    Raises
    ------
    ValueError
        If a row lacks a field, names no known group, or stands there twice.
    """
    rows = tomllib.loads(path.read_text())["target"]
    targets = [_target(row) for row in rows]
    keys = [target.key for target in targets]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ValueError(f"{path.name}: each target must stand there once, got {sorted(twice)}")
    return targets


def _target(row: dict[str, Any]) -> Target:
    fields = dict(row)
    value = fields.pop("value", [])
    comparator = Comparator(str(fields.pop("comparator")))
    bounds = tuple(value) if isinstance(value, list) else (value,)
    expected = {Comparator.REPORT: 0, Comparator.WITHIN: 2}.get(comparator, 1)
    if len(bounds) != expected:
        raise ValueError(f"{row['name']}: {comparator} takes {expected} values, got {len(bounds)}")
    target = Target(comparator=comparator, bounds=bounds, **fields)
    if target.group not in GROUPS:
        raise ValueError(f"{target.name}: group must be one of {GROUPS}, got {target.group}")
    return target
