"""The charts of the page, as places and paths that a template draws."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cvlarray.alerts import AlertSeries
from cvlarray.report import chart, wording
from cvlarray.report.chart import Tick
from cvlarray.report.inputs import Period
from cvlarray.report.observability import CLEAR_DATE_SHARE, as_dates

LITTLE_SEEN = 1.0
"""Clear observations of an average pixel: with fewer, a month's low bar may be blindness."""


@dataclass(frozen=True)
class Line:
    """A dated vertical line."""

    percent: float
    date: str


@dataclass(frozen=True)
class Span:
    """A stretch of the time axis."""

    left: float
    width: float
    label: str


@dataclass(frozen=True)
class SeriesFigure:
    """One alert's observations and what was expected of them."""

    description: str
    feature: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    band: str
    curve: str
    history_dots: str
    clear_dots: str
    flagged_dots: str
    history: Span
    interval: Span | None
    first_detected: Line
    confirmed: Line


@dataclass(frozen=True)
class Bar:
    """One month."""

    left: float
    width: float
    height: float
    label: str
    """What a pointer resting on it says."""


@dataclass(frozen=True)
class BarFigure:
    """A value a month."""

    description: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    bars: list[Bar]
    little_seen: list[Span]


@dataclass(frozen=True)
class MonthRow:
    """The numbers behind the bars."""

    month: str
    detected: str
    clear: str
    little_seen: bool


@dataclass(frozen=True)
class ShareFigure:
    """The clear share of the region, a stem a date."""

    description: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    stems: str
    unread_stems: str
    threshold: float


def series_figure(
    series: AlertSeries, interval: tuple[dt.date | None, dt.date | None]
) -> SeriesFigure:
    """Place one alert's time series.

    Parameters
    ----------
    series
        Observations and expected curve; NaN in the curve leaves a gap.
    interval
        Last clear observation as expected and first one changed; None where unknown.
    """
    days = chart.day_numbers(series.dates)
    curve_days = chart.day_numbers(series.curve_dates)
    start, end = _extent(series, days, curve_days)
    x = chart.date_scale(start, end)
    y = chart.value_scale(
        np.concatenate([series.observed, series.expected, series.lower, series.upper])
    )
    flagged, watched = is_flagged(series), days >= chart.day_number(series.monitoring_start)

    def dots(selected: npt.NDArray[np.bool_]) -> str:
        return chart.dots_path(x.fraction(days[selected]), y.fraction(series.observed[selected]))

    curve_x = x.fraction(curve_days)
    return SeriesFigure(
        description=_series_description(series, int(flagged.sum())),
        feature=series.feature.upper(),
        x_ticks=chart.date_ticks(start, end),
        y_ticks=chart.value_ticks(y),
        band=chart.band_path(curve_x, y.fraction(series.lower), y.fraction(series.upper)),
        curve=chart.line_path(curve_x, y.fraction(series.expected)),
        history_dots=dots(~watched),
        clear_dots=dots(watched & ~flagged),
        flagged_dots=dots(flagged),
        history=_span(x, start, series.monitoring_start, "history"),
        interval=_interval(x, interval),
        first_detected=_line(x, series.first_detected),
        confirmed=_line(x, series.confirmed),
    )


def is_flagged(series: AlertSeries) -> npt.NDArray[np.bool_]:
    """Return (n,) whether an observation lies outside the band, from first detected on."""
    days, curve_days = chart.day_numbers(series.dates), chart.day_numbers(series.curve_dates)
    if curve_days.size == 0:
        return np.zeros(days.shape, dtype=bool)
    lower = np.interp(days, curve_days, series.lower)
    upper = np.interp(days, curve_days, series.upper)
    outside = (series.observed < lower) | (series.observed > upper)
    result: npt.NDArray[np.bool_] = outside & (days >= chart.day_number(series.first_detected))
    return result


def _extent(
    series: AlertSeries, days: chart.FloatArray, curve_days: chart.FloatArray
) -> tuple[dt.date, dt.date]:
    marks = [chart.day_number(d) for d in (series.first_detected, series.confirmed)]
    every = np.concatenate([days, curve_days, marks])
    return dt.date.fromordinal(int(every.min())), dt.date.fromordinal(int(every.max()))


def _series_description(series: AlertSeries, n_flagged: int) -> str:
    return (
        f"{series.feature.upper()} of the alert's pixels on {len(series.dates)} clear dates, with "
        f"the expected seasonal curve and its band. {n_flagged} observations lie outside it from "
        f"{series.first_detected}, when the change was first detected; it was confirmed on "
        f"{series.confirmed}."
    )


def _line(x: chart.Scale, day: dt.date) -> Line:
    return Line(x.percent(chart.day_number(day) + 0.5), day.isoformat())


def _span(x: chart.Scale, start: dt.date, end: dt.date, label: str) -> Span:
    left, right = x.percent(chart.day_number(start)), x.percent(chart.day_number(end))
    return Span(left, round(right - left, 2), label)


def _interval(x: chart.Scale, interval: tuple[dt.date | None, dt.date | None]) -> Span | None:
    start, end = interval
    if start is None or end is None:
        return None
    return _span(x, start, end, f"the change lies between {start} and {end}")


def months_of(period: Period) -> list[pd.Period]:
    """Return the calendar months that a period touches."""
    return list(pd.period_range(period.start, period.end, freq="M"))


def hectares_by_month(
    first_detected: pd.Series, area_m2: pd.Series, months: Sequence[pd.Period]
) -> list[float]:
    """Return the hectares first detected in each month; undated alerts are in none."""
    month = pd.to_datetime(first_detected).dt.to_period("M")
    sums = area_m2.astype(float).groupby(month.to_numpy()).sum() / wording.M2_PER_HA
    return [float(sums.get(m, 0.0)) for m in months]


def detected_figure(
    months: Sequence[pd.Period], hectares: Sequence[float], clear: Sequence[float]
) -> BarFigure:
    """Place hectares first detected a month, over the months that were hardly seen."""
    labels = [
        f"{_name(m)}: {wording.hectares(ha * wording.M2_PER_HA)} first detected"
        for m, ha in zip(months, hectares, strict=True)
    ]
    peak = max(range(len(months)), key=lambda i: hectares[i])
    description = (
        f"Hectares first detected in each month from {_name(months[0])} to {_name(months[-1])}; "
        f"most in {_name(months[peak])} "
        f"({wording.hectares(hectares[peak] * wording.M2_PER_HA)})."
        if hectares[peak]
        else f"Nothing was detected between {_name(months[0])} and {_name(months[-1])}."
    )
    return _bars(months, hectares, labels, description, _little_seen(months, clear))


def clear_figure(months: Sequence[pd.Period], clear: Sequence[float]) -> BarFigure:
    """Place clear observations of an average pixel a month."""
    labels = [
        f"{_name(m)}: {n:.1f} clear observations of an average pixel"
        for m, n in zip(months, clear, strict=True)
    ]
    description = (
        f"Clear observations of an average pixel in each month, from {min(clear):.1f} "
        f"to {max(clear):.1f}."
    )
    return _bars(months, clear, labels, description, _little_seen(months, clear))


def month_rows(
    months: Sequence[pd.Period], hectares: Sequence[float], clear: Sequence[float]
) -> list[MonthRow]:
    """Return the numbers of both bar charts as a table."""
    return [
        MonthRow(
            str(m), wording.hectare_number(ha * wording.M2_PER_HA), f"{n:.1f}", n < LITTLE_SEEN
        )
        for m, ha, n in zip(months, hectares, clear, strict=True)
    ]


def _name(month: pd.Period) -> str:
    return wording.month_text(month.start_time.date())


def _month_scale(months: Sequence[pd.Period]) -> tuple[dt.date, dt.date, chart.Scale]:
    start, end = months[0].start_time.date(), months[-1].end_time.date()
    return start, end, chart.date_scale(start, end)


def _month_span(x: chart.Scale, month: pd.Period) -> Span:
    return _span(x, month.start_time.date(), _day_after(month), _name(month))


def _little_seen(months: Sequence[pd.Period], clear: Sequence[float]) -> list[Span]:
    """Return the stretches of months that were hardly seen, neighbours as one."""
    _, _, x = _month_scale(months)
    low = np.asarray(clear) < LITTLE_SEEN
    return [
        _span(x, first.start_time.date(), _day_after(last), f"{_name(first)} to {_name(last)}")
        for first, last in ((months[run.start], months[run.stop - 1]) for run in chart.runs(low))
    ]


def _day_after(month: pd.Period) -> dt.date:
    return month.end_time.date() + dt.timedelta(days=1)


def _bars(
    months: Sequence[pd.Period],
    values: Sequence[float],
    labels: Sequence[str],
    description: str,
    little_seen: list[Span],
) -> BarFigure:
    start, end, x = _month_scale(months)
    y = chart.Scale(0, max(values) * 1.08 or 1.0)
    spans = [_month_span(x, month) for month in months]
    return BarFigure(
        description=description,
        x_ticks=chart.date_ticks(start, end),
        y_ticks=chart.value_ticks(y),
        bars=[
            Bar(span.left, span.width, y.percent(value), label)
            for span, value, label in zip(spans, values, labels, strict=True)
            if value > 0
        ],
        little_seen=little_seen,
    )


def share_figure(
    clear_share: pd.DataFrame, unread_dates: Sequence[dt.date], monitoring: Period
) -> ShareFigure:
    """Place the clear share of each monitored date, and the dates that weren't wholly read."""
    days = np.array([chart.day_number(day) for day in as_dates(clear_share["date"])], dtype=float)
    share = clear_share["clear_share"].to_numpy(dtype=float)
    first, last = chart.day_number(monitoring.start), chart.day_number(monitoring.end)
    inside = (days >= first) & (days <= last)
    x = chart.date_scale(monitoring.start, monitoring.end)
    unread = np.array([chart.day_number(day) for day in sorted(set(unread_dates))], dtype=float)
    unread = unread[(unread >= first) & (unread <= last)]
    seen = int((share[inside] >= CLEAR_DATE_SHARE).sum())
    return ShareFigure(
        description=(
            f"Share of the region seen clear on each of {int(inside.sum())} dates; {seen} of them "
            f"saw at least half of it, {len(unread) or 'none'} had assets that could not be read."
        ),
        x_ticks=chart.date_ticks(monitoring.start, monitoring.end),
        y_ticks=[Tick(0, "0 %"), Tick(50, "50 %"), Tick(100, "100 %")],
        stems=chart.stems_path(x.fraction(days[inside] + 0.5), share[inside]),
        unread_stems=chart.stems_path(x.fraction(unread + 0.5), np.ones_like(unread)),
        threshold=CLEAR_DATE_SHARE * 100,
    )
