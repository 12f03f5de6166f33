"""Who receives alerts: where, which, how many, and in which form."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import shapely
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from shapely.geometry.base import BaseGeometry

from cvlarray.alerts.route.rule import Priority

__all__ = ["PackageFormat", "Partner", "Tier"]


class Tier(StrEnum):
    """The paper's three kinds of partner (section 8)."""

    FIELD_ORGANISATION = "field_organisation"
    GOVERNMENT = "government"
    ACADEMIC = "academic"


class PackageFormat(StrEnum):
    """Form in which a partner receives alerts."""

    GEOJSON = "geojson"
    GEOPARQUET = "geoparquet"
    EVIDENCE = "evidence"
    """Package that can be checked offline."""
    KML = "kml"
    GPX = "gpx"
    STAC = "stac"


TIER_FORMATS = {
    Tier.FIELD_ORGANISATION: PackageFormat.GEOJSON,
    Tier.GOVERNMENT: PackageFormat.EVIDENCE,
    Tier.ACADEMIC: PackageFormat.GEOPARQUET,
}


def _polygon(value: Any) -> Any:
    """Return the polygon that WKT or a GeoJSON geometry describes."""
    try:
        if isinstance(value, str):
            value = shapely.from_wkt(value)
        elif isinstance(value, Mapping):
            value = shapely.geometry.shape(dict(value))
    except (shapely.errors.ShapelyError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"an area is WKT or a GeoJSON geometry: {error}") from error
    if not isinstance(value, BaseGeometry):
        raise ValueError("an area is WKT or a GeoJSON geometry")  # noqa: TRY004 - pydantic's way
    if value.is_empty or not value.is_valid or shapely.get_dimensions(value) != 2:
        raise ValueError("an area is a valid polygon or multipolygon in degrees")
    return value


def _as_text(polygon: BaseGeometry) -> str:
    """Return WKT with all digits."""
    return str(shapely.to_wkt(polygon, rounding_precision=-1))


Area = Annotated[
    BaseGeometry,
    BeforeValidator(_polygon),
    PlainSerializer(_as_text, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
]


class Partner(BaseModel):
    """One recipient. Without area and codes it takes alerts from everywhere."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )

    name: str = Field(min_length=1, description="Name, unique among the partners.")
    tier: Tier = Field(description="field_organisation, government or academic.")
    area: Area | None = Field(
        default=None, description="Takes alerts that touch it: WKT or GeoJSON, EPSG:4326."
    )
    codes: tuple[str, ...] = Field(
        default=(), description="Takes alerts in features with one of these codes, such as PN08."
    )
    classes: tuple[str, ...] = Field(default=(), description="Classes of alert; none: all.")
    priorities: tuple[Priority, ...] = Field(
        default=(Priority.HIGH, Priority.MEDIUM, Priority.LOW),
        description="Priorities for the inbox; the monitoring queue is apart.",
    )
    min_confidence: float = Field(default=0, ge=0, le=1, description="Least confidence.")
    capacity: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Alerts a delivery at most; the rest goes to the digest; null: all.",
    )
    access_km: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Way from a road or river at which an alert is worth half; null: no matter.",
    )
    package: PackageFormat | None = Field(
        default=None, description="Form; null: GeoJSON, evidence or GeoParquet by tier."
    )

    @property
    def form(self) -> PackageFormat:
        """Form in which the partner receives alerts."""
        return self.package or TIER_FORMATS[self.tier]
