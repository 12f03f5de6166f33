"""A Dask client for each kind of cluster: started here, found running, or asked for elsewhere."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import distributed
import yaml

from cvlarray.cluster.dask_workers import GPU
from cvlarray.cluster.settings import environment
from cvlarray.config import (
    CudaCluster,
    GatewayCluster,
    KubernetesCluster,
    LocalCluster,
    SchedulerAddress,
    SlurmCluster,
)
from cvlarray.errors import ClusterError, MissingExtraError

WORKER_MODULE = "cvlarray.cluster.keep_worker"
"""What a job runs: a worker that comes back after a lost link."""
INSTALL = "install the extra: pip install 'cvlarray[cluster]'"
GIVE_UP_AFTER_S = 600
"""How long a job's worker looks for its scheduler: the command may be gone for good."""


@contextmanager
def local_client(cluster: LocalCluster) -> Iterator[distributed.Client]:
    """Start worker processes on this machine."""
    with (
        distributed.LocalCluster(
            n_workers=cluster.n_workers,
            threads_per_worker=cluster.threads_per_worker,
            memory_limit=cluster.memory_limit or "auto",
            **_dashboard(cluster.dashboard_address),
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


@contextmanager
def scheduler_client(cluster: SchedulerAddress) -> Iterator[distributed.Client]:
    """Connect to a scheduler that runs already, once it has a worker.

    Raises
    ------
    ClusterError
        If it doesn't answer, or has no worker.
    """
    try:
        client = distributed.Client(cluster.address, timeout=cluster.connect_timeout_s)
    except OSError as error:
        raise ClusterError(
            f"no Dask scheduler answers at {cluster.address} within "
            f"{cluster.connect_timeout_s:g} s; start one with `dask scheduler`, or use "
            f"--cluster local"
        ) from error
    with client:
        _wait_for_worker(client, cluster.connect_timeout_s, f"start some: cvlarray worker "
                                                             f"{cluster.address}")  # fmt: skip
        yield client


@contextmanager
def cuda_client(cluster: CudaCluster) -> Iterator[distributed.Client]:
    """Start a worker for each GPU of this machine, and others for what needs none.

    Raises
    ------
    MissingExtraError
        Without dask-cuda, which comes in an environment of its own.
    """
    cuda = _extra("dask_cuda.worker_spec", "see cluster/README.md for its environment")
    gpu_workers = cuda.worker_spec()
    with mixed_cluster(gpu_workers, cluster) as started, distributed.Client(started) as client:
        yield client


def mixed_cluster(
    gpu_workers: Mapping[Any, Mapping[str, Any]], cluster: CudaCluster
) -> distributed.SpecCluster:
    """Return a scheduler with workers for GPU work and workers for all else.

    Parameters
    ----------
    gpu_workers
        What dask-cuda starts for each GPU, by device.
    cluster
        What the others are.
    """
    memory = {"memory_limit": cluster.memory_limit} if cluster.memory_limit else {}
    one_unit_each = {
        f"gpu-{device}": {
            "cls": spec["cls"],
            "options": {**spec["options"], **memory, "nthreads": 1, "resources": {GPU: 1}},
        }
        for device, spec in gpu_workers.items()
    }
    options = {"nthreads": 1, **memory}
    cpu_workers = {
        f"cpu-{number}": {"cls": distributed.Nanny, "options": options}
        for number in range(cluster.n_cpu_workers)
    }
    dashboard = _dashboard(cluster.dashboard_address)
    scheduler = {
        "dashboard_address": dashboard["dashboard_address"],
        **dashboard["scheduler_kwargs"],
    }
    return distributed.SpecCluster(
        workers={**one_unit_each, **cpu_workers},
        scheduler={"cls": distributed.Scheduler, "options": scheduler},
        silence_logs=False,
    )


@contextmanager
def slurm_client(cluster: SlurmCluster) -> Iterator[distributed.Client]:
    """Put jobs into Slurm's queue, and again when they end; cancel them afterwards.

    Raises
    ------
    ClusterError
        If Slurm refuses, or no job has started within ``start_timeout_s``.
    """
    jobqueue = _extra("dask_jobqueue")
    logs = cluster.log_directory
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment().items()]
    with (
        jobqueue.SLURMCluster(
            cores=cluster.cores_per_job,
            processes=cluster.cores_per_job,
            memory=cluster.memory_per_job,
            walltime=cluster.wall_time,
            queue=cluster.partition,
            account=cluster.account,
            interface=cluster.interface,
            job_extra_directives=list(cluster.directives),
            job_script_prologue=[*exports, *cluster.setup],
            log_directory=str(logs) if logs else None,
            scheduler_options={"dashboard_address": ":0"},
            job_name="cvlarray",
            python=shlex.quote(sys.executable),
            worker_command=WORKER_MODULE,
            worker_extra_args=[
                *("--nworkers", cluster.cores_per_job),
                *("--give-up-after", GIVE_UP_AFTER_S),
            ],
        ) as jobs,
        distributed.Client(jobs) as client,
    ):
        # Adaptive with both ends alike: a job that was cancelled or timed out is put in anew.
        jobs.adapt(minimum_jobs=cluster.n_jobs, maximum_jobs=cluster.n_jobs)
        _wait_for_worker(client, cluster.start_timeout_s, "see squeue for what the jobs wait for")
        yield client


@contextmanager
def kubernetes_client(cluster: KubernetesCluster) -> Iterator[distributed.Client]:
    """Make a DaskCluster resource, and delete it afterwards.

    Raises
    ------
    ClusterError
        If the manifest can't be read, or no pod has started within ``start_timeout_s``.
    """
    operator = _extra("dask_kubernetes.operator")
    with (
        operator.KubeCluster(
            custom_cluster_spec=read_manifest(cluster.manifest),
            namespace=cluster.namespace,
            n_workers=cluster.n_workers,
            quiet=True,
        ) as pods,
        distributed.Client(pods) as client,
    ):
        if cluster.n_workers:
            pods.scale(cluster.n_workers)
        _wait_for_worker(client, cluster.start_timeout_s, "see kubectl get pods, describe pod")
        yield client


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the DaskCluster of a file, which may hold other resources too.

    Raises
    ------
    ClusterError
        If there is none, or several.
    """
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise ClusterError(f"can't read cluster.manifest {path}: {error}") from error
    found = [one for one in documents if isinstance(one, dict) and one.get("kind") == "DaskCluster"]
    if len(found) != 1:
        raise ClusterError(
            f"cluster.manifest {path} must hold one resource of kind DaskCluster, has {len(found)}"
        )
    return found[0]


@contextmanager
def gateway_client(cluster: GatewayCluster) -> Iterator[distributed.Client]:
    """Ask a dask-gateway for a cluster, and give it back afterwards.

    Raises
    ------
    ClusterError
        If the gateway doesn't answer or refuses, or no worker has started in time.
    """
    gateways = _extra("dask_gateway")
    with (
        gateways.Gateway(cluster.address, proxy_address=cluster.proxy_address) as gateway,
        _new_cluster(gateway, cluster) as started,
        started.get_client() as client,
    ):
        started.scale(cluster.n_workers)
        _wait_for_worker(client, cluster.start_timeout_s, "see the gateway server's log")
        yield client


def _new_cluster(gateway: Any, cluster: GatewayCluster) -> Any:
    gateways, aiohttp = _extra("dask_gateway"), _extra("aiohttp")
    refusals = (
        gateways.GatewayClusterError,
        gateways.GatewayServerError,
        aiohttp.ClientResponseError,  # a wrong password
        ValueError,  # options that the server doesn't offer
    )
    try:
        return gateway.new_cluster(shutdown_on_close=True, **cluster.options)
    except refusals as error:
        raise ClusterError(f"the gateway at {cluster.address} refuses: {error}") from error
    except (OSError, aiohttp.ClientError) as error:
        raise ClusterError(f"no gateway answers at {cluster.address}: {error}") from error


CLIENTS: Mapping[type, Callable[[Any], AbstractContextManager[distributed.Client]]] = {
    LocalCluster: local_client,
    SchedulerAddress: scheduler_client,
    CudaCluster: cuda_client,
    SlurmCluster: slurm_client,
    KubernetesCluster: kubernetes_client,
    GatewayCluster: gateway_client,
}
"""By the `cluster:` block of a run."""


def _dashboard(address: str | None) -> dict[str, Any]:
    # The scheduler serves its health page at this address even without a dashboard.
    return {
        "dashboard_address": address or ":0",
        "scheduler_kwargs": {"dashboard": address is not None},
    }


def _wait_for_worker(client: distributed.Client, timeout_s: float, advice: str) -> None:
    try:
        client.wait_for_workers(1, timeout=timeout_s)
    except TimeoutError as error:
        raise ClusterError(f"no worker has come within {timeout_s:g} s; {advice}") from error


def _extra(module: str, advice: str = INSTALL) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        raise MissingExtraError(f"this kind of cluster needs {package}; {advice}") from error
