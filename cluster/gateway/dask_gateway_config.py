"""A dask-gateway whose clusters are processes of this machine: dask-gateway-server -f THIS.

For Slurm or Kubernetes take the backend of that name; the rest stays. Users get the same image or
environment as the command that connects: other versions are refused.
"""

import os
import pathlib

from dask_gateway_server.options import Integer, Options

SETTINGS = pathlib.Path(__file__).parent.parent / "dask.env"

c = get_config()  # noqa: F821 (the server brings it)

# Clusters of a user run as that user. The unsafe sibling runs all as the server: for tests alone.
c.DaskGateway.backend_class = os.environ.get(
    "GATEWAY_BACKEND", "dask_gateway_server.backends.local.LocalBackend"
)
c.DaskGateway.authenticator_class = "dask_gateway_server.auth.SimpleAuthenticator"
# DASK_GATEWAY__AUTH__PASSWORD of those who connect; DASK_GATEWAY__AUTH__TYPE is basic.
c.SimpleAuthenticator.password = os.environ["GATEWAY_PASSWORD"]
c.Proxy.address = os.environ.get("GATEWAY_ADDRESS", "127.0.0.1:8000")

# The server's own commands are of a Dask long gone.
c.ClusterConfig.scheduler_cmd = ["dask", "scheduler"]
c.ClusterConfig.worker_cmd = ["dask", "worker"]
c.ClusterConfig.environment = dict(
    line.split("=", 1)
    for line in SETTINGS.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
c.ClusterConfig.worker_cores = 1
c.ClusterConfig.worker_threads = 1
c.ClusterConfig.worker_memory = "4 G"
c.ClusterConfig.scheduler_memory = "2 G"
# A run that was killed leaves its cluster behind; nobody pays for it longer than this.
c.ClusterConfig.idle_timeout = 3600


def of_options(options: Options) -> dict[str, str]:
    """Return a cluster's settings from what its user asks for."""
    return {"worker_memory": f"{options.worker_memory_gb} G"}


c.Backend.cluster_options = Options(
    Integer("worker_memory_gb", default=4, min=1, max=64, label="Memory of a worker, GB"),
    handler=of_options,
)
