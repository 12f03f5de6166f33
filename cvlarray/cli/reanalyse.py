"""`cvlarray reanalyse`: the run's stages over years, then what they add up to."""

from __future__ import annotations

from enum import StrEnum

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from cvlarray.cli.costs import calibrated_costs
from cvlarray.config import RunConfig
from cvlarray.errors import SearchError
from cvlarray.pipeline import (
    CatalogueChange,
    Stage,
    catalogue_change,
    make_plan,
    save_plan,
    workspace_of,
)

N_NAMED = 10
"""Items that are named; the others are counted."""


def keep_plan(config: RunConfig) -> None:
    """Keep what the reanalysis will take, to be held against what it took."""
    plan = make_plan(config, last=Stage.ANNUAL)
    save_plan(plan, calibrated_costs(config, plan), workspace_of(config))


class Items(StrEnum):
    """Which items to go on with where the catalogue has changed."""

    SAVED = "saved"
    NEW = "new"


HELP = """Run every stage over the years, then follow each change: yearly maps, areas, sites.

Stages and ledger are those of `run`: what either has done, the other doesn't do again.
"""


def areas_table(areas: pd.DataFrame) -> Table:
    """Return the region's hectares, a row a year."""
    table = Table(title="Disturbed by year, ha", title_justify="left")
    table.add_column("year", style="bold")
    for heading in ("mapped", "of it mining", "certain", "possible", "hidden", "estimated, 95 %"):
        table.add_column(heading, justify="right")
    whole = areas[areas["domain"] == "region"]
    mined = whole[whole["agent"] == "mining"].set_index("year")["mapped_ha"]
    for _, row in whole[whole["agent"] == "all"].iterrows():
        interval = (
            "–"
            if pd.isna(row["estimated_ha"])
            else f"{row['estimated_ha']:,.1f} ({row['low_ha']:,.1f}–{row['high_ha']:,.1f})"
        )
        shown = [row["mapped_ha"], mined[row["year"]]]
        shown += [row[name] for name in ("certain_ha", "possible_ha", "hidden_ha")]
        table.add_row(str(row["year"]), *(f"{value:,.2f}" for value in shown), interval)
    return table


def wants_new_items(config: RunConfig, choice: Items | None, console: Console) -> bool:
    """Say how the catalogue has changed since it was first asked, and ask which answer counts.

    Where nobody can be asked, the saved one does: a figure shouldn't change by being resumed.
    """
    try:
        change = catalogue_change(config, workspace_of(config))
    except SearchError as error:
        console.print(f"the catalogue can't be asked again, the saved items count: {error}")
        return False
    if not change:
        return False
    for line in _lines(change):
        console.print(line)
    if choice is None and console.is_terminal:
        return typer.confirm("take the catalogue's new answer?", default=False)
    wants = choice is Items.NEW
    console.print(f"going on with the {'new' if wants else 'saved'} items (--items)")
    return wants


def _lines(change: CatalogueChange) -> list[str]:
    """Return what changed, a line a kind."""
    kinds = (
        ("came", change.added),
        ("are gone", change.removed),
        ("were processed or moved anew", change.changed),
    )
    lines = []
    for what, ids in kinds:
        if ids:
            more = f" and {len(ids) - N_NAMED} more" if len(ids) > N_NAMED else ""
            named = ", ".join(ids[:N_NAMED])
            lines.append(
                f"catalogue: {len(ids)} items {what} since the first search: {named}{more}"
            )
    return lines
