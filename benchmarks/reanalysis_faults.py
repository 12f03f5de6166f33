"""Runs on other people's machines: what faults cost, and whether any byte differs afterwards.

`python -m benchmarks.reanalysis_faults` prints the table of time lost a fault. It needs root, for
network namespaces, and takes about ten minutes.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from benchmarks.registry import Measurement, UnavailableError, measures
from tests.cluster.faults import FAULTS, Outcome, run_with, table
from tests.cluster.hosts import lacking
from tests.cluster.workspaces import finish, start, write_config
from tests.pipeline.forest import write_forest


@cache
def outcomes() -> tuple[Outcome, ...]:
    """Run once undisturbed and once with each fault."""
    absent = lacking()
    if absent:
        raise UnavailableError(f"{absent}, for network namespaces")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        source.mkdir()
        write_forest(source)
        finish(start(write_config(folder, source, "whole", "threads")))
        return tuple(
            run_with(fault, folder / f"fault{number}", source, folder / "whole")
            for number, fault in enumerate(FAULTS)
        )


@measures("fault_difference")
def fault_difference() -> Measurement:
    found = outcomes()
    undisturbed = found[0].wall_s
    lost = "; ".join(f"{one.fault}: {one.wall_s - undisturbed:.0f} s" for one in found[1:])
    n_bytes = sum(one.n_different_bytes for one in found)
    return Measurement(
        n_bytes, "bytes", undisturbed, note=f"lost against {undisturbed:.0f} s: {lost}"
    )


@measures("fault_repeated_units")
def fault_repeated_units() -> Measurement:
    found = outcomes()
    lost = "; ".join(f"{one.fault}: {one.n_lost}" for one in found[1:])
    n_repeated = sum(one.n_repeated for one in found)
    return Measurement(n_repeated, "units", note=f"lost and done again: {lost}")


if __name__ == "__main__":
    print(table(list(outcomes())))
