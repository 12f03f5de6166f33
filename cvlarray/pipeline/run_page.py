"""From the ledger to the page that shows how a run went."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cvlarray
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.ingested import unit_key
from cvlarray.pipeline.units import Stage
from cvlarray.report.run_page import (
    DONE,
    MISSING,
    PARTIAL,
    UNOBSERVED,
    Failure,
    LedgerPicture,
    RunPage,
    SlowTile,
    write_run_page,
)
from cvlarray.store import Ledger, LedgerRow

N_SLOWEST = 10
N_FAILURES = 50
"""The last ones."""


def make_run_page(context: RunContext, ledger: Ledger) -> Path:
    """Write the page; return its path.

    Raises
    ------
    StoreError
        If it can't be written.
    """
    rows = ledger.rows()
    summary = ledger.summary()
    page = RunPage(
        region_name=context.config.name.replace("_", " "),
        software=f"cvlarray {cvlarray.__version__}",
        written=dt.datetime.now(dt.UTC),
        stages=[summary[stage] for stage in Stage if stage in summary],
        unit_times=[row.written_at for row in rows],
        failures=read_failures(context.workspace.failures)[-N_FAILURES:],
        slowest=slowest_tiles(rows),
        n_unread=sum(len(row.detail.get("unread", ())) for row in rows),
        n_retried=sum(row.detail.get("n_retried", 0) for row in rows),
        picture=ledger_picture(context, [row for row in rows if row.stage == Stage.INGEST]),
    )
    return write_run_page(page, context.workspace.run_page)


def read_failures(path: Path) -> list[Failure]:
    """Return the failures of all runs, the eldest first; a torn last line is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue
        at = dt.datetime.fromisoformat(row["at"])
        found.append(Failure(at, row["stage"], row["unit"], row["error"]))
    return found


def slowest_tiles(rows: Sequence[LedgerRow]) -> list[SlowTile]:
    """Return the tiles that took longest, all their units together."""
    wall: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for row in rows:
        if Stage(row.stage).is_tiled:
            tile = row.unit.partition("/")[0]
            wall[tile] += row.wall_s
            count[tile] += 1
    median = float(np.median(list(wall.values()))) if wall else 0.0
    slowest = sorted(wall, key=lambda tile: -wall[tile])[:N_SLOWEST]
    return [SlowTile(tile, count[tile], wall[tile], wall[tile] / (median or 1)) for tile in slowest]


def ledger_picture(context: RunContext, rows: Sequence[LedgerRow]) -> LedgerPicture:
    """Return what is known of each tile and month that has scenes.

    A month is missing while one of its dates isn't in the cube, partial while an asset of one
    stayed unread, and unobserved where all is read and no pixel was clear on any date.
    """
    dates = context.dates.astype("datetime64[M]")
    months = np.arange(dates[0], dates[-1] + 1)
    column = (dates - dates[0]).astype(int)
    by_unit = {row.unit: row for row in rows}
    states = np.full((len(context.tiles), len(months)), UNOBSERVED, np.uint8)
    for line, tile in enumerate(context.tiles):
        for block in context.date_blocks():
            row = by_unit.get(unit_key(tile, block))
            known = _states_of_dates(row, [str(day.date) for day in block.days])
            np.maximum.at(states[line], column[block.time], known)
    return LedgerPicture([tile.name for tile in context.tiles], months.astype(str).tolist(), states)


def _states_of_dates(row: LedgerRow | None, dates: Sequence[str]) -> NDArray[np.uint8]:
    """Return a block's states; the codes rise with what a month is called for one such date."""
    if row is None:
        return np.full(len(dates), MISSING, np.uint8)
    clear, read = row.detail.get("clear_share", {}), row.detail.get("dates", {})
    found = [
        PARTIAL if date not in read else DONE if clear.get(date, 0) > 0 else UNOBSERVED
        for date in dates
    ]
    return np.array(found, np.uint8)
