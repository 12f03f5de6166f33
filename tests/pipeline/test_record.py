"""What is kept of how a run went."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cvlarray.config import load_config
from cvlarray.errors import StoreError
from cvlarray.pipeline import Stage, workspace_of
from cvlarray.pipeline.run_page import ledger_picture, read_failures
from cvlarray.pipeline.search import load_context
from cvlarray.report.run_page import DONE, MISSING, UNOBSERVED
from cvlarray.store import Ledger
from tests.pipeline.runs import run


def samples(text: str, name: str) -> dict[str, float]:
    """Return a metric's values by stage."""
    return {
        sample.labels["stage"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_metrics_are_those_of_the_ledger(finished):
    workspace = workspace_of(finished)
    text = workspace.metrics.read_text()
    with Ledger(workspace.ledger) as ledger:
        summary = ledger.summary()
    assert samples(text, "cvlarray_units_total") == {
        stage: found.done + found.partial for stage, found in summary.items()
    }
    assert samples(text, "cvlarray_read_bytes_total") == {
        stage: found.bytes_read for stage, found in summary.items()
    }
    assert set(samples(text, "cvlarray_units_missing").values()) == {0}
    assert 'region="forest"' in text


def test_the_picture_tells_done_missing_and_unobserved_apart(finished):
    context = load_context(finished, workspace_of(finished))
    with Ledger(context.workspace.ledger) as ledger:
        rows = ledger.rows(Stage.INGEST)
    picture = ledger_picture(context, rows)
    assert picture.states.shape == (4, 48)
    # Every seventh date is all cloud; a month of one such date alone was never seen clear.
    clear = {date for row in rows for date, share in row.detail["clear_share"].items() if share}
    expected = [DONE if any(date[:7] == month for date in clear) else UNOBSERVED
                for month in picture.months]  # fmt: skip
    np.testing.assert_array_equal(picture.states, [expected] * 4)
    lost = [row for row in rows if not row.unit.startswith("r000c001/2018")]
    states = ledger_picture(context, lost).states
    assert set(states[1, :9]) == {MISSING}
    np.testing.assert_array_equal(np.delete(states, 1, 0), [expected] * 3)


def test_a_unit_that_fails_is_written_down_and_shown(source, write_config):
    config = load_config(write_config(source))
    run(config, last=Stage.INGEST)
    workspace = workspace_of(config)
    assert read_failures(workspace.failures) == []
    assert "No unit has failed." in workspace.run_page.read_text()
    shard = min(path for path in (workspace.cube / "nir/c").rglob("*") if path.is_file())
    shard.write_bytes(b"no shard")
    with pytest.raises(StoreError):
        run(config, last=Stage.BASELINE)
    failures = read_failures(workspace.failures)
    assert {failure.stage for failure in failures} == {"baseline"}
    assert failures[0].unit in workspace.run_page.read_text()
    assert samples(workspace.metrics.read_text(), "cvlarray_units_total")["baseline"] >= 1
