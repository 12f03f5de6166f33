"""One YAML a run: read, checked, filled in."""

from cvlarray.config.cluster import ClusterConfig, LocalCluster, SchedulerAddress, Threads
from cvlarray.config.load import load_config
from cvlarray.config.run import RunConfig
from cvlarray.config.schema import json_schema

__all__ = [
    "ClusterConfig",
    "LocalCluster",
    "RunConfig",
    "SchedulerAddress",
    "Threads",
    "json_schema",
    "load_config",
]
