"""The plan and the status of a run as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich.table import Table

from cvlarray.pipeline import Plan, StageStatus


def plan_table(plan: Plan) -> Table:
    """Return the plan, a row a quantity."""
    table = Table(title=f"Plan of {plan.name}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row("items", f"{plan.n_items:,}")
    table.add_row("dates", f"{plan.n_dates:,}")
    table.add_row("tiles", f"{plan.n_tiles:,} of up to {plan.tile_px} px")
    table.add_row("pixels a date", f"{plan.n_pixels:,}")
    for stage, n_units in plan.n_units.items():
        n_done = plan.n_units_done[stage]
        done = f", {n_done:,} done" if n_done else ""
        table.add_row(f"units of {stage}", f"{n_units:,}{done}")
    table.add_row("to read", in_units(plan.n_bytes_to_read))
    table.add_row("to store", in_units(plan.n_bytes_to_store))
    table.add_row("peak memory of a worker", in_units(plan.peak_worker_bytes))
    return table


def status_table(stages: Sequence[StageStatus]) -> Table:
    """Return the ledger's view, a row a stage."""
    table = Table(title="Ledger", title_justify="left")
    table.add_column("stage", style="bold")
    for heading in ("done", "partial", "unread assets", "work", "CPU", "written", "last"):
        table.add_column(heading, justify="right")
    for stage in stages:
        table.add_row(
            str(stage.stage),
            f"{stage.n_done:,}",
            f"{stage.n_partial:,}",
            f"{stage.n_unread:,}",
            f"{stage.wall_s:,.1f} s",
            f"{stage.cpu_s:,.1f} s",
            in_units(stage.n_bytes_written),
            f"{stage.last_written:%Y-%m-%d %H:%M:%S}" if stage.last_written else "–",
        )
    return table


def coverage_table(months: pd.DataFrame) -> Table:
    """Return how much was seen, a row a month."""
    table = Table(title="Seen by month", title_justify="left")
    table.add_column("month", style="bold")
    for heading in ("dates", "clear", "clear looks at a tile", "tiles clear once or more"):
        table.add_column(heading, justify="right")
    for start, row in months.iterrows():
        shares = (row["clear_share"], row["clear_tile_dates"], row["clear_tiles"])
        texts = ("–" if pd.isna(share) else f"{share:.0%}" for share in shares)
        table.add_row(f"{start:%Y-%m}", f"{row['n_dates']:.0f}", *texts)
    return table


def in_units(n_bytes: float) -> str:
    """Return a number of bytes as people read it: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} PB"
