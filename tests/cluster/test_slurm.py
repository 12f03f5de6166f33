"""A run in the jobs of a real Slurm, one of which is cancelled midway."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cluster.slurm_server import Slurm
from tests.cluster.workspaces import different_files, finish, n_done, start, write_config

N_UNITS_BEFORE_CANCEL = 10
DEADLINE_S = 200


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_whose_job_is_cancelled_ends_with_the_same_bytes(
    slurm: Slurm, forest_source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    jobs = {"kind": "slurm", "n_jobs": 2, "memory_per_job": "1500MiB", "wall_time": "10",
            "log_directory": str(tmp_path / "jobs"), "start_timeout_s": 120}  # fmt: skip
    config = write_config(tmp_path, forest_source, "slurm-run", jobs)
    run = start(config, env=slurm.environment)
    workspace, deadline = tmp_path / "slurm-run", time.monotonic() + DEADLINE_S
    while run.poll() is None and time.monotonic() < deadline:
        if n_done(workspace) >= N_UNITS_BEFORE_CANCEL and len(slurm.running_jobs()) == 2:
            break
        time.sleep(0.05)
    before, done_before = slurm.running_jobs(), n_done(workspace)
    slurm.command("scancel", before[0])
    finish(run)
    assert len(before) == 2
    assert 0 < done_before < n_done(workspace)
    assert different_files(undisturbed, workspace) == []
    # The job's end is seen, and another takes its place; both are gone after the run.
    assert slurm.command("squeue", "--noheader", "--states=PENDING,RUNNING").split() == []
