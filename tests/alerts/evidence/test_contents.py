"""Provenance that another library reads, and a report whose pages can be read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from hashlib import sha256

import numpy as np
import pytest
import shapely
from prov.model import ProvDocument, ProvEntity
from pyproj import Geod, Transformer

from cvlarray.alerts.evidence import evidence_files
from cvlarray.alerts.evidence.coordinates import degrees_minutes_seconds, outline_vertices, utm
from tests.alerts.dossiers import LAYER_SHA256, PIT, SCENE, make_dossier, make_signer


@pytest.fixture(scope="module")
def files():
    return evidence_files(make_dossier(), make_signer())


@pytest.fixture(scope="module")
def text(files, require_component, tmp_path_factory):
    require_component("poppler", shutil.which("pdftotext"), "apt-get install -y poppler-utils")
    folder = tmp_path_factory.mktemp("pdf")

    def read(language):
        path = folder / f"{language}.pdf"
        path.write_bytes(files[f"report_{language}.pdf"])
        done = subprocess.run(
            ["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        return done.stdout

    return read


def test_the_manifest_lists_inputs_and_outputs(files):
    manifest = json.loads(files["manifest.json"])
    roles = {entry["path"]: entry["role"] for entry in manifest["files"]}
    assert sorted(roles) == sorted({*files} - {"manifest.json", "manifest.sig", "signer.pem"})
    assert {path for path, role in roles.items() if role == "input"} == {
        "inputs/run.yaml", "inputs/items.json",
    }  # fmt: skip
    assert all(
        entry["sha256"] == sha256(files[entry["path"]]).hexdigest() for entry in manifest["files"]
    )
    assert [source["name"] for source in manifest["references"]] == [SCENE, "anp"]


def test_provenance_is_prov_json(files):
    document = ProvDocument.deserialize(content=files["prov.json"].decode(), format="json")
    hashes = {
        str(entity.identifier): {str(value) for value in entity.get_attribute("cvl:sha256")}
        for entity in document.get_records(ProvEntity)
    }
    for name in ("alert.geojson", "chips/before.png", "inputs/run.yaml", "report_es.pdf"):
        assert hashes[f"alert:{name}"] == {sha256(files[name]).hexdigest()}
    assert hashes["source:layer/anp"] == {LAYER_SHA256}
    assert f"source:scene/{SCENE}" in hashes
    notation = document.get_provn()
    for relation in ("used(", "wasGeneratedBy(", "wasDerivedFrom(", "actedOnBehalfOf("):
        assert relation in notation


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", ("Informe de alerta", "poza minera", "alta", "4.64 ± 0.35 ha", "Método", "firmado")),
        ("en", ("Forest change alert", "mine pit", "high", "4.64 ± 0.35 ha", "Method", "signed")),
    ],
)
def test_the_report_says_what_was_seen(language, words, text):
    page = text(language)
    for word in (*words, "2025-03-11 – 2025-03-21", "RN09", "ñandú", "98.4 %", SCENE, "19L"):
        assert word in page, word


def test_the_reports_coordinates_fit_the_polygon(text):
    page = text("en")
    rows = re.findall(r"^ *\d+ +(\d+\.\d) +(\d+\.\d) +(-12\.\d+) +(-69\.\d+)$", page, re.MULTILINE)
    easting, northing, latitude, longitude = np.array(rows, float).T
    ring = shapely.get_coordinates(shapely.get_exterior_ring(PIT))[:-1]
    np.testing.assert_allclose(np.c_[longitude, latitude], ring, atol=1e-6)
    back = Transformer.from_crs("EPSG:32719", "EPSG:4326", always_xy=True)
    np.testing.assert_allclose(np.c_[back.transform(easting, northing)], ring, atol=2e-6)


def test_many_vertices_and_no_layer_still_fit(require_component):
    round_pit = shapely.Point(-69.19, -12.59).buffer(0.002, quad_segs=200)
    dossier = make_dossier(jurisdiction=[])
    object.__setattr__(dossier, "geometry", round_pit)
    made = evidence_files(dossier, make_signer())
    assert 10_000 < len(made["report_es.pdf"]) < 200_000


@pytest.mark.parametrize(
    ("longitude", "latitude", "zone"),
    [(-69.19, -12.59, "19L"), (-72.5, -11.7, "18L"), (-75, -4, "18M"), (179.9, 10, "60P")],
)
def test_utm_zone_and_distance(longitude, latitude, zone):
    here, there = utm(longitude, latitude), utm(longitude + 0.01, latitude)
    assert here.zone == zone
    metres = np.hypot(there.easting_m - here.easting_m, there.northing_m - here.northing_m)
    expected = Geod(ellps="WGS84").inv(longitude, latitude, longitude + 0.01, latitude)[2]
    assert metres == pytest.approx(expected, rel=1.5e-3)  # UTM's scale is 0.9996 to 1.001


def test_degrees_minutes_seconds():
    assert degrees_minutes_seconds(-12.5899999999, directions="NS") == "12° 35′ 24.00″ S"
    assert degrees_minutes_seconds(0.5, directions="NS") == "0° 30′ 00.00″ N"
    assert degrees_minutes_seconds(-69.19, directions="EO") == "69° 11′ 24.00″ O"


def test_outline_has_each_vertex_once():
    two = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)])
    assert len(outline_vertices(two)) == 8
