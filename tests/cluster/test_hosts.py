"""Runs on machines of a network, one of which fails midway, end with the undisturbed bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.faults import FAULTS, run_with
from tests.cluster.hosts import lacking

STARTS = {"kill -9 of the scheduler": 2}
"""How often the command has to be given, where not once."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_midway_costs_time_alone(
    fault: str,
    forest_source: Path,
    undisturbed: Path,
    tmp_path: Path,
    require_component: Callable[[str, object, str], None],
) -> None:
    absent = lacking()
    require_component(
        f"What namespaces need ({absent})", absent is None, "apt-get install iproute2"
    )
    outcome = run_with(fault, tmp_path, forest_source, undisturbed)
    assert outcome.different == []
    assert outcome.n_repeated == 0
    assert outcome.n_starts == STARTS.get(fault, 1)
    assert outcome.messages[-1].startswith("wall time")
    if outcome.n_starts == 2:
        assert "the Dask scheduler was lost; start it and run again" in outcome.messages[0]
