"""What a run reads and in which form it stores it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from odc.geo import CRS
from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator
from pyproj.exceptions import CRSError

from cvlarray.config.problem import problem
from cvlarray.config.section import Section
from cvlarray.config.words import OneOf
from cvlarray.sensors import PROFILES

DAYS_PER_YEAR = 365

BAND_NAMES = tuple(
    dict.fromkeys(band.name for profile in PROFILES.values() for band in profile.bands)
)
BandName = Annotated[str, OneOf(BAND_NAMES)]


def _last_day(value: Any) -> Any:
    """Return the date that "today" (UTC) or text of the form YYYY-MM-DD names."""
    if value == "today":
        return dt.datetime.now(dt.UTC).date()
    if not isinstance(value, str):
        return value
    try:
        return dt.datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
    except ValueError as error:
        raise problem("", "a date YYYY-MM-DD, or today", value) from error


LastDay = Annotated[
    dt.date,
    BeforeValidator(_last_day),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"const": "today"}]}),
]


class GridConfig(Section):
    """The pixel grid of everything the run stores."""

    crs: str = Field(description="Projected CRS in metres, such as EPSG:32719.")
    resolution_m: float = Field(
        default=10.0, ge=0.5, le=1000, description="Pixel edge, m, 0.5 to 1000."
    )
    anchor_m: tuple[float, float] = Field(
        default=(0.0, 0.0),
        description="[x, y] of a pixel corner the grid passes through, m in the CRS.",
    )
    tile_px: int = Field(
        default=1024,
        ge=16,
        le=16384,
        description="Edge of a tile, the unit of work, pixels, 16 to 16384; "
        "a multiple of store.shard_px.",
    )

    @field_validator("crs")
    @classmethod
    def _is_in_metres(cls, value: str) -> str:
        try:
            crs = CRS(value)
        except CRSError as error:
            raise problem("", "a CRS such as EPSG:32719", value) from error
        if not crs.projected or set(crs.units) != {"metre"}:
            raise problem("", "a projected CRS in metres such as EPSG:32719", value)
        return value


class SearchConfig(Section):
    """Which catalogue items the run reads."""

    source: str = Field(
        min_length=1,
        description="URL of a STAC API, a static catalogue (catalog.json) or a stac-geoparquet "
        "file; a path is relative to this YAML, and {workspace} stands for the workspace.",
    )
    collections: tuple[str, ...] = Field(
        default=("sentinel-2-l2a",), min_length=1, description="STAC collections, at least one."
    )
    max_cloud_cover_percent: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Leave out items with more eo:cloud_cover, %, 0 to 100; null: read all.",
    )
    cql2_filter: str | None = Field(
        default=None,
        min_length=1,
        description="CQL2 text that an item's properties must meet, such as "
        "\"grid:code\" = 'MGRS-19LCF'; an item without the property doesn't; null: no condition.",
    )


class Period(Section):
    """Two dates, both included."""

    start: dt.date = Field(description="First day, YYYY-MM-DD (UTC).")
    end: dt.date = Field(description="Last day, YYYY-MM-DD (UTC).")

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.end <= self.start:
            raise problem("end", f"a date after start = {self.start}", self.end)
        return self


class MonitoringPeriod(Period):
    """The period in which change is looked for."""

    end: LastDay = Field(
        description="Last day, YYYY-MM-DD (UTC), or today: the day on which the config is read."
    )


class PeriodsConfig(Section):
    """What the season is learnt from, and when change is looked for."""

    history: Period = Field(
        description="Period the seasonal baseline is fitted to; a year or more."
    )
    monitoring: MonitoringPeriod = Field(description="Period that is watched; after the history.")

    @model_validator(mode="after")
    def _history_comes_first(self) -> Self:
        n_days = (self.history.end - self.history.start).days + 1
        if n_days < DAYS_PER_YEAR:
            raise problem("history", f"{DAYS_PER_YEAR} days or more", f"{n_days} days")
        if self.monitoring.start <= self.history.end:
            expected = f"a date after history.end = {self.history.end}"
            raise problem("monitoring.start", expected, self.monitoring.start)
        return self


class CubeConfig(Section):
    """How items become a (time, y, x) cube."""

    bands: tuple[BandName, ...] = Field(
        min_length=1,
        description="Bands to keep, by Earth Search's common names, each once; those of the mask "
        "(scl, qa_pixel) are read anyway, and kept if named here.",
    )
    loader: Literal["direct", "stackstac"] = Field(
        default="direct",
        description="Who reads: direct (each file's window once) or stackstac (an extra).",
    )
    time_block: int = Field(
        default=24,
        ge=1,
        le=1000,
        description="Dates of one ingest unit, 1 to 1000; a multiple of store.time_shard.",
    )

    @field_validator("bands")
    @classmethod
    def _each_once(cls, value: tuple[BandName, ...]) -> tuple[BandName, ...]:
        if len(set(value)) < len(value):
            raise problem("", "each band once", list(value))
        return value


class StoreConfig(Section):
    """Where the stores lie, and their layout."""

    url: str | None = Field(
        default=None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*$",
        description="Prefix in a bucket, such as s3://forest/madre_de_dios, in which cube, "
        "baseline and detections lie; keys, region and endpoint come from the environment "
        "(AWS_...). null: in the workspace, where all else, the ledger above all, always stays.",
    )
    kind: Literal["zarr", "icechunk"] = Field(
        default="zarr",
        description="zarr: plain Zarr v3; icechunk: a repository in which every unit of work is "
        "one commit. A url and icechunk need the extra cloud.",
    )
    shard_px: int = Field(
        default=512,
        ge=16,
        le=8192,
        description="Edge of a shard, one file, pixels, 16 to 8192; a multiple of chunk_px.",
    )
    chunk_px: int = Field(
        default=128,
        ge=16,
        le=8192,
        description="Edge of a chunk, the smallest piece read at once, pixels, 16 to 8192.",
    )
    time_shard: int = Field(default=24, ge=1, le=1000, description="Dates in a shard, 1 to 1000.")

    @model_validator(mode="after")
    def _shard_holds_whole_chunks(self) -> Self:
        if self.shard_px % self.chunk_px:
            raise problem("shard_px", f"a multiple of chunk_px = {self.chunk_px}", self.shard_px)
        return self
