"""What the harness prints and returns for figures that hold, fall short, break or don't exist."""

from __future__ import annotations

import json

import pytest

import benchmarks.__main__ as command
from benchmarks import registry
from benchmarks.registry import Measurement, UnavailableError
from benchmarks.targets import Comparator, Target
from benchmarks.verdicts import Row, Verdict, json_line, measure_one, significant, table_line

FAST = Target("line", "fast", "speed", Comparator.AT_LEAST, (2.0,), "×", "nrt")
DEVICE = Target("models", "device", "speed", Comparator.AT_LEAST, (1,), "Gpx/s", "-", "an H200")
ASKED = Target("line", "asked", "memory", Comparator.REPORT, (), "MB", "none")


def no_device() -> Measurement:
    raise UnavailableError("no H200 here")


def broken() -> Measurement:
    raise KeyError("wall_s")


@pytest.mark.parametrize(
    ("target", "measure", "verdict", "is_short"),
    [
        (FAST, lambda: Measurement(2.0, "×"), Verdict.HOLDS, False),
        (FAST, lambda: Measurement(1.99, "×"), Verdict.FALLS_SHORT, True),
        (FAST, lambda: Measurement(float("nan"), "×"), Verdict.FALLS_SHORT, True),
        (FAST, lambda: Measurement(3.0, "s"), Verdict.FAILED, True),
        (FAST, None, Verdict.NOT_MEASURED, True),
        (FAST, broken, Verdict.FAILED, True),
        (FAST, no_device, Verdict.NOT_MEASURED, True),
        (DEVICE, no_device, Verdict.NO_HARDWARE, False),
        (ASKED, lambda: Measurement(5.0, "MB"), Verdict.REPORTED, False),
    ],
)
def test_verdicts(
    target: Target, measure: registry.Measure | None, verdict: Verdict, is_short: bool
) -> None:
    row = measure_one(target, measure)
    assert row.verdict is verdict
    assert row.verdict.is_short is is_short


def test_broken_measurement_says_where() -> None:
    assert "KeyError: 'wall_s' (test_verdicts.py:" in measure_one(FAST, broken).reason


def test_table_line_has_name_figure_target_verdict_and_note() -> None:
    row = measure_one(FAST, lambda: Measurement(2.345, "×", note="5 pairs"))
    head, note = table_line(row).splitlines()
    assert head.split() == ["line/fast", "2.35", "×", "≥", "2", "×", "holds"]
    assert note.strip() == "5 pairs"


def test_json_line_has_the_promised_keys() -> None:
    measurement = Measurement(2.5, "×", baseline=5.0, ratio=2.5)
    parsed = json.loads(json_line(Row(FAST, Verdict.HOLDS, measurement)))
    expected = {"name": "fast", "value": 2.5, "unit": "×", "baseline": 5.0, "ratio": 2.5}
    assert parsed.items() >= {**expected, "group": "line", "verdict": "holds"}.items()
    assert json.loads(json_line(Row(FAST, Verdict.NOT_MEASURED)))["value"] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (2.345, "2.35"), (1234.5, "1,234"), (1e-6, "1e-06"), (98.27, "98.3")],
)
def test_significant(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.fixture
def two_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find two targets, one of which is measured and holds."""
    monkeypatch.setattr(command, "load_targets", lambda: [FAST, ASKED, DEVICE])
    found = {"line/fast": lambda: Measurement(4.0, "×")}
    monkeypatch.setattr(command, "discover", lambda groups: found)


@pytest.mark.usefixtures("two_targets")
def test_what_nobody_measured_makes_the_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "line"]) == 1
    out = capsys.readouterr().out
    assert "models/device" not in out
    assert out.splitlines()[-1] == "1 holds, 1 not measured yet (counts as falling short)"


@pytest.mark.usefixtures("two_targets")
def test_exit_code_is_0_when_all_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "line/fast", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"] for line in lines] == ["fast"]


@pytest.mark.usefixtures("two_targets")
def test_unknown_group_is_refused() -> None:
    with pytest.raises(SystemExit, match="--only takes a group"):
        command.main(["--only", "lime"])


def test_measures_registers_under_its_module_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MEASURES", {})
    first, second = (lambda: Measurement(1.0, "s") for _ in range(2))
    for function in (first, second):
        function.__module__ = "benchmarks.cubes"
    assert registry.measures("speed")(first) is first
    assert {"cubes/speed": first} == registry.MEASURES
    with pytest.raises(ValueError, match="two measurements"):
        registry.measures("speed")(second)
