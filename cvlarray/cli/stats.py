"""``cvlarray stats``: what a run's alerts were in a period, and what became of them."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pandas import DataFrame

    from cvlarray.alerts.seen import Seen
    from cvlarray.alerts.statistics import Operations
    from cvlarray.config import RunConfig

__all__ = ["stats_command"]


STATED = (0.5, 0.7, 0.9)
"""Confidences of which the table says how many of such alerts are confirmed."""


def stats_command(config: RunConfig, start: dt.date, end: dt.date, *, as_json: bool) -> None:
    """Print the tables of a period."""
    from cvlarray.pipeline import stats  # noqa: PLC0415 (loads scipy.optimize)

    found = stats.run_statistics(config, start=start, end=end)
    seen = stats.run_coverage(config, start=start, end=end)
    accuracy = stats.run_accuracy(config)
    if as_json:
        told = {
            **_plain(found),
            "coverage": seen and {"windows": _rows(seen.windows), "blind": _rows(seen.blind)},
            "accuracy": None if accuracy is None else _rows(accuracy),
        }
        typer.echo(json.dumps(told, indent=2))
        return
    console = Console()
    console.print(
        f"{found.start} to {found.end}: {found.n_alerts:,} alerts, {found.n_delivered:,} of them "
        f"delivered to {len(found.delivered)} partners, {found.monitored_km2:,.0f} km² watched"
    )
    for title, counts in (("priority", found.by_priority), ("class", found.by_class)):
        console.print(_counts(title, counts))
    console.print(_latency(found.latency))
    console.print(_feedback(found))
    if seen is not None:
        console.print(_coverage(seen))
    if accuracy is not None:
        console.print(_accuracy(accuracy))


def _counts(title: str, counts: DataFrame) -> Table:
    table = Table(title=f"by {title}", title_justify="left")
    table.add_column(title, style="bold")
    table.add_column("alerts", justify="right")
    table.add_column("share", justify="right")
    for name, n, share in counts.itertuples():
        table.add_row(str(name), f"{n:,}", f"{share:.0%}")
    return table


def _latency(latency: DataFrame) -> Table:
    table = Table(title="latency, minutes", title_justify="left")
    table.add_column("span", style="bold")
    for heading in ("alerts", "median", "90 % within", "paper"):
        table.add_column(heading, justify="right")
    for name, n, _, *minutes in latency.itertuples():
        texts = ("–" if math.isnan(value) else f"{value:,.0f}" for value in minutes)
        table.add_row(str(name), f"{n:,}", *texts)
    backwards = latency["n_backwards"][latency["n_backwards"] > 0]
    if len(backwards):
        told = ", ".join(f"{name}: {n:,}" for name, n in backwards.items())
        table.caption = f"left out, as they end before they begin (clocks differ): {told}"
    return table


def _feedback(found: Operations) -> Table:
    told = found.feedback
    low, high = told.precision_interval
    table = Table(title="feedback", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for partner, n in found.delivered.items():
        table.add_row(f"delivered to {partner}", f"{n:,}")
    table.add_row("judged", f"{told.n_judged:,} of {told.n_alerts:,}")
    table.add_row("confirmed", f"{told.n_confirmed:,}")
    table.add_row("dismissed", f"{told.n_dismissed:,}")
    for reason, n in told.reasons.items():
        table.add_row(f"  {reason.replace('_', ' ')}", f"{n:,}")
    if told.n_judged:
        table.add_row("precision", f"{told.precision:.2f} (95 %: {low:.2f} to {high:.2f})")
    if told.calibration is not None:
        table.add_row("confidence is off by", f"{told.calibration_error:.2f}")
        for stated in STATED:
            table.add_row(f"  {stated:.1f} is worth", f"{told.calibration(stated):.2f}")
    return table


def _coverage(seen: Seen) -> Table:
    """Return a row a jurisdiction: its windows in short, and its days blind."""
    table = Table(title="seen clear, by ten days, and days blind", title_justify="left")
    table.add_column("jurisdiction", style="bold")
    for heading in ("km²", "average", "worst", "blind median", "blind longest"):
        table.add_column(heading, justify="right")
    names = ["layer", "code", "name"]
    shares = seen.windows.groupby(names, dropna=False)["clear_share"]
    joined = seen.blind.merge(shares.agg(["mean", "min"]).reset_index(), on=names)
    for row in joined.to_dict("records"):
        known = (row[part] for part in names if isinstance(row[part], str))
        days = (f"{row[f'{which}_blind_days']:,}" for which in ("median", "longest"))
        shown = f"{row['area_km2']:,.1f}", f"{row['mean']:.0%}", f"{row['min']:.0%}"
        table.add_row(" ".join(known), *shown, *days)
    return table


def _accuracy(accuracy: DataFrame) -> Table:
    """Return a row for each jurisdiction and class of which the sample says anything."""
    table = Table(title="accuracy by the labelled sample, 95 %", title_justify="left")
    table.add_column("jurisdiction", style="bold")
    for heading in ("class", "labelled", "overall", "user's", "producer's", "ha", "mapped ha"):
        table.add_column(heading, justify="right")
    for row in accuracy.to_dict("records"):
        known = (row[part] for part in ("layer", "code", "name") if isinstance(row[part], str))
        table.add_row(
            " ".join(known),
            row["class"],
            f"{row['n_labelled']} of {row['n_points']}",
            *(_with_half_width(row, name) for name in ("overall", "users", "producers")),
            _with_half_width(row, "area", "_m2", 1e-4),
            f"{row['mapped_area_m2'] * 1e-4:,.1f}",
        )
    return table


def _with_half_width(row: Mapping[Any, Any], name: str, unit: str = "", scale: float = 1.0) -> str:
    value, half = row[f"{name}{unit}"], row[f"{name}_half_width{unit}"]
    return "–" if math.isnan(value) else f"{value * scale:,.2f} ± {half * scale:,.2f}"


def _rows(table: DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        table.to_json(orient="records", date_format="iso", date_unit="s")
    )
    return rows


def _plain(found: Operations) -> dict[str, Any]:
    told = found.feedback
    return {
        "start": found.start.isoformat(),
        "end": found.end.isoformat(),
        "monitored_km2": round(found.monitored_km2, 3),
        "n_alerts": found.n_alerts,
        "n_delivered": found.n_delivered,
        "delivered": {str(partner): int(n) for partner, n in found.delivered.items()},
        "by_priority": found.by_priority.to_dict("index"),
        "by_class": found.by_class.to_dict("index"),
        "latency": {
            str(name): {key: _or_none(value) for key, value in row.items()}
            for name, row in found.latency.to_dict("index").items()
        },
        "feedback": {
            "n_judged": told.n_judged,
            "n_confirmed": told.n_confirmed,
            "n_dismissed": told.n_dismissed,
            "reasons": dict(told.reasons),
            "precision": _or_none(told.precision),
            "precision_interval": [_or_none(end) for end in told.precision_interval],
            "calibration_error": _or_none(told.calibration_error),
            "calibration": told.calibration
            and {
                "stated": told.calibration.stated.tolist(),
                "observed": told.calibration.observed.tolist(),
            },
        },
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
