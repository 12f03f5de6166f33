"""Other programs read what leaves: GeoJSON, STAC, GeoParquet, KML and GPX."""

from __future__ import annotations

import datetime as dt
import json
from hashlib import sha256
from xml.etree import ElementTree as ET

import geopandas as gpd
import pystac
import pytest
import shapely
from pystac.errors import STACValidationError
from pystac.validation import JsonSchemaSTACValidator, RegisteredValidator

from cvlarray.alerts.package import collection, package_files
from cvlarray.alerts.package.feature import FILE_EXTENSION
from cvlarray.alerts.route import PackageFormat
from tests.alerts.dossiers import MADE, make_dossier, png


@pytest.fixture(scope="module")
def dossiers():
    return [make_dossier(n, version=str(n + 1)) for n in range(3)]


def written(attachment, folder):
    path = folder / attachment.name
    path.write_bytes(attachment.content)
    return path


def assert_same_outlines(found, dossiers):
    assert found.crs == "EPSG:4326"
    expected = [dossier.geometry for dossier in dossiers]
    assert (shapely.area(shapely.symmetric_difference(found.to_numpy(), expected)) < 1e-10).all()


@pytest.mark.parametrize("form", [PackageFormat.GEOJSON, PackageFormat.EVIDENCE])
def test_geojson(form, dossiers, tmp_path):
    path = written(collection(dossiers, form, name="digest"), tmp_path)
    assert path.name == "digest.geojson"
    table = gpd.read_file(path)
    assert_same_outlines(table.geometry, dossiers)
    assert table["event_id"].tolist() == [dossier.event_id for dossier in dossiers]
    assert table["version"].tolist() == ["1", "2", "3"]
    feature = json.loads(path.read_text())["features"][0]
    assert feature["id"] == dossiers[0].event_id
    told = feature["properties"]
    assert told["area_m2"] == 46_400
    assert told["area_uncertainty_m2"] == 3_500
    assert told["layers"] == [{"name": "anp", "sha256": "ab" * 32, "valid": "2024-05-01"}]
    assert told["latency"]["published"] is None
    assert told["verification_url"].startswith("https://review.example.org")


def test_geoparquet(dossiers, tmp_path):
    table = gpd.read_parquet(
        written(collection(dossiers, PackageFormat.GEOPARQUET, name="alerts"), tmp_path)
    )
    assert_same_outlines(table.geometry, dossiers)
    assert json.loads(table["jurisdiction"][0])[0]["name"] == "Tambopata – ñandú"


def test_kml_has_pin_outline_and_colour(dossiers, tmp_path):
    path = written(collection(dossiers, PackageFormat.KML, name="alerts"), tmp_path)
    shapes = [
        shapely.get_parts(shape) for shape in gpd.read_file(path).geometry.map(shapely.force_2d)
    ]
    pins, outlines = zip(*shapes, strict=True)
    assert_same_outlines(gpd.GeoSeries(outlines, crs=4326), dossiers)
    assert all(d.geometry.contains(pin) for d, pin in zip(dossiers, pins, strict=True))
    name = {"k": "http://www.opengis.net/kml/2.2"}
    root = ET.fromstring(path.read_bytes())
    assert {each.text for each in root.iterfind(".//k:styleUrl", name)} == {"#high"}
    (described, *_) = root.iterfind(".//k:Placemark/k:description", name)
    assert described.text == (
        "high mine_pit: 4.64 ± 0.35 ha, first seen 2025-03-21, confidence 0.91\n"
        "https://review.example.org/alert/1?a=b&c=<d>"
    )


def test_gpx_has_waypoints_and_rings(dossiers, tmp_path):
    path = written(collection(dossiers, PackageFormat.GPX, name="alerts"), tmp_path)
    waypoints = gpd.read_file(path, layer="waypoints")
    assert waypoints["name"].tolist() == [dossier.event_id for dossier in dossiers]
    assert all(
        dossier.geometry.contains(point)
        for dossier, point in zip(dossiers, waypoints.geometry, strict=True)
    )
    tracks = gpd.read_file(path, layer="tracks")
    polygons = [
        shapely.Polygon(outer, [hole]) for outer, hole in map(shapely.get_parts, tracks.geometry)
    ]
    assert_same_outlines(gpd.GeoSeries(polygons, crs=4326), dossiers)


def test_stac_item_lists_the_files_with_their_hashes(dossiers):
    files = package_files(dossiers[1], PackageFormat.KML)
    assert sorted(files) == [
        "alert.geojson", "alert.kml", "chips/after.png", "chips/before.png", "item.json",
    ]  # fmt: skip
    item = pystac.Item.from_dict(json.loads(files["item.json"]))
    assert item.id == dossiers[1].name
    assert item.datetime == dt.datetime(2025, 3, 21, tzinfo=dt.UTC)
    assert item.common_metadata.end_datetime == dt.datetime(2025, 4, 10, tzinfo=dt.UTC)
    assert item.common_metadata.created == MADE
    assert item.bbox == pytest.approx(dossiers[1].geometry.bounds)
    listed = {asset.href.removeprefix("./"): asset.extra_fields for asset in item.assets.values()}
    assert sorted(listed) == sorted(set(files) - {"item.json"})
    for path, fields in listed.items():
        assert fields["file:checksum"] == "1220" + sha256(files[path]).hexdigest()
        assert fields["file:size"] == len(files[path])
    assert files["chips/before.png"] == png("green")


@pytest.fixture
def stac_schemas(monkeypatch):
    """Let pystac validate without a network: its own schemas, and what the extension's README says
    of the fields that are used (file 2.1.0: a multihash in hexadecimal digits, bytes)."""
    fields = {
        "file:checksum": {"type": "string", "pattern": "^[a-f0-9]+$"},
        "file:size": {"type": "integer", "minimum": 0},
    }
    asset = {"additionalProperties": {"required": [*fields], "properties": fields}}
    validator = JsonSchemaSTACValidator()
    draft = "http://json-schema.org/draft-07/schema#"
    schema = {"$schema": draft, "properties": {"assets": asset}}
    validator.schema_cache[FILE_EXTENSION] = schema
    monkeypatch.setattr(RegisteredValidator, "_validator", validator)
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked the network"))


def test_items_are_valid(dossiers, stac_schemas):
    form = PackageFormat.KML
    items = [json.loads(package_files(each, form)["item.json"]) for each in dossiers]
    collected = json.loads(collection(dossiers, PackageFormat.STAC, name="x").content)["features"]
    for item in (*items, *collected):
        assert len(pystac.Item.from_dict(item, preserve_dict=True).validate()) == 2
    for wrong in ({"bbox": [1, 2]}, {"assets": {"x": {"href": "x", "file:size": -1}}}):
        with pytest.raises(STACValidationError):
            pystac.Item.from_dict({**items[0], **wrong}).validate()


def test_stac_collection(dossiers):
    content = json.loads(collection(dossiers, PackageFormat.STAC, name="x").content)
    found = pystac.ItemCollection.from_dict(content)
    assert [item.id for item in found] == [dossier.name for dossier in dossiers]


def test_same_alert_same_bytes(dossiers):
    for form in PackageFormat:
        assert package_files(make_dossier(1, version="2"), form) == package_files(dossiers[1], form)


def test_no_alerts_are_valid_files(tmp_path):
    for form in PackageFormat:
        if form != PackageFormat.GEOPARQUET:
            assert collection([], form, name="none").content
