"""A model whose leases take long enough to lose a worker in, in a module that workers import."""

from __future__ import annotations

import os
import time

from cvlarray.inference import Windows, run_lease
from cvlarray.models import SpectralRule
from cvlarray.pipeline.units import UnitOutcome
from tests.inference.scenes import one_date

WINDOWS = Windows(window=48, overlap=8, batch_size=1)


class SlowRule(SpectralRule):
    """The spectral rule, a tenth of a second a window."""

    def predict(self, chips, is_valid):
        time.sleep(0.1)
        return super().predict(chips, is_valid)


def classify(cube, store, lease, model, started):
    """Run a lease; leave this process's number in a folder before."""
    (started / f"{lease.date}-{lease.y.start}-{lease.x.start}-{os.getpid()}").touch()
    found = run_lease(one_date(cube, lease.date), lease, store, model, WINDOWS)
    return UnitOutcome(n_bytes_written=found.n_bytes_written)


def leave_number(folder):
    """Do what is done once a process: leave its number."""
    with (folder / str(os.getpid())).open("a") as file:
        file.write("prepared\n")
