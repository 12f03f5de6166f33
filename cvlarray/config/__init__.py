"""One YAML a run: read, checked, filled in."""

from cvlarray.config.cluster import (
    ClusterConfig,
    CudaCluster,
    GatewayCluster,
    KubernetesCluster,
    LocalCluster,
    SchedulerAddress,
    SlurmCluster,
    Threads,
)
from cvlarray.config.load import load_config
from cvlarray.config.models import RadarConfig
from cvlarray.config.run import RunConfig
from cvlarray.config.schema import json_schema

__all__ = [
    "ClusterConfig",
    "CudaCluster",
    "GatewayCluster",
    "KubernetesCluster",
    "LocalCluster",
    "RadarConfig",
    "RunConfig",
    "SchedulerAddress",
    "SlurmCluster",
    "Threads",
    "json_schema",
    "load_config",
]
