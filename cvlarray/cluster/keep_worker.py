"""Keep a Dask worker: start it again whenever it ends, as one does after a lost link.

A worker that loses its scheduler ends, with exit code 0, and stays away; so does one that the
scheduler took for dead while its link was cut. `python -m cvlarray.cluster.keep_worker` takes the
arguments of `dask worker`, and one of its own: ``--give-up-after`` seconds without a scheduler.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from cvlarray.cluster.settings import environment

logger = logging.getLogger(__name__)

DEATH_TIMEOUT_S = 60
"""How long a worker looks for the scheduler before it ends and is started anew."""
HEALTHY_S = DEATH_TIMEOUT_S + 30
"""One that lived longer has met its scheduler."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STOP_S = 30.0
"""How long a worker may take to stop when asked to."""


@dataclass
class Keeper:
    """One worker command, started again and again."""

    arguments: Sequence[str]
    """What `dask worker` takes."""
    give_up_after_s: float | None = None
    """Without a healthy worker; None: never."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Keep the worker until it is told to stop.

        Returns
        -------
        The exit code: 0 when told to stop, 1 when given up.
        """
        pause_s, healthy_at = FIRST_PAUSE_S, time.monotonic()
        while not self.stopping.is_set():
            started = time.monotonic()
            code = self._run_once()
            lived_s = time.monotonic() - started
            if lived_s > HEALTHY_S:
                pause_s, healthy_at = FIRST_PAUSE_S, time.monotonic()
            if self.stopping.is_set():
                break
            away_s = time.monotonic() - healthy_at
            if self.give_up_after_s is not None and away_s > self.give_up_after_s:
                logger.error("no scheduler for %.0f s: given up", away_s)
                return 1
            logger.warning(
                "worker ended with %d after %.0f s; again in %.0f s", code, lived_s, pause_s
            )
            self.stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return 0

    def stop(self, *_: object) -> None:
        """Stop the worker, and start none any more."""
        self.stopping.set()

    def _run_once(self) -> int:
        command = [sys.executable, "-m", "dask", "worker", *self.arguments]
        if "--death-timeout" not in self.arguments:
            command += ["--death-timeout", str(DEATH_TIMEOUT_S)]
        # What the caller's environment says goes before what was measured here.
        worker = subprocess.Popen(command, env={**environment(), **os.environ})  # noqa: S603 (ours)
        while worker.poll() is None:
            if self.stopping.wait(0.2):
                _stop(worker)
        return worker.returncode


def _stop(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(STOP_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def keep_worker(arguments: Sequence[str]) -> int:
    """Keep a worker until SIGTERM or SIGINT; see `Keeper`."""
    passed, give_up_after_s = _own_option(list(arguments))
    keeper = Keeper(passed, give_up_after_s)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.stop)
    return keeper.run()


def _own_option(arguments: list[str]) -> tuple[list[str], float | None]:
    if "--give-up-after" not in arguments:
        return arguments, None
    at = arguments.index("--give-up-after")
    return arguments[:at] + arguments[at + 2 :], float(arguments[at + 1])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(keep_worker(sys.argv[1:]))
