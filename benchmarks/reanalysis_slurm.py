"""A run in the jobs of a real Slurm, one of them cancelled midway, against a local run."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.registry import Measurement, UnavailableError, measures
from tests.cluster.slurm_server import INSTALL, missing_rights, missing_tools, running_slurm
from tests.cluster.workspaces import finish, n_different_bytes, n_done, start, write_config
from tests.pipeline.forest import write_forest

N_UNITS_BEFORE_CANCEL = 10
DEADLINE_S = 200


@measures("slurm_difference")
def slurm_difference() -> Measurement:
    if missing_tools():
        raise UnavailableError(f"Slurm; {INSTALL}")
    if missing_rights():
        raise UnavailableError(f"the rights to start Slurm's jobs: {', '.join(missing_rights())}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for made in ("source", "slurm"):
            (folder / made).mkdir()
        write_forest(folder / "source")
        finish(start(write_config(folder, folder / "source", "local", "threads")))
        jobs = {"kind": "slurm", "n_jobs": 2, "memory_per_job": "1500MiB", "wall_time": "10",
                "log_directory": str(folder / "jobs"), "start_timeout_s": 120}  # fmt: skip
        with running_slurm(folder / "slurm") as slurm:
            config = write_config(folder, folder / "source", "cluster", jobs)
            began = time.monotonic()
            run = start(config, env=slurm.environment)
            while run.poll() is None and time.monotonic() < began + DEADLINE_S:
                started = n_done(folder / "cluster") >= N_UNITS_BEFORE_CANCEL
                if started and len(slurm.running_jobs()) == 2:
                    break
                time.sleep(0.05)
            n_before = n_done(folder / "cluster")
            slurm.command("scancel", slurm.running_jobs()[0])
            finish(run)
            wall_s = time.monotonic() - began
        n_bytes = n_different_bytes(folder / "local", folder / "cluster")
        n_units = n_done(folder / "cluster")
    note = f"2 jobs, one cancelled after {n_before} of {n_units} units; {wall_s:.0f} s"
    return Measurement(n_bytes, "bytes", note=note)
