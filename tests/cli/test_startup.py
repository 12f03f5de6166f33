"""What starting the program loads: a run in threads needs no cluster, no plots, no HTTP."""

import subprocess
import sys

HEAVY = {
    "distributed",
    "matplotlib",
    "netCDF4",
    "pystac_client",
    "scipy.optimize",
    "scipy.stats",
    "stackstac",
    "torch",
}
"""A tenth of a second or more each, and not needed by every run."""


def test_program_loads_nothing_heavy_that_a_run_may_not_need():
    script = "import sys, cvlarray.cli.app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())
