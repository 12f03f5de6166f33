"""What a geospatial layer is: where it comes from, what it says, and how far its borders hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from cvlarray.alerts.enrich.status import LicenceStatus
from cvlarray.errors import CvlarrayError

__all__ = [
    "Columns",
    "FileSource",
    "Layer",
    "LayerError",
    "MatchWindow",
    "Reader",
    "Relation",
    "Role",
    "Source",
    "TableSource",
    "WfsSource",
]


class LayerError(CvlarrayError):
    """A layer can't be read or used as declared; the message names the layer and the reason."""


class Role(StrEnum):
    """What a layer means to an alert."""

    STRICT_PROTECTION = "strict_protection"
    COMMUNAL_RESERVE = "communal_reserve"
    BUFFER_ZONE = "buffer_zone"
    CONCESSION = "concession"
    INDIGENOUS_TERRITORY = "indigenous_territory"
    ROAD = "road"
    RIVER = "river"
    ADMIN_UNIT = "admin_unit"
    EXTERNAL_ALERTS = "external_alerts"


class Relation(StrEnum):
    """How a layer is held against an alert."""

    OVERLAP = "overlap"
    """Which share of the alert lies in each feature, and whether a border is near."""
    NEAREST = "nearest"
    """How far the nearest feature is."""
    MATCH = "match"
    """Which features lie near enough to speak of the same event."""


_RELATIONS = {
    Role.ROAD: Relation.NEAREST,
    Role.RIVER: Relation.NEAREST,
    Role.EXTERNAL_ALERTS: Relation.MATCH,
}


class Reader(StrEnum):
    """Who turns a source into features."""

    VECTOR = "vector"
    """Any vector file GDAL reads, or GeoParquet; columns as declared."""
    GFW_RASTER = "gfw_raster"
    """GFW integrated, GLAD or RADD raster: confidence × 10,000 + days since 2014-12-31."""
    GFW_CSV = "gfw_csv"
    """GFW download: latitude, longitude, …__date, …__confidence."""
    AMAZON_MINING_WATCH = "amazon_mining_watch"
    """Amazon Mining Watch polygons with their year or quarter."""
    MAPBIOMAS = "mapbiomas"
    """MapBiomas Alerta polygons with id and detected_at."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _as_paths(value: Any) -> Any:
    """Return one path or several as a tuple; anything else is refused as it is."""
    several = value if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(one, str | Path) for one in several):
        return value
    return tuple(str(one) for one in several)


class FileSource(_Model):
    """One file, or several of the same schema, such as a cadastre in one file a UTM zone."""

    path: Annotated[
        tuple[Path, ...],
        BeforeValidator(_as_paths, json_schema_input_type=str | tuple[str, ...]),
        Field(min_length=1),
    ] = Field(description="Path, or list of paths, each in its own CRS. Relative to the YAML.")
    sublayer: str | None = Field(default=None, description="Layer in a GeoPackage or GDB.")
    crs: str | None = Field(
        default=None, description="CRS of a file that names none; a CRS in the file wins."
    )


class TableSource(_Model):
    """A PostGIS table or view."""

    table: str = Field(min_length=1, description="Name of the table, as it is, without quotes.")
    schema_name: str = Field(default="public", min_length=1, description="Schema of the table.")
    geometry: str = Field(default="geom", min_length=1, description="Geometry column.")
    database: str = Field(
        default="",
        description="libpq connection string; empty: PGHOST, PGUSER … Passwords belong in "
        "~/.pgpass or PGPASSWORD.",
    )


class WfsSource(_Model):
    """A feature type of a Web Feature Service that answers GeoJSON."""

    url: str = Field(pattern=r"^https?://", description="Address of the service.")
    typename: str = Field(min_length=1, description="Name of the feature type.")
    timeout_s: float = Field(
        default=60, gt=0, le=3600, description="How long to wait, s, up to 3600."
    )


def _kind_of(source: Any) -> str:
    """Return which source is meant, by the key that only it has."""
    keys = source if isinstance(source, Mapping) else type(source).model_fields
    return "postgis" if "table" in keys else "wfs" if "url" in keys else "file"


Source = Annotated[
    Annotated[FileSource, Tag("file")]
    | Annotated[TableSource, Tag("postgis")]
    | Annotated[WfsSource, Tag("wfs")],
    Discriminator(_kind_of),
]


class Columns(_Model):
    """Names of the source's columns, by what they mean; None: the source doesn't say."""

    code: str | None = Field(
        default=None, description="Official code; rows of one code are parts of one feature."
    )
    name: str | None = Field(default=None, description="Name of the feature.")
    category: str | None = Field(default=None, description="Kind, such as Parque Nacional.")
    status: str | None = Field(default=None, description="Legal status, as the source words it.")
    department: str | None = Field(default=None, description="Department, or a slash list.")
    province: str | None = Field(default=None, description="Province, or a slash list.")
    district: str | None = Field(default=None, description="District, or a slash list.")
    legal_area_ha: str | None = Field(
        default=None, description="Area in the legal text, ha; never the geometry's."
    )
    date: str | None = Field(default=None, description="Date of an external alert.")
    confidence: str | None = Field(default=None, description="Confidence of an external alert.")


class MatchWindow(_Model):
    """How near an external alert must be to speak of the same event."""

    distance_m: float = Field(
        default=100, ge=0, le=10_000, description="Metres between them at most, 0 to 10000."
    )
    days: int = Field(
        default=60, ge=0, le=3660, description="Days between them at most, 0 to 3660."
    )


class Layer(_Model):
    """A layer as declared: enough to read it again and to say which edition was used."""

    name: str = Field(min_length=1, description="Name in the trail; any text.")
    source: Source = Field(description="File, PostGIS table or WFS.")
    role: Role = Field(description="What the layer means to an alert.")
    columns: Columns = Field(default=Columns(), description="Names of the source's columns.")
    keep: Mapping[str, tuple[str, ...]] = Field(
        default={}, description="Only rows whose column (as in the source) has one of the values."
    )
    within: tuple[float, float, float, float] | None = Field(
        default=None,
        description="Only features that touch this box: west, south, east, north in degrees.",
    )
    reader: Reader = Field(default=Reader.VECTOR, description="Who reads the source.")
    valid: dt.date | None = Field(
        default=None, description="Date on which this edition was the official one."
    )
    licence: str = Field(default="", description="Terms of use and attribution.")
    boundary_uncertainty_m: float = Field(
        default=0,
        ge=0,
        le=10_000,
        description="How far the drawn border may be off, m, 0 to 10000.",
    )
    status_words: Mapping[str, LicenceStatus] = Field(
        default={}, description="Meaning of the source's status words, beside INGEMMET's."
    )
    match: MatchWindow = Field(default=MatchWindow(), description="For external alerts.")
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="Pins the edition: refuse any other."
    )

    @model_validator(mode="after")
    def _is_readable(self) -> Self:
        external = self.role is Role.EXTERNAL_ALERTS
        if self.reader is Reader.VECTOR:
            if external and self.columns.date is None:
                raise ValueError("external alerts need columns.date: undated ones match nothing")
        elif not external or not isinstance(self.source, FileSource):
            raise ValueError(
                f"reader {self.reader.value} reads files of role external_alerts, got a "
                f"{type(self.source).__name__} of role {self.role.value}"
            )
        if self.within is not None:
            west, south, east, north = self.within
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise ValueError(
                    f"within is west, south, east, north in degrees, got {self.within}"
                )
        return self

    @property
    def relation(self) -> Relation:
        """How the layer is held against an alert."""
        return _RELATIONS.get(self.role, Relation.OVERLAP)
