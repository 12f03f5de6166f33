"""A Dask cluster that is fit to work: measured settings, one version on all machines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dask

from cvlarray.cluster.clients import CLIENTS
from cvlarray.cluster.dask_workers import DaskExecutor
from cvlarray.cluster.fitness import check_versions, forget_checks
from cvlarray.cluster.settings import dask_settings
from cvlarray.config import ClusterConfig

logger = logging.getLogger(__name__)


@contextmanager
def connected(cluster: ClusterConfig, name: str) -> Iterator[DaskExecutor]:
    """Start a cluster, or connect to one, and check it; stop what was started.

    Raises
    ------
    ClusterError
        If the workers can't be had, or have other versions than this process.
    """
    with dask.config.set(dask_settings()), CLIENTS[type(cluster)](cluster) as client:
        check_versions(client)
        workers = DaskExecutor(client, name)
        try:
            yield workers
        finally:
            try:
                workers.forget_prepared()
                forget_checks(client)
            except (OSError, ValueError) as error:
                logger.debug("the scheduler is gone: %s", error)
