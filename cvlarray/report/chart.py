"""The few parts that every chart is drawn from.

A chart is an SVG stretched to whatever box the page gives it, with strokes that don't stretch and
labels in HTML over it. So it stays crisp, and its text readable, from a phone to a wall.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

WIDTH = 1000.0
HEIGHT = 300.0
"""The viewBox, in units without meaning."""

_SHORT_DAYS = 45
_MOST_TICKS = 8
_MONTH_STEPS = (1, 3, 6, 12, 24, 60, 120)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tick:
    """A label and its place along the axis."""

    percent: float
    label: str


@dataclass(frozen=True)
class Scale:
    """Linear map of [low, high] to [0, 1]."""

    low: float
    high: float

    def fraction(self, values: npt.ArrayLike) -> FloatArray:
        """Return where ``values`` lie between low and high."""
        span = self.high - self.low or 1.0
        return (np.asarray(values, dtype=np.float64) - self.low) / span

    def percent(self, value: float) -> float:
        """Return the place of one value in per cent, clipped to the chart."""
        return round(float(np.clip(self.fraction(value), 0, 1)) * 100, 2)


def day_number(day: dt.date) -> int:
    """Return days since 0001-01-01; dates become places through it."""
    return day.toordinal()


def day_numbers(dates: npt.ArrayLike) -> FloatArray:
    """Return what `day_number` does, for an array of dates of any kind."""
    days = np.asarray(dates, dtype="datetime64[D]").astype(np.int64)
    return (days + dt.date(1970, 1, 1).toordinal()).astype(np.float64)


def date_scale(start: dt.date, end: dt.date) -> Scale:
    """Return the scale from the morning of ``start`` to the evening of ``end``."""
    return Scale(day_number(start), day_number(end) + 1)


def value_scale(values: npt.ArrayLike, *, margin: float = 0.06) -> Scale:
    """Return a scale that holds all finite values with a margin (fraction of the range)."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return Scale(0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    pad = (high - low) * margin or abs(high) * margin or 1.0
    return Scale(low - pad, high + pad)


def value_ticks(scale: Scale, count: int = 4) -> list[Tick]:
    """Return ticks at round values inside the scale."""
    step = _round_step((scale.high - scale.low) / count)
    decimals = next((n for n in range(6) if round(step, n) == round(step, 9)), 6)
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    values = [number * step for number in range(first, last + 1)]
    return [Tick(scale.percent(v), f"{v:,.{decimals}f}".replace("-", "−")) for v in values]


def _round_step(at_least: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5, 10, 20, ... that isn't below ``at_least``."""
    power = 10.0 ** math.floor(math.log10(at_least))
    steps = (step * power for step in (1, 2, 2.5, 5))
    return next((step for step in steps if step >= at_least), 10 * power)


def date_ticks(start: dt.date, end: dt.date) -> list[Tick]:
    """Return at most eight ticks, at round days, months or years."""
    scale = date_scale(start, end)
    if (end - start).days <= _SHORT_DAYS:
        days = [day.date() for day in pd.date_range(start, end, freq="7D")]
        return [Tick(scale.percent(day_number(day)), f"{day.day} {day:%b}") for day in days]
    months = [month.date() for month in pd.date_range(start, end, freq="MS")]
    step = next((n for n in _MONTH_STEPS if len(months) / n <= _MOST_TICKS), _MONTH_STEPS[-1])
    label = "%Y" if step % 12 == 0 else "%b %Y"
    return [
        Tick(scale.percent(day_number(day)), day.strftime(label))
        for day in months
        if (day.year * 12 + day.month - 1) % step == 0
    ]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _points(x: FloatArray, y: FloatArray) -> list[str]:
    """Return "x y" in the viewBox for fractions of it; y counts from the bottom."""
    return [
        f"{_number(px)} {_number(py)}" for px, py in zip(x * WIDTH, (1 - y) * HEIGHT, strict=True)
    ]


def runs(keep: npt.NDArray[np.bool_]) -> list[slice]:
    """Return the stretches in which ``keep`` is True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], keep.astype(np.int8), [0]))))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)][::2]


def line_path(x: FloatArray, y: FloatArray) -> str:
    """Return a line through the points (fractions), broken where y is NaN."""
    stretches = runs(np.isfinite(y))
    return "".join("M" + "L".join(_points(x[run], y[run])) for run in stretches)


def band_path(x: FloatArray, lower: FloatArray, upper: FloatArray) -> str:
    """Return the area between two lines (fractions), broken where either is NaN."""
    parts = []
    for run in runs(np.isfinite(lower) & np.isfinite(upper)):
        outline = _points(x[run], upper[run]) + _points(x[run], lower[run])[::-1]
        parts.append("M" + "L".join(outline) + "Z")
    return "".join(parts)


def dots_path(x: FloatArray, y: FloatArray) -> str:
    """Return lines of no length: with round caps and unstretched strokes, they are dots."""
    keep = np.isfinite(y)
    return "".join(f"M{point}h0" for point in _points(x[keep], y[keep]))


def stems_path(x: FloatArray, y: FloatArray) -> str:
    """Return a vertical line from the bottom to each point (fractions)."""
    keep = np.isfinite(y)
    return "".join(
        f"M{_number(px * WIDTH)} {_number(HEIGHT)}V{_number((1 - py) * HEIGHT)}"
        for px, py in zip(x[keep], y[keep], strict=True)
    )
