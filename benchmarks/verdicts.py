"""Runs measurements and says where each target stands."""

from __future__ import annotations

import json
import math
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.registry import Measure, Measurement, UnavailableError
from benchmarks.targets import Comparator, Target


class Verdict(StrEnum):
    """Where a target stands."""

    HOLDS = "holds"
    REPORTED = "reported"
    FALLS_SHORT = "falls short"
    NOT_MEASURED = "not measured yet"
    FAILED = "measurement failed"
    NO_HARDWARE = "left out"

    @property
    def is_short(self) -> bool:
        """Return whether this makes the exit code 1; what nobody measured isn't reached either."""
        return self in {Verdict.FALLS_SHORT, Verdict.NOT_MEASURED, Verdict.FAILED}


@dataclass(frozen=True)
class Row:
    """One line of the output."""

    target: Target
    verdict: Verdict
    measurement: Measurement | None = None
    reason: str = ""


def measure_all(targets: Iterable[Target], found: Mapping[str, Measure]) -> Iterator[Row]:
    """Measure one target after the other."""
    for target in targets:
        yield measure_one(target, found.get(target.key))


def measure_one(target: Target, measure: Measure | None) -> Row:
    """Measure one target; a measurement that breaks is a row too."""
    if measure is None:
        return Row(target, Verdict.NOT_MEASURED)
    try:
        measurement = measure()
    except UnavailableError as error:
        verdict = Verdict.NO_HARDWARE if target.needs else Verdict.NOT_MEASURED
        return Row(target, verdict, reason=str(error))
    except Exception as error:  # noqa: BLE001 (one broken measurement must not hide the others)
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        return Row(target, Verdict.FAILED, reason=f"{type(error).__name__}: {error} ({where})")
    if measurement.unit != target.unit:
        reason = f"measured in {measurement.unit}, the target is in {target.unit}"
        return Row(target, Verdict.FAILED, measurement, reason)
    return Row(target, _judge(target, measurement.value), measurement)


def _judge(target: Target, measured: float) -> Verdict:
    if not target.holds(measured):
        return Verdict.FALLS_SHORT
    return Verdict.REPORTED if target.comparator is Comparator.REPORT else Verdict.HOLDS


def table_line(row: Row) -> str:
    """Return a row of the table, and beneath it how the figure came about."""
    measured = "–"
    if row.measurement is not None:
        measured = f"{significant(row.measurement.value)} {row.measurement.unit}"
    name, requirement = row.target.key, row.target.requirement
    line = f"{name:<46} {measured:>22}  {requirement:<22} {row.verdict}"
    note = row.reason or (row.measurement.note if row.measurement else "")
    return f"{line}\n    {note}" if note else line


TABLE_HEAD = f"{'target':<46} {'measured':>22}  {'target':<22} verdict"


def json_line(row: Row) -> str:
    """Return a row as one JSON object."""
    measured = row.measurement or Measurement(math.nan, row.target.unit)
    return json.dumps(
        {
            "name": row.target.name,
            "group": row.target.group,
            "value": None if math.isnan(measured.value) else measured.value,
            "unit": row.target.unit,
            "baseline": measured.baseline,
            "ratio": measured.ratio,
            "comparator": str(row.target.comparator),
            "target": list(row.target.bounds),
            "peer": row.target.peer,
            "verdict": str(row.verdict),
            "note": row.reason or measured.note,
        },
        ensure_ascii=False,
    )


def summary(rows: Iterable[Row]) -> str:
    """Return the last line of the table."""
    counts = Counter(row.verdict for row in rows)
    parts = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    counted = " (counts as falling short)" if counts[Verdict.NOT_MEASURED] else ""
    return ", ".join(parts) + counted


def significant(value: float) -> str:
    """Return a figure with three digits that count, large ones with all before the point."""
    if not math.isfinite(value) or value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
