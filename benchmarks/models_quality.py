"""How good the checkpoints that ship are: one run of `cvlarray evaluate` for all rows."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, run_command
from benchmarks.registry import Measurement, measures

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "cvlarray" / "models" / "weights"
MIOU = 5, 0
"""Row of the means, column of the IoU."""
PRECISION, RECALL = 0, 1


@cache
def found() -> dict[str, Any]:
    """Return the figures of all shipped checkpoints on the regions held out."""
    folder = ROOT / ".bench" / "models" / "quality"
    models = [word for card in sorted(WEIGHTS.glob("*/card.json"))
              for word in ("--model", str(card.parent))]  # fmt: skip
    command = [sys.executable, "-m", "cvlarray.cli", "evaluate", str(folder), *models]
    run_command(command, env=ONE_THREAD)
    figures: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return figures


def learned(kind: str) -> dict[str, Any]:
    """Return the figures of the learned model of a kind."""
    model: dict[str, Any] = found()[kind][-1]
    return model


def measured(estimate: dict[str, Any], unit: str, *place: int, note: str = "") -> Measurement:
    """Return a figure with its interval."""
    value, low, high = (at(estimate[end], place) for end in ("value", "low", "high"))
    interval = f"95 % {low:.3f} to {high:.3f}; {estimate['n_scenes']} simulated regions"
    return Measurement(value, unit, note=f"{interval}{note and f'; {note}'}")


def at(values: Any, place: tuple[int, ...]) -> float:
    """Return a number of nested lists."""
    for index in place:
        values = values[index]
    return float(values)


def over_rule(estimate: dict[str, Any], unit: str) -> Measurement:
    """Return the lower end of what a model is better by."""
    note = f"{estimate['value']:+.3f}, 95 % {estimate['low']:+.3f} to {estimate['high']:+.3f}"
    return Measurement(float(estimate["low"]), unit, note=note)


@measures("segmentation_miou")
def segmentation_miou() -> Measurement:
    """Of five classes, new seeds and new ranges together."""
    one = learned("land_cover")
    groups = ", ".join(f"{name} {at(group['value'], ()):.3f}"
                       for name, group in one["miou_by_group"].items())  # fmt: skip
    return measured(one["table"], "IoU", *MIOU, note=groups)


def change(place: int, unit: str) -> Measurement:
    """Return precision or recall beside the other, at the threshold chosen on other regions."""
    one = learned("change")
    values = one["precision_recall_f1"]["value"]
    note = f"precision {values[PRECISION]:.3f} at recall {values[RECALL]:.3f}"
    return measured(one["precision_recall_f1"], unit, place, note=note)


@measures("change_precision")
def change_precision() -> Measurement:
    """Pixel by pixel."""
    return change(PRECISION, "precision")


@measures("change_recall")
def change_recall() -> Measurement:
    """Pixel by pixel."""
    return change(RECALL, "recall")


@measures("change_date_error")
def change_date_error() -> Measurement:
    """Of the pixels rightly found."""
    value = learned("change")["median_date_error_clear_observations"]
    return Measurement(float(value), "clear observations", note="of pixels rightly found")


@measures("sar_wet_season_recall")
def sar_wet_season_recall() -> Measurement:
    """Pixel by pixel, over forest."""
    return measured(learned("radar_wet_season")["precision_recall_f1"], "recall", RECALL)


@measures("sar_wet_season_precision")
def sar_wet_season_precision() -> Measurement:
    """Pixel by pixel, over forest."""
    return measured(learned("radar_wet_season")["precision_recall_f1"], "precision", PRECISION)


@measures("segformer_over_rule")
def segformer_over_rule() -> Measurement:
    """On the same scenes."""
    return over_rule(learned("land_cover")["miou_over_rule"], "IoU")


@measures("siamese_over_rule")
def siamese_over_rule() -> Measurement:
    """On the same scenes."""
    return over_rule(learned("change")["f1_over_rule"], "F1")


@measures("sar_over_rule")
def sar_over_rule() -> Measurement:
    """On the same scenes."""
    return over_rule(learned("radar_wet_season")["f1_over_rule"], "F1")


@measures("calibration_error")
def calibration_error() -> Measurement:
    """Calibrated on other regions."""
    one = found()["fused"][-1]
    stated = at(one["ece_stated"]["value"], ())
    return measured(one["ece_calibrated"], "ECE", note=f"{stated:.3f} before calibration")
