"""False alarms of the seasonal residual, and of what it is to replace, at the same detections.

`python -m benchmarks.season_false_alarms [FOLDER]` prints a table, and draws the curves into a
folder. Methods are compared on blocks that each have weather and changes of their own, in a year
after their history. Every method sees NDVI, and gets the threshold at which it finds 80 % of the
changes within five valid observations: detections are the same where false alarms are counted. In
the notes, "at once" is with as few observations as the method needs at all; and there is what comes
of thresholds from other blocks, those on which NDVI was chosen.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from benchmarks.registry import Measurement, measures
from benchmarks.season_alarm_blocks import HELD_OUT, NO_FOREST, Block, Season, block_of, seeds_from
from benchmarks.season_alarm_curves import (
    Curve,
    curve_of,
    detected_share,
    false_alarms,
    interval,
    matching_threshold,
    mean_delay,
    omitted_share,
    ratio,
)
from benchmarks.season_alarm_methods import FEATURE, METHODS
from cvlarray.names import NODATA_DN
from cvlarray.simulate.season import day_number

TUNING, REPORTED = (0, 12), (1000, 32)
"""Blocks: seed to look from, and how many."""
COUNTS = (1, 2)
"""Observations in a row that raise an alarm."""
OURS = "ours"
_EDGE_PX = 2
"""So close to a change a pixel is neither changed nor stable."""


class Case(NamedTuple):
    """One method in one season."""

    season: Season
    method: str
    count: int


@cache
def curves(blocks: tuple[int, int]) -> dict[Case, list[Curve]]:
    """Return the curve of each block, by case."""
    found: dict[Case, list[Curve]] = {}
    for seed in seeds_from(*blocks):
        for case, curve in _curves_of(block_of(seed)):
            found.setdefault(case, []).append(curve)
    return found


def _curves_of(block: Block) -> Iterator[tuple[Case, Curve]]:
    days = block.days[block.days >= day_number(HELD_OUT)]
    changed = _changed(block)
    for season in Season:
        features = block.features(season, [FEATURE])
        in_year = features.isel(feature=0, time=slice(-days.size, None)).to_numpy()
        is_valid = (in_year != NODATA_DN).reshape(days.size, -1)
        for method, evidence_of in METHODS.items():
            for count in COUNTS:
                curve = curve_of(evidence_of(features, count), is_valid, days, changed)
                yield Case(season, method, count), curve


def _changed(block: Block) -> NDArray[np.int32]:
    """Return the day of each pixel's change, those beside changes left out."""
    is_changed = block.changed >= 0
    is_near = binary_dilation(is_changed, iterations=_EDGE_PX) & ~is_changed
    return np.where(is_near, np.int32(NO_FOREST), block.changed).ravel()


def against(rival: str, season: Season, count: int = 1) -> float:
    """Return our false alarms over a rival's."""
    reported = curves(REPORTED)
    return ratio(reported[Case(season, OURS, count)], reported[Case(season, rival, count)])


def _in_words(rival: str, season: Season) -> str:
    """Return everything that goes with a ratio."""
    reported = curves(REPORTED)
    words = []
    for count in COUNTS:
        ours, theirs = (reported[Case(season, name, count)] for name in (OURS, rival))
        low, high = interval(ours, theirs)
        words.append(
            f"{count} obs: {ratio(ours, theirs):.2f} ({low:.2f}-{high:.2f}), "
            f"at once {_number(ratio(ours, theirs, count))}, {_elsewhere(rival, season, count)}; "
            f"a pixel-year {_rate(ours)} to {_rate(theirs)}"
        )
    return f"{season.value} season: {'; '.join(words)}"


def _number(value: float) -> str:
    return "never so many" if math.isnan(value) else f"{value:.2f}"


def _rate(of_method: Sequence[Curve]) -> str:
    threshold = matching_threshold(of_method)
    rate, omitted = false_alarms(of_method, threshold), omitted_share(of_method, threshold)
    return f"{rate:.2g} (omitted in the year {omitted:.0%})"


def _elsewhere(rival: str, season: Season, count: int) -> str:
    """Return the ratio with the thresholds of the other blocks, and what is detected then."""
    rates, detected = [], []
    for name in (OURS, rival):
        case = Case(season, name, count)
        threshold = matching_threshold(curves(TUNING)[case])
        rates.append(false_alarms(curves(REPORTED)[case], threshold))
        detected.append(detected_share(curves(REPORTED)[case], threshold))
    shares = " and ".join(f"{share:.0%}" for share in detected)
    return f"tuned elsewhere {rates[0] / rates[1]:.2f} at {shares}"


def _measurement(rival: str, seasons: Sequence[Season], *others: str) -> Measurement:
    """Return the worst of the seasons, with one observation."""
    value = max(against(rival, season) for season in seasons)
    notes = [_in_words(name, season) for name in (rival, *others) for season in seasons]
    if others:
        notes[len(seasons)] = f"{', '.join(others)}: {notes[len(seasons)]}"
    return Measurement(value, "×", ratio=value, note=" | ".join(notes))


@measures("false_alarms_vs_previous_date")
def false_alarms_vs_previous_date() -> Measurement:
    """The worse of the two seasons."""
    return _measurement("previous date", list(Season))


@measures("false_alarms_vs_median_strong_season")
def false_alarms_vs_median_strong_season() -> Measurement:
    """One observation; the note has two."""
    return _measurement("3-year median", [Season.STRONG])


@measures("false_alarms_vs_median_weak_season")
def false_alarms_vs_median_weak_season() -> Measurement:
    """One observation; the note has two."""
    return _measurement("3-year median", [Season.WEAK])


@measures("false_alarms_vs_last_year")
def false_alarms_vs_last_year() -> Measurement:
    """The worse of the two seasons; OLS z in the note."""
    return _measurement("last year", list(Season), "OLS z")


def table() -> str:
    """Return false alarms, delays and omissions of all cases as a table in Markdown."""
    head = [
        "season", "observations", "method", "false alarms a stable pixel-year", "ours to it (90 %)",
        "found with observation", "omitted in the year",
    ]  # fmt: skip
    lines = [head, ["---"] * len(head)]
    reported = curves(REPORTED)
    for case, of_method in sorted(
        reported.items(), key=lambda one: (one[0].season.value, one[0].count)
    ):
        ours = reported[Case(case.season, OURS, case.count)]
        threshold = matching_threshold(of_method)
        low, high = interval(ours, of_method)
        lines.append(
            [
                case.season.value,
                str(case.count),
                case.method,
                f"{false_alarms(of_method, threshold):.2g}",
                f"{ratio(ours, of_method):.2f} ({low:.2f}-{high:.2f})",
                f"{mean_delay(of_method, threshold):.2f}",
                f"{omitted_share(of_method, threshold):.0%}",
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw_curves(folder: Path) -> None:
    """Draw what one observation does, a panel a season, as ``false_alarms.png``."""
    from benchmarks.season_alarm_figure import Panel, draw

    reported = curves(REPORTED)
    panels = [
        Panel(
            f"{season.value} season, one observation",
            {method: reported[Case(season, method, 1)] for method in METHODS},
        )
        for season in Season
    ]
    draw(panels, folder / "false_alarms.png")


if __name__ == "__main__":
    print(table())
    if len(sys.argv) > 1:
        draw_curves(Path(sys.argv[1]))
