"""``cvlarray stats``: what a run's alerts were in a period, and what became of them."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pandas import DataFrame

    from cvlarray.alerts.statistics import Operations
    from cvlarray.config import RunConfig

__all__ = ["stats_command"]


def stats_command(config: RunConfig, start: dt.date, end: dt.date, *, as_json: bool) -> None:
    """Print the tables of a period."""
    from cvlarray.pipeline.stats import run_statistics  # noqa: PLC0415 (loads scipy.optimize)

    found = run_statistics(config, start=start, end=end)
    if as_json:
        typer.echo(json.dumps(_plain(found), indent=2))
        return
    console = Console()
    console.print(
        f"{found.start} to {found.end}: {found.n_alerts:,} alerts, "
        f"{found.monitored_km2:,.0f} km² watched"
    )
    for title, counts in (("priority", found.by_priority), ("class", found.by_class)):
        console.print(_counts(title, counts))
    console.print(_latency(found.latency))
    console.print(_feedback(found))


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
    for name, n, *minutes in latency.itertuples():
        texts = ("–" if math.isnan(value) else f"{value:,.0f}" for value in minutes)
        table.add_row(str(name), f"{n:,}", *texts)
    return table


def _feedback(found: Operations) -> Table:
    told = found.feedback
    low, high = told.precision_interval
    table = Table(title="feedback", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row("judged", f"{told.n_judged:,} of {told.n_alerts:,}")
    table.add_row("confirmed", f"{told.n_confirmed:,}")
    table.add_row("dismissed", f"{told.n_dismissed:,}")
    for reason, n in told.reasons.items():
        table.add_row(f"  {reason.replace('_', ' ')}", f"{n:,}")
    if told.n_judged:
        table.add_row("precision", f"{told.precision:.2f} (95 %: {low:.2f} to {high:.2f})")
    return table


def _plain(found: Operations) -> dict[str, Any]:
    told = found.feedback
    return {
        "start": found.start.isoformat(),
        "end": found.end.isoformat(),
        "monitored_km2": round(found.monitored_km2, 3),
        "n_alerts": found.n_alerts,
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
        },
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
