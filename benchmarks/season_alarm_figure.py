"""The picture of the false-alarm study: what each method's threshold trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.season_alarm_curves import WITHIN, Curve, false_alarms, matching_threshold

COLOURS = {
    "previous date": "#8c8c8c",
    "last year": "#d08c2c",
    "3-year median": "#7a5195",
    "OLS z": "#5b9bd5",
    "ours": "#1b7f4d",
}
DETECTED = np.linspace(0.4, 0.97, 20)
N_SAMPLES = 60


class Panel(NamedTuple):
    """What is drawn side by side."""

    title: str
    curves: Mapping[str, Sequence[Curve]]
    """By method; all of the same blocks."""


def draw(panels: Sequence[Panel], file: Path) -> None:
    """Draw false alarms over detections of each method, with their 90 % bootstrap intervals."""
    figure = Figure(figsize=(5 * len(panels), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        for method, curves in panel.curves.items():
            colour = COLOURS[method]
            axis.plot(DETECTED, _rates(curves), color=colour, label=method)
            low, high = _band(curves)
            axis.fill_between(DETECTED, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.set(title=panel.title, yscale="log", xlabel=f"detected within {WITHIN} observations")
        axis.set_ylim(1e-4, 3)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("false alarms a stable pixel and year")
    axes[0].legend(frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


def _rates(curves: Sequence[Curve]) -> NDArray[np.float64]:
    """Return the false alarms at each share of detections; below 1e-5 nothing is drawn."""
    rates = [false_alarms(curves, matching_threshold(curves, detected=share)) for share in DETECTED]
    return np.maximum(rates, 1e-5)


def _band(curves: Sequence[Curve]) -> NDArray[np.float64]:
    """Return the 5th and 95th percentile over blocks drawn anew."""
    draws = np.random.default_rng(0).integers(0, len(curves), (N_SAMPLES, len(curves)))
    return np.quantile([_rates([curves[i] for i in draw]) for draw in draws], (0.05, 0.95), axis=0)
