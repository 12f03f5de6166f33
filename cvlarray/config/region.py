"""The region of a run: a box, a geometry, or a vector file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import geopandas as gpd
import shapely
from pydantic import Field, model_validator
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cvlarray.config.problem import problem
from cvlarray.config.section import Section
from cvlarray.errors import ConfigError

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]


Position = tuple[Longitude, Latitude]
Ring = Annotated[tuple[Position, ...], Field(min_length=4)]
Rings = Annotated[tuple[Ring, ...], Field(min_length=1)]

_COORDINATES = (
    "[longitude, latitude] in degrees (EPSG:4326), -180 to 180 and -90 to 90; the last position of "
    "a ring repeats its first."
)


class PolygonConfig(Section):
    """A GeoJSON Polygon."""

    type: Literal["Polygon"] = Field(default="Polygon", description="Always Polygon.")
    coordinates: Rings = Field(description=f"Outer ring, then holes: {_COORDINATES}")

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        _check_rings(self.coordinates)
        _check_validity(self.to_geometry())
        return self

    def to_geometry(self) -> Polygon:
        """Return the polygon, EPSG:4326."""
        return Polygon(self.coordinates[0], self.coordinates[1:])


class MultiPolygonConfig(Section):
    """A GeoJSON MultiPolygon."""

    type: Literal["MultiPolygon"] = Field(
        default="MultiPolygon", description="Always MultiPolygon."
    )
    coordinates: Annotated[tuple[Rings, ...], Field(min_length=1)] = Field(
        description=f"Polygons, each an outer ring, then holes: {_COORDINATES}"
    )

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        for rings in self.coordinates:
            _check_rings(rings)
        _check_validity(self.to_geometry())
        return self

    def to_geometry(self) -> MultiPolygon:
        """Return the polygons, EPSG:4326."""
        return MultiPolygon([(rings[0], rings[1:]) for rings in self.coordinates])


class RegionConfig(Section):
    """Where to look; exactly one of bbox, geometry and file."""

    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = Field(
        default=None,
        description="Box [west, south, east, north], degrees (EPSG:4326); longitude -180 to 180, "
        "latitude -90 to 90, west < east, south < north.",
    )
    geometry: Annotated[PolygonConfig | MultiPolygonConfig, Field(discriminator="type")] | None = (
        Field(default=None, description="GeoJSON Polygon or MultiPolygon, degrees (EPSG:4326).")
    )
    file: Path | None = Field(
        default=None,
        description="Vector file with a CRS (GeoJSON, GeoPackage, GeoParquet, Shapefile); the "
        "union of its polygons is the region. Relative to this YAML.",
    )

    @model_validator(mode="after")
    def _is_one_region(self) -> Self:
        given = [name for name in ("bbox", "geometry", "file") if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none of them"
            raise problem("", "exactly one of bbox, geometry and file", got)
        if self.bbox is not None:
            _check_bbox(self.bbox)
        if self.file is not None and not self.file.exists():
            raise problem("file", "a vector file that exists", str(self.file))
        return self

    def to_geometry(self) -> BaseGeometry:
        """Return the region as a Polygon or MultiPolygon, EPSG:4326.

        Raises
        ------
        ConfigError
            If ``file`` can't be read, has no CRS, or holds no polygon.
        """
        if self.bbox is not None:
            return shapely.box(*self.bbox)
        if self.geometry is not None:
            return self.geometry.to_geometry()
        if self.file is not None:
            return _read_region(self.file)
        raise AssertionError("validated: one of bbox, geometry and file is given")


def _check_bbox(bbox: tuple[float, float, float, float]) -> None:
    west, south, east, north = bbox
    if west >= east:
        expected = "west < east (split a region that crosses the antimeridian)"
        raise problem("bbox", expected, list(bbox))
    if south >= north:
        raise problem("bbox", "south < north", list(bbox))


def _check_rings(rings: tuple[tuple[Position, ...], ...]) -> None:
    for ring in rings:
        if ring[0] != ring[-1]:
            expected = f"a ring that ends where it starts, at {list(ring[0])}"
            raise problem("coordinates", expected, list(ring[-1]))


def _check_validity(geometry: Polygon | MultiPolygon) -> None:
    if not geometry.is_valid:
        raise problem("coordinates", "a valid polygon", shapely.is_valid_reason(geometry))


def _read_region(path: Path) -> BaseGeometry:
    try:
        is_parquet = path.suffix == ".parquet"
        table = gpd.read_parquet(path) if is_parquet else gpd.read_file(path)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{path}: region.file: expected a vector file, got: {error}") from error
    if table.crs is None:
        raise ConfigError(
            f"{path}: region.file: expected a vector file with a CRS, got none; set it with "
            "`ogr2ogr -a_srs EPSG:4326`"
        )
    polygons = table.geometry[table.geom_type.isin(["Polygon", "MultiPolygon"])].to_crs("EPSG:4326")
    if polygons.empty:
        kinds = ", ".join(sorted(set(table.geom_type.dropna()))) or "no geometry"
        raise ConfigError(f"{path}: region.file: expected polygons, got {kinds}")
    region: BaseGeometry = shapely.make_valid(polygons.union_all())
    return region
