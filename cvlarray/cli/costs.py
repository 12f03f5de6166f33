"""What a run costs, as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from cvlarray.config import RunConfig
from cvlarray.pipeline import Costs, Plan, estimate_costs, read_calibration, workspace_of


def calibrated_costs(config: RunConfig, plan: Plan) -> Costs | None:
    """Return the costs of a run, None if no tile of it was calibrated."""
    calibration = read_calibration(workspace_of(config))
    return None if calibration is None else estimate_costs(config, plan, calibration)


def costs_table(costs: Costs) -> Table:
    """Return the costs, a row a quantity, and what they assume."""
    table = Table(title="Costs", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for stage, hours in costs.core_hours.items():
        if hours:
            table.add_row(f"core-hours of {stage}", f"{hours:,.2f}")
    table.add_row("core-hours", f"{costs.total_core_hours:,.2f}")
    table.add_row("GPU-hours", f"{costs.gpu_hours:,.2f}")
    table.add_row(f"hours on {costs.n_workers} workers", f"{costs.hours:,.2f}")
    table.add_row("from the network", f"{costs.network_gb:,.2f} GB")
    table.add_row("in the stores", f"{costs.stored_gb:,.2f} GB")
    table.add_row("money", f"{costs.money:,.2f} {costs.currency}")
    table.caption = "; ".join(costs.assumptions)
    return table


def outcome_table(rows: Sequence[tuple[str, float, float, str]]) -> Table:
    """Return what was planned beside what happened."""
    table = Table(title="Plan and outcome", title_justify="left")
    table.add_column("quantity", style="bold")
    for heading in ("planned", "happened"):
        table.add_column(heading, justify="right")
    for name, planned, happened, unit in rows:
        texts = (f"{value:,.4g} {unit}".strip() for value in (planned, happened))
        first, second = texts
        table.add_row(name, "–" if math.isnan(planned) else first, second)
    return table
