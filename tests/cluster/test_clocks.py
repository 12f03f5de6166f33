"""Hosts whose clocks differ: nothing that counts is taken from a worker's."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from cvlarray.store import Ledger, Workspace
from tests.cluster.processes import running_scheduler
from tests.cluster.workspaces import different_files, finish, start, write_config

AHEAD = """
import time
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + {seconds}
time.time_ns = lambda: _time_ns() + {seconds} * 10**9
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_an_hour_ahead_and_a_day_behind_end_with_the_same_bytes(
    forest_source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    began = dt.datetime.now(dt.UTC)
    with running_scheduler(tmp_path) as processes:
        for name, seconds in (("ahead", 3_600), ("behind", -86_400)):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "sitecustomize.py").write_text(AHEAD.format(seconds=seconds))
            processes.worker(name, env={"PYTHONPATH": str(folder)})
        block = {"kind": "scheduler", "address": processes.address, "connect_timeout_s": 120}
        finish(start(write_config(tmp_path, forest_source, "run", block)))
    assert different_files(undisturbed, tmp_path / "run") == []
    with Ledger(Workspace(tmp_path / "run").ledger) as ledger:
        rows = ledger.rows()
    assert all(began <= row.written_at <= dt.datetime.now(dt.UTC) for row in rows)
    assert all(0 <= row.wall_s < 600 for row in rows)
