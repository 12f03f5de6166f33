"""The plan against what happened, on the demo's real square and on sixteen times as much of it."""

from __future__ import annotations

import pytest

from benchmarks.line import plan_error
from benchmarks.line_scenes import mirrored_run
from cvlarray.config import load_config
from cvlarray.pipeline import Stage, make_plan

WITHIN_PERCENT = 30


@pytest.mark.slow
@pytest.mark.parametrize("size_px", [100, 400])
def test_the_plan_is_right_within_thirty_percent(size_px, tmp_path, monkeypatch):
    pytest.importorskip("netCDF4", reason="pip install 'cvlarray[demo]'")
    monkeypatch.setattr("benchmarks.line_scenes.FOLDER", tmp_path)
    error = plan_error(*mirrored_run(size_px))
    assert error.value <= WITHIN_PERCENT, error.note


def test_a_plan_computes_and_writes_nothing(forest_source, write_config, tmp_path):
    config = load_config(write_config(forest_source))
    plan = make_plan(config)
    assert plan.n_items == 121
    assert plan.n_tiles == 4
    # 121 dates in blocks of 24
    assert plan.n_units[Stage.INGEST] == 4 * 6
    assert plan.n_tasks == 4 * 6 + 2 * 4 + 3
    assert not config.workspace.exists()
