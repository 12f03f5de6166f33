"""Where the work units of a run are done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from cvlarray.config.section import Section

ADDRESS_PATTERN = r"^(tcp|tls|ws|wss)://[^\s/]+:\d+$"
MEMORY_PATTERN = r"^\d+(\.\d+)? ?([kMGT]i?)?B$"
WALL_TIME_PATTERN = r"^(\d+-)?\d{1,3}(:\d{2}){0,2}$"

StartTimeout = Annotated[float, Field(gt=0, le=7 * 86400)]


class Threads(Section):
    """Threads of the one process: nothing to start, no dashboard."""

    kind: Literal["threads"] = Field(default="threads", description="Always threads.")
    n_threads: int | None = Field(
        default=None, ge=1, le=1024, description="Threads, 1 to 1024; null: one a CPU core."
    )


class LocalCluster(Section):
    """Dask worker processes on this machine."""

    kind: Literal["local"] = Field(default="local", description="Always local.")
    n_workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Worker processes, 1 to 1024; null: as many as fill the CPU cores.",
    )
    threads_per_worker: int | None = Field(
        default=1,
        ge=1,
        le=1024,
        description="Threads of each worker, 1 to 1024; null: Dask's choice.",
    )
    memory_limit: str | None = Field(
        default=None,
        pattern=MEMORY_PATTERN,
        description="Memory of each worker, bytes with a unit, such as 4GiB; null: an equal share.",
    )
    dashboard_address: str | None = Field(
        default=":0",
        pattern=r"^[^\s:]*:\d+$",
        description="host:port of the Dask dashboard, port 0 to 65535; :0 takes a free port; "
        "null: no dashboard.",
    )


class SchedulerAddress(Section):
    """A Dask scheduler that runs already; its workers are its own affair."""

    kind: Literal["scheduler"] = Field(default="scheduler", description="Always scheduler.")
    address: str = Field(
        pattern=ADDRESS_PATTERN,
        description="Address of the scheduler, such as tcp://10.0.0.1:8786.",
    )
    connect_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="How long to wait for its answer, s, up to 3600."
    )


class CudaCluster(Section):
    """Dask workers on this machine: one for each NVIDIA GPU, others for what needs none."""

    kind: Literal["cuda"] = Field(default="cuda", description="Always cuda.")
    n_cpu_workers: int = Field(
        default=1, ge=0, le=1024, description="Worker processes without a GPU, 0 to 1024."
    )
    memory_limit: str | None = Field(
        default=None,
        pattern=MEMORY_PATTERN,
        description="Memory of each worker, bytes with a unit; null: an equal share.",
    )
    dashboard_address: str | None = Field(
        default=":0",
        pattern=r"^[^\s:]*:\d+$",
        description="host:port of the Dask dashboard, port 0 to 65535; null: no dashboard.",
    )


class SlurmCluster(Section):
    """Dask workers in Slurm jobs; the scheduler runs beside the command."""

    kind: Literal["slurm"] = Field(default="slurm", description="Always slurm.")
    n_jobs: int = Field(
        default=2, ge=1, le=10_000, description="Jobs kept in the queue, 1 to 10000."
    )
    cores_per_job: int = Field(
        default=1, ge=1, le=1024, description="Cores of a job, one worker process each, 1 to 1024."
    )
    memory_per_job: str = Field(
        default="4GiB",
        pattern=MEMORY_PATTERN,
        description="Memory of a job, shared by its workers, bytes with a unit.",
    )
    wall_time: str = Field(
        default="24:00:00",
        pattern=WALL_TIME_PATTERN,
        description="Longest time of a job: minutes, or [days-]hours:minutes:seconds.",
    )
    partition: str | None = Field(default=None, description="Partition; null: the default one.")
    account: str | None = Field(default=None, description="Account; null: the default one.")
    interface: str | None = Field(
        default=None,
        description="Network interface between nodes, such as ib0; null: the host's name decides.",
    )
    directives: tuple[str, ...] = Field(
        default=(), description="More #SBATCH options, such as --constraint=avx512."
    )
    setup: tuple[str, ...] = Field(
        default=(), description="Lines of shell before a worker starts, such as module load."
    )
    log_directory: Path | None = Field(
        default=None,
        description="Folder of the jobs' output, relative to this YAML; null: Slurm's choice.",
    )
    start_timeout_s: StartTimeout = Field(
        default=3600.0,
        description="How long the first worker may wait in the queue, s, up to 604800.",
    )


class KubernetesCluster(Section):
    """A DaskCluster resource of the dask-kubernetes operator, made for the run."""

    kind: Literal["kubernetes"] = Field(default="kubernetes", description="Always kubernetes.")
    manifest: Path = Field(description="YAML of the DaskCluster, relative to this YAML.")
    namespace: str | None = Field(default=None, description="Namespace; null: the current one.")
    n_workers: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Workers of the default group, 1 to 10000; null: as the manifest says.",
    )
    start_timeout_s: StartTimeout = Field(
        default=600.0, description="How long the first worker may take, s, up to 604800."
    )


class GatewayCluster(Section):
    """A cluster that a dask-gateway server starts for the run; DASK_GATEWAY__AUTH__... logs in."""

    kind: Literal["gateway"] = Field(default="gateway", description="Always gateway.")
    address: str = Field(pattern=r"^https?://[^\s]+$", description="URL of the gateway's API.")
    proxy_address: str | None = Field(
        default=None,
        pattern=r"^(tls|gateway)://[^\s/]+:\d+$",
        description="Address of its scheduler proxy, such as gateway://host:8786; null: the API's.",
    )
    n_workers: int = Field(default=2, ge=1, le=10_000, description="Workers, 1 to 10000.")
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Options that the server offers, by name."
    )
    start_timeout_s: StartTimeout = Field(
        default=600.0, description="How long the first worker may take, s, up to 604800."
    )


class _Shorthand:
    """Lets `cluster: threads`, another kind's word or `tcp://host:port` stand for a mapping."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        words = {"enum": ["threads", "local", "cuda", "slurm"]}
        address = {"type": "string", "pattern": ADDRESS_PATTERN}
        return {"anyOf": [words, address, handler(schema)]}


def from_shorthand(value: Any) -> Any:
    """Return the mapping that a kind's word or a scheduler's address stands for."""
    if not isinstance(value, str):
        return value
    return {"kind": "scheduler", "address": value} if "://" in value else {"kind": value}


ClusterConfig = Annotated[
    Annotated[
        Threads
        | LocalCluster
        | SchedulerAddress
        | CudaCluster
        | SlurmCluster
        | KubernetesCluster
        | GatewayCluster,
        Field(discriminator="kind"),
    ],
    BeforeValidator(from_shorthand),
    _Shorthand(),
]
