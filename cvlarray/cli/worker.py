"""The command that keeps a Dask worker on a machine."""

from __future__ import annotations

import logging
import sys

import typer

HELP = """Keep a Dask worker on this machine; it comes back after a lost link or scheduler.

Takes a scheduler's address and any option of `dask worker`, and --give-up-after SECONDS."""


def worker(context: typer.Context) -> None:
    """Keep a worker until this is stopped."""
    from cvlarray.cluster.keep_worker import keep_worker  # noqa: PLC0415 (only this command)

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(keep_worker(context.args))
