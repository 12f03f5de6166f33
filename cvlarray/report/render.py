"""One HTML file from the report's inputs: it sends no request, and runs no script but its own."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from cvlarray.alerts import ChipPair
from cvlarray.alerts.latency import Latency, latency_summary
from cvlarray.report import figures, observability, palette, pictures, wording
from cvlarray.report.alert_list import AlertEntry, date_legend, entries, ranked
from cvlarray.report.environment import environment
from cvlarray.report.inputs import ReportInputs
from cvlarray.report.map import alert_map
from cvlarray.store import StageSummary, write_atomic


@dataclass(frozen=True)
class Chip:
    """One picture of a card."""

    name: str
    uri: str | None
    date: str


@dataclass(frozen=True)
class Card:
    """One alert with its evidence."""

    entry: AlertEntry
    chips: list[Chip]
    figure: figures.SeriesFigure | None


@dataclass(frozen=True)
class GapMap:
    """The picture of the longest gaps and its legend."""

    uri: str
    gradient: str
    longest: int
    """Days at the legend's dark end."""
    has_never_clear: bool


def render_report(inputs: ReportInputs) -> str:
    """Return the report as one self-contained HTML page below 5 MB.

    Parameters
    ----------
    inputs
        Everything it shows. Lazy detections are reduced and computed here, once.

    Raises
    ------
    ValueError
        If a chip is no PNG, naming its event.
    """
    alerts = ranked(inputs.alerts)
    listed = entries(alerts)
    template = environment().get_template("page.html.j2")
    return template.render(
        inputs=inputs,
        script_hash=_script_hash(),
        entries=listed[: inputs.limits.rows],
        n_alerts=len(listed),
        cards=[_card(entry, inputs) for entry in listed[: inputs.limits.cards]],
        **_summary_part(alerts, listed),
        **_map_part(inputs, alerts, listed),
        **_time_part(inputs, alerts),
        **_observability_part(inputs),
        **_run_part(inputs),
    )


def write_report(inputs: ReportInputs, path: str | os.PathLike[str]) -> Path:
    """Write `render_report`'s page so that a reader never meets half of it.

    Parameters
    ----------
    inputs
        Everything the report shows.
    path
        The HTML file; its folder is made, an older file replaced.

    Returns
    -------
    The path.

    Raises
    ------
    StoreError
        If it can't be written; an older report is then left as it was.
    """
    target = Path(path)
    write_atomic(target, render_report(inputs))
    return target


@cache
def _script_hash() -> str:
    """Return the hash by which the page's policy knows its only script."""
    script = environment().get_template("page.js").render()
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _summary_part(alerts: gpd.GeoDataFrame, listed: Sequence[AlertEntry]) -> dict[str, Any]:
    dates = [entry.first_detected for entry in listed if entry.first_detected]
    finding = wording.finding(
        Counter(entry.label for entry in listed),
        sum(entry.area_m2 for entry in listed),
        min(dates, default=None),
        max(dates, default=None),
    )
    return {
        "finding": finding,
        "n_pending": sum(entry.confirmed is None for entry in listed),
        "legend": date_legend(alerts["first_detected"]),
    }


def _map_part(
    inputs: ReportInputs, alerts: gpd.GeoDataFrame, listed: Sequence[AlertEntry]
) -> dict[str, Any]:
    drawn = inputs.limits.shapes
    return {
        "map": alert_map(
            inputs.geobox,
            alerts.geometry.iloc[:drawn],
            listed[:drawn],
            cards=inputs.limits.cards,
            region=inputs.region,
            background=inputs.background,
        )
    }


def _card(entry: AlertEntry, inputs: ReportInputs) -> Card:
    pair = inputs.chips.get(entry.event_id, ChipPair(None, None, None, None))
    series = inputs.series.get(entry.event_id)
    return Card(
        entry=entry,
        chips=[
            _chip("Before", pair.before_png, pair.before_date, entry),
            _chip("After", pair.after_png, pair.after_date, entry),
        ],
        figure=figures.series_figure(series, entry.interval) if series else None,
    )


def _chip(name: str, png: bytes | None, date: dt.date | None, entry: AlertEntry) -> Chip:
    try:
        uri = pictures.chip_uri(png) if png else None
    except ValueError as error:
        raise ValueError(f"event {entry.event_id}, chip {name.lower()}: {error}") from error
    return Chip(name, uri, wording.date_text(date))


def _time_part(inputs: ReportInputs, alerts: gpd.GeoDataFrame) -> dict[str, Any]:
    months = figures.months_of(inputs.monitoring)
    clear = observability.clear_by_month(inputs.clear_share, months)
    detected = figures.hectares_by_month(alerts["first_detected"], alerts["area_m2"], months)
    return {
        "detected_figure": figures.detected_figure(months, detected, clear),
        "clear_figure": figures.clear_figure(months, clear),
        "month_rows": figures.month_rows(months, detected, clear),
    }


def _observability_part(inputs: ReportInputs) -> dict[str, Any]:
    seen = observability.measure(inputs.detections, inputs.geobox)
    unread_dates = Counter(asset.date for asset in inputs.unread)
    return {
        "seen": seen,
        "gap_map": _gap_map(seen),
        "region_gaps": observability.region_gaps(inputs.clear_share, inputs.monitoring),
        "clear_date_share": observability.CLEAR_DATE_SHARE,
        "share_figure": figures.share_figure(
            inputs.clear_share, list(unread_dates), inputs.monitoring
        ),
        "blind_rows": observability.blind_rows(
            inputs.blindness, at_most=inputs.limits.jurisdictions
        ),
        "n_dates": _dates_inside(inputs),
        "n_unread_dates": len(unread_dates),
        "unread": sorted(inputs.unread, key=lambda asset: asset.date)[: inputs.limits.unread],
    }


def _dates_inside(inputs: ReportInputs) -> int:
    start, end = inputs.monitoring.start, inputs.monitoring.end
    return sum(start <= day <= end for day in observability.as_dates(inputs.clear_share["date"]))


def _gap_map(seen: observability.Observability) -> GapMap:
    ever = seen.gap_days[~seen.never_clear]
    longest = max(int(ever.max(initial=0)), 1)
    pixels = palette.ramp(seen.gap_days / longest, palette.GAP_STOPS)
    pixels[seen.never_clear] = palette.rgb(palette.NEVER_CLEAR)
    return GapMap(
        uri=pictures.data_uri(pictures.png_bytes(pixels)),
        gradient=palette.css_gradient(palette.GAP_STOPS),
        longest=longest,
        has_never_clear=bool(np.any(seen.never_clear)),
    )


def _run_part(inputs: ReportInputs) -> dict[str, Any]:
    total = _total(inputs.stages) if inputs.stages else None
    config: Mapping[str, str] = inputs.config
    return {"total": total, "config": list(config.items()), "spans": _spans(inputs.latencies)}


def _spans(latencies: Sequence[Latency]) -> list[dict[str, Any]]:
    """Return the rows of the table of latencies; none if nothing of it is known."""
    table = latency_summary(latencies)
    if not table[["n", "n_backwards"]].any(axis=None):
        return []
    return [
        {
            "name": name,
            "n": n,
            "n_backwards": n_backwards,
            "times": [None if np.isnan(m) else 60 * m for m in minutes],
        }
        for name, n, n_backwards, *minutes in table.itertuples()
    ]


def _total(stages: Sequence[StageSummary]) -> StageSummary:
    return StageSummary(
        stage="All stages",
        done=sum(stage.done for stage in stages),
        partial=sum(stage.partial for stage in stages),
        last_written_at=max(stage.last_written_at for stage in stages),
        wall_s=sum(stage.wall_s for stage in stages),
        cpu_s=sum(stage.cpu_s for stage in stages),
        bytes_read=sum(stage.bytes_read for stage in stages),
        bytes_written=sum(stage.bytes_written for stage in stages),
    )
