"""Where the work units of a run are done."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from cvlarray.config.section import Section

ADDRESS_PATTERN = r"^(tcp|tls|ws|wss)://[^\s/]+:\d+$"


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
        pattern=r"^\d+(\.\d+)? ?([kMGT]i?)?B$",
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


class _Shorthand:
    """Lets `cluster: threads`, `local` or `tcp://host:port` stand for a mapping."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        words = {"enum": ["threads", "local"]}
        address = {"type": "string", "pattern": ADDRESS_PATTERN}
        return {"anyOf": [words, address, handler(schema)]}


def from_shorthand(value: Any) -> Any:
    """Return the mapping that ``threads``, ``local`` or a scheduler's address stands for."""
    if not isinstance(value, str):
        return value
    return {"kind": "scheduler", "address": value} if "://" in value else {"kind": value}


ClusterConfig = Annotated[
    Annotated[Threads | LocalCluster | SchedulerAddress, Field(discriminator="kind")],
    BeforeValidator(from_shorthand),
    _Shorthand(),
]
