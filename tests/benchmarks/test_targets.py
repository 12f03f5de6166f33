"""The table of targets itself, and how figures are held against it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.registry import discover
from benchmarks.targets import GROUPS, Comparator, Target, load_targets

TARGETS = load_targets()


def target(comparator: Comparator, *bounds: float) -> Target:
    return Target("line", "x", "what", comparator, bounds, "s", "none")


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_targets(group: str) -> None:
    assert any(t.group == group for t in TARGETS)


def test_every_target_says_what_in_which_unit_against_whom() -> None:
    assert [t.key for t in TARGETS if not (t.what and t.unit and t.peer)] == []


@pytest.mark.parametrize(
    ("key", "requirement"),
    [
        ("line/end_to_end_cpu", "≤ 2.5 ×"),
        ("cubes/build_cpu_aligned", "≤ 1.35 ×"),
        ("season/robust_vs_cold", "≥ 700 ×"),
        ("models/h200_tile", "≤ 2 s"),
        ("alerts/enrich_geopandas", "≤ 1.2 ×"),
        ("reanalysis/interval_coverage", "within 90-99 %"),
        ("line/peak_memory", "–"),
    ],
)
def test_targets_are_the_promised_ones(key: str, requirement: str) -> None:
    assert {t.key: t.requirement for t in TARGETS}[key] == requirement


def test_every_measurement_names_a_target() -> None:
    assert set(discover(GROUPS)) <= {t.key for t in TARGETS}


@pytest.mark.parametrize(
    ("comparator", "bounds", "reached", "missed"),
    [
        (Comparator.AT_MOST, (2.5,), (2.5, -1), (2.51,)),
        (Comparator.BELOW, (1,), (0.99,), (1, 2)),
        (Comparator.AT_LEAST, (2.5,), (2.5, 3), (2.49,)),
        (Comparator.ABOVE, (0,), (1e-9,), (0, -1)),
        (Comparator.EQUAL, (0,), (0, -0.0), (1e-300, -1)),
        (Comparator.WITHIN, (90, 99), (90, 95, 99), (89.9, 99.1)),
        (Comparator.REPORT, (), (0, -5, math.inf), ()),
    ],
)
def test_comparators(
    comparator: Comparator,
    bounds: tuple[float, ...],
    reached: tuple[float, ...],
    missed: tuple[float, ...],
) -> None:
    held = target(comparator, *bounds)
    assert all(held.holds(value) for value in reached)
    assert not any(held.holds(value) for value in missed)
    assert not held.holds(math.nan)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('group = "lime"\ncomparator = "<="\nvalue = 1', "group must be one of"),
        ('group = "line"\ncomparator = "within"\nvalue = 1', "within takes 2 values, got 1"),
        ('group = "line"\ncomparator = "<="', "<= takes 1 values, got 0"),
    ],
)
def test_wrong_rows_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    row = f'[[target]]\nname = "x"\nwhat = "w"\nunit = "s"\npeer = "none"\n{rows}'
    path = tmp_path / "targets.toml"
    path.write_text(row)
    with pytest.raises(ValueError, match=message):
        load_targets(path)


def test_the_same_target_twice_is_refused(tmp_path: Path) -> None:
    row = (
        '[[target]]\ngroup = "line"\nname = "x"\nwhat = "w"\nunit = "s"\npeer = "none"\n'
        'comparator = "report"\n'
    )
    path = tmp_path / "targets.toml"
    path.write_text(row * 2)
    with pytest.raises(ValueError, match=r"once, got \['line/x'\]"):
        load_targets(path)
