"""What the ledger says of a run, while it runs or afterwards."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from cvlarray.pipeline.units import Stage
from cvlarray.store import Ledger, Workspace


@dataclass(frozen=True)
class StageStatus:
    """One stage, summed over its units."""

    stage: Stage
    n_done: int
    n_partial: int
    """Units written without the assets that could not be read; the next run tries again."""
    n_unread: int
    """Those assets."""
    wall_s: float
    cpu_s: float
    n_bytes_read: int
    n_bytes_written: int
    last_written: dt.datetime | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        last = self.last_written.isoformat() if self.last_written else None
        return {**asdict(self), "stage": str(self.stage), "last_written": last}


def read_status(workspace: Workspace) -> list[StageStatus]:
    """Return a status for every stage; zeros for one that has not begun."""
    if not workspace.ledger.exists():
        return [_empty(stage) for stage in Stage]
    with Ledger(workspace.ledger) as ledger:
        return [_status(ledger, stage) for stage in Stage]


def _empty(stage: Stage) -> StageStatus:
    return StageStatus(stage, 0, 0, 0, 0.0, 0.0, 0, 0, None)


def _status(ledger: Ledger, stage: Stage) -> StageStatus:
    summary = ledger.summary().get(stage)
    if summary is None:
        return _empty(stage)
    unread = (len(row.detail.get("unread", ())) for row in ledger.rows(stage))
    return StageStatus(
        stage=stage,
        n_done=summary.done,
        n_partial=summary.partial,
        n_unread=sum(unread),
        wall_s=summary.wall_s,
        cpu_s=summary.cpu_s,
        n_bytes_read=summary.bytes_read,
        n_bytes_written=summary.bytes_written,
        last_written=summary.last_written_at,
    )
