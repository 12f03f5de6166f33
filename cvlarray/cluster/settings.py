"""How Dask's processes are set up, and why.

`cluster/README.md` says the same to those who start workers by themselves; `environment` is what
the units, manifests and scripts in `cluster/` set.
"""

from __future__ import annotations

from typing import Any

DASK_SETTINGS: dict[str, Any] = {
    # A kernel may keep a worker from answering for several seconds: below 11 s healthy workers were
    # taken for dead. A cut link costs this long before its units start elsewhere.
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.comm.timeouts.connect": "60s",
    # Units hand back a few numbers and keep no data in Dask, so there is nothing to spill; what
    # counts is the process, which pauses before the system ends it.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.85,
    "distributed.worker.memory.terminate": 0.95,
    # A unit that took three workers with it is not given to a fourth.
    "distributed.scheduler.allowed-failures": 3,
    # Nothing looks at the events, of which every unit leaves some.
    "distributed.admin.low-level-log-length": 0,
}
"""For clients, schedulers and workers alike."""

WORKER_ENVIRONMENT = {
    # Dask's own default of 64 KiB gives memory back after every block and fetches it again for the
    # next: models on the CPU ran 1.8 times slower for it.
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(64 * 2**20),
    # A unit computes in its own thread.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "GDAL_NUM_THREADS": "1",
}
"""Variables of a worker process; they must be there before it starts."""


def dask_settings() -> dict[str, Any]:
    """Return what `dask.config.set` takes, on whichever machine starts workers."""
    return {**DASK_SETTINGS, "distributed.nanny.pre-spawn-environ": dict(WORKER_ENVIRONMENT)}


def environment() -> dict[str, str]:
    """Return the same as environment variables, for processes that are started elsewhere."""
    return {
        **{_variable(key): str(value) for key, value in DASK_SETTINGS.items()},
        **WORKER_ENVIRONMENT,  # a nanny takes them from its own environment first
    }


def _variable(key: str) -> str:
    return "DASK_" + key.replace(".", "__").replace("-", "_").upper()
