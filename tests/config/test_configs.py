"""The files in configs/ load, agree with the schema, and mean what they say."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import geopandas as gpd
import jsonschema
import pydantic
import pytest
import shapely
import yaml
from pyproj import Geod, Transformer

from cvlarray.config import RunConfig, json_schema, load_config
from cvlarray.config.detection import FLAG_NAMES
from cvlarray.config.yaml_layer import read_layer
from cvlarray.errors import ConfigError
from cvlarray.features import FEATURES
from cvlarray.grid import region_geobox

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))
RUNS = [path for path in FILES if path.name != "base.yaml"]
DEPARTMENTS = ("loreto", "madre_de_dios", "ucayali")

by_name = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def validator() -> jsonschema.Draft202012Validator:
    checker = jsonschema.FormatChecker(["date"])
    return jsonschema.Draft202012Validator(json_schema(), format_checker=checker)


class TestEveryFile:
    @by_name
    def test_names_its_schema_for_editors(self, path: Path) -> None:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=schema.json"

    @by_name
    def test_fits_the_schema(self, path: Path) -> None:
        assert not list(validator().iter_errors(read_layer(path).values))

    @by_name
    def test_fits_a_screen(self, path: Path) -> None:
        assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 100

    @pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
    def test_loads_and_its_grid_fits_its_region(self, path: Path) -> None:
        config = load_config(path)
        grid, region = config.grid, config.region.to_geometry()
        geobox = region_geobox(
            region, crs=grid.crs, resolution_m=grid.resolution_m, anchor_m=grid.anchor_m
        )
        project = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
        dense = shapely.get_coordinates(shapely.segmentize(region, 0.01))
        x, y = project.transform(*dense.T)
        left, bottom, right, top = geobox.extent.boundingbox
        outward = [min(x) - left, right - max(x), min(y) - bottom, top - max(y)]
        slack = 0.02 * grid.resolution_m  # an edge this near to a pixel border lies on it
        assert all(-slack < distance < grid.resolution_m + slack for distance in outward)

    @pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
    def test_filled_in_config_fits_the_schema(self, path: Path) -> None:
        filled = load_config(path).model_dump(mode="json")
        assert not list(validator().iter_errors(filled))


class TestSchema:
    def test_file_is_up_to_date(self) -> None:
        written = (CONFIGS / "schema.json").read_text(encoding="utf-8")
        assert written == json.dumps(json_schema(), indent=2) + "\n", "run `make schema`"

    def test_is_a_schema(self) -> None:
        of_schemas = jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA)
        assert [error.message for error in of_schemas.iter_errors(json_schema())] == []

    def test_every_field_is_described(self) -> None:
        for key, schema in fields(json_schema()):
            assert re.search(r"\w+.*\.$", schema.get("description", "")), key

    def test_every_number_has_a_range(self) -> None:
        numbers = [(key, schema) for key, schema in fields(json_schema()) if number(schema)]
        assert len(numbers) > 15
        for key, schema in numbers:
            limits = {"minimum", "exclusiveMinimum"}, {"maximum"}
            assert all(limit & set(number(schema)) for limit in limits), key

    @pytest.mark.parametrize(
        "text",
        [
            "grid: {tile_pix: 3}",
            "grid: {tile_px: 15}",
            "grid: {tile_px: true}",
            "monitor: {min_confidence: 1.1}",
            "region: {bbox: [1, 2, 3]}",
            "region: {bbox: [1, 2, 300, 4]}",
            "periods: {history: {start: 2018-02-30}}",
            "periods: {history: {end: today}}",
            "cube: {bands: [rad]}",
            "cluster: dask",
            "cluster: {kind: local, n_threads: 3}",
            "region: {geometry: {type: Point, coordinates: [1, 2]}}",
            "name: A b",
        ],
    )
    def test_refuses_what_the_models_refuse(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "run.yaml"
        path.write_text(f"extends: {CONFIGS}/example.yaml\n{text}")
        with pytest.raises(ConfigError):
            load_config(path)
        assert list(validator().iter_errors(read_layer(path).values))


class TestExample:
    """configs/example.yaml documents every key, and says what its default is."""

    text = (CONFIGS / "example.yaml").read_text(encoding="utf-8")

    def test_names_every_key_and_no_other(self) -> None:
        assert set(documented_keys(self.text)) == {"extends", *model_keys(RunConfig)}

    def test_explains_every_key(self) -> None:
        lines = self.text.splitlines()
        for before, line in itertools.pairwise(lines):
            is_key = re.match(r"\s*(# )?\s*(?!kind)[a-z_0-9]+: \S", line)
            is_section = re.match(r"[a-z]+:$", line)
            assert is_section or not is_key or "# " in line.lstrip(" #") or "# " in before, line

    def test_gives_the_defaults(self) -> None:
        example = load_config(CONFIGS / "example.yaml").model_dump()
        for key, default in defaults(RunConfig):
            value: Any = example
            for part in key:
                value = value[part]
            dumped = default if not isinstance(default, tuple) else tuple(map(plain, default))
            assert value == dumped, key

    def test_lists_features_and_flags(self) -> None:
        words = set(re.findall(r"\w+", self.text))
        assert words >= {*FEATURES, *FLAG_NAMES}

    def test_marks_what_is_required(self) -> None:
        # Lists of models are in the example as alternatives only, which this can't see.
        marked = set(re.findall(r"(?m)^(?!#)\s*(\w+):[^#\n]*#[^\n]*\brequired\b", self.text))
        required = {key.rpartition(".")[2] for key in required_keys(RunConfig)}
        whole_sections = {"grid", "search", "periods", "cube"}
        assert marked == required - whole_sections - {"address", "coordinates", "manifest", "type"}


class TestRegions:
    geod = Geod(ellps="WGS84")

    def outline(self, name: str) -> Any:
        return load_config(CONFIGS / f"{name}.yaml").region.to_geometry()

    @pytest.mark.parametrize(
        ("name", "inei_km2", "city"),
        [
            ("madre_de_dios", 85_046, (-69.19, -12.59)),  # Puerto Maldonado
            ("loreto", 375_116, (-73.25, -3.75)),  # Iquitos
            ("ucayali", 105_342, (-74.54, -8.38)),  # Pucallpa
        ],
    )
    def test_outline_is_the_department_and_a_margin(
        self, name: str, inei_km2: float, city: tuple[float, float]
    ) -> None:
        outline = self.outline(name)
        area_km2 = self.geod.geometry_area_perimeter(outline)[0] / 1e6
        assert inei_km2 < area_km2 < 1.25 * inei_km2
        assert 30 <= len(outline.exterior.coords) <= 65
        assert outline.contains(shapely.Point(city))

    def test_neighbours_leave_no_gap(self) -> None:
        parts = [self.outline(name) for name in DEPARTMENTS]
        assert shapely.union_all(parts).geom_type == "Polygon"

    @pytest.mark.parametrize(
        ("source", "column"),
        [
            ("departamental_inei2007_simple.geojson", "NOMBDEP"),
            ("departments_window_geoperu.parquet", "departamento"),
        ],
    )
    def test_outline_covers_the_official_limit(
        self, external_data: Path, source: str, column: str
    ) -> None:
        path = external_data / "layers/admin_limits" / source
        table = gpd.read_parquet(path) if source.endswith("parquet") else gpd.read_file(path)
        limits = table.set_index(column).geometry
        assert self.outline("madre_de_dios").covers(limits["MADRE DE DIOS"])
        assert self.outline("ucayali").covers(limits["UCAYALI"])

    def test_demo_is_the_square_of_the_source(self) -> None:
        west, south, east, north = (
            5271982.57655193,
            2532004.21491519,
            5272982.57655193,
            2533004.21491519,
        )
        project = Transformer.from_crs("EPSG:4326", "EPSG:3035", always_xy=True)
        for name, n_pixels in (("demo", 100), ("demo_20m", 50)):
            config = load_config(CONFIGS / f"{name}.yaml")
            region, grid = config.region.to_geometry(), config.grid
            x, y = project.transform(*region.exterior.coords.xy)
            assert west < min(x) < west + 2 < east - 2 < max(x) < east
            assert south < min(y) < south + 2 < north - 2 < max(y) < north
            geobox = region_geobox(
                region, crs=grid.crs, resolution_m=grid.resolution_m, anchor_m=grid.anchor_m
            )
            assert geobox.shape == (n_pixels, n_pixels)
            assert tuple(geobox.extent.boundingbox) == pytest.approx(
                (west, south, east, north), abs=1e-6
            )

    def test_demo_on_20_m_has_the_same_thresholds(self) -> None:
        ten, twenty = (load_config(CONFIGS / f"{name}.yaml") for name in ("demo", "demo_20m"))
        for section in ("periods", "masking", "baseline", "monitor", "vectorize", "alerts"):
            assert getattr(ten, section) == getattr(twenty, section)


def is_list(annotation: Any) -> bool:
    """Return whether an annotation is a list of models."""
    return get_origin(annotation) is tuple and any(models(annotation))


def plain(value: Any) -> Any:
    """Return a model as the mapping that it is in a dump."""
    return value.model_dump() if isinstance(value, pydantic.BaseModel) else value


def fields(node: Any, key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each property of a JSON schema with its key."""
    if isinstance(node, dict):
        for name, schema in node.get("properties", {}).items():
            yield f"{key}.{name}", schema
        for name, child in node.items():
            yield from fields(child, f"{key}.{name}")


def number(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a property's schema that describes a number, empty if none does."""
    alternatives = [schema, *schema.get("anyOf", [])]
    kinds = {"integer", "number"}
    return next((one for one in alternatives if one.get("type") in kinds and "enum" not in one), {})


def models(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    """Yield the models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models(argument)


def model_keys(model: type[pydantic.BaseModel], key: str = "") -> Iterator[str]:
    """Yield the dotted key of each field of a model and the models in it."""
    for name, field in model.model_fields.items():
        yield key + name
        for inner in models(field.annotation):
            yield from model_keys(inner, f"{key}{name}.")


def required_keys(model: type[pydantic.BaseModel], key: str = "") -> Iterator[str]:
    """Yield the dotted key of each field that must be given."""
    for name, field in model.model_fields.items():
        if field.is_required():
            yield key + name
        for inner in () if is_list(field.annotation) else models(field.annotation):
            yield from required_keys(inner, f"{key}{name}.")


def defaults(
    model: type[pydantic.BaseModel], key: tuple[str, ...] = ()
) -> Iterator[tuple[Any, Any]]:
    """Yield the key and the default of each plain field that has one."""
    for name, field in model.model_fields.items():
        inner = list(models(field.annotation))
        if is_list(field.annotation):
            yield (*key, name), field.default
        elif name == "cluster":
            yield (name,), field.default.model_dump()
        elif name != "region" and inner and not is_absent_by_default(field):
            yield from defaults(inner[0], (*key, name))
        elif name != "region" and not field.is_required():
            yield (*key, name), field.default


def is_absent_by_default(field: pydantic.fields.FieldInfo) -> bool:
    """Return whether a section is left out unless it is asked for."""
    return not field.is_required() and field.default is None


def documented_keys(text: str) -> Iterator[str]:
    """Yield the dotted keys of the YAML and of the alternatives that are commented out in it."""
    key_line = re.compile(r"# ?(?=( *)(- )?\{?[a-z_0-9]+:( |$))")
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        plain = key_line.sub("", line, count=1) if line.lstrip().startswith("#") else line
        if re.match(r"\w", plain):
            blocks.append([])
        blocks[-1].append(plain)
    for block in blocks:
        yield from written_keys(yaml.safe_load("\n".join(block)) or {})


def written_keys(values: Any, key: str = "") -> Iterator[str]:
    """Yield the dotted keys of nested mappings."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield key + name
            yield from written_keys(value, f"{key}{name}.")
    if isinstance(values, list):
        for value in values:
            yield from written_keys(value, key)
