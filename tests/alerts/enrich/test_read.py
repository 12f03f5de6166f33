"""Official files as they come: encodings, zones, missing pieces, garbage."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import geopandas as gpd
import pytest
import shapely

from cvlarray.alerts.enrich import Layer, LayerError, load_layer, take_snapshot
from tests.alerts.enrich.worlds import box

NAMES = ["Alto Purús", "Ñuñoa"]


def declare(path, **declared):
    declared = {
        "name": "parks",
        "role": "strict_protection",
        "columns": {"name": "nombre"},
    } | declared
    return Layer(source={"path": path} if isinstance(path, str | os.PathLike) else path, **declared)


@pytest.fixture
def frame():
    return gpd.GeoDataFrame(
        {"nombre": NAMES}, geometry=[box(0, 0, 5, 5), box(9, 9, 1, 1)], crs=4326
    )


def write_shapefile(frame, path, encoding, *, cpg):
    frame.to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg:
        path.with_suffix(".cpg").write_text(cpg)


@pytest.mark.parametrize(
    ("encoding", "cpg"),
    [
        ("ISO-8859-1", "ISO-8859-1"),
        ("ISO-8859-1", None),
        ("ISO-8859-1", "UTF-8"),
        ("UTF-8", "UTF-8"),
        ("UTF-8", None),
    ],
)
def test_shapefile_text_whatever_it_declares(frame, tmp_path, encoding, cpg):
    path = tmp_path / "anp.shp"
    write_shapefile(frame, path, encoding, cpg=cpg)
    assert load_layer(declare(path))["name"].tolist() == NAMES


def test_geojson_in_latin_1(frame, tmp_path):
    path = tmp_path / "anp.geojson"
    path.write_bytes(frame.to_json(ensure_ascii=False).encode("latin-1"))
    assert load_layer(declare(path))["name"].tolist() == NAMES


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "parquet"])
def test_formats_give_the_same_features(frame, tmp_path, suffix):
    path = tmp_path / f"anp.{suffix}"
    frame.to_parquet(path) if suffix == "parquet" else frame.to_file(path)
    features = load_layer(declare(path))
    assert features["name"].tolist() == NAMES
    assert shapely.equals(features.geometry.to_numpy(), frame.geometry.to_numpy()).all()


def test_files_of_several_zones_are_one_layer_and_a_shared_concession_counts_once(tmp_path):
    shared, west, east = box(0, 0, 2, 2), box(-60, 0, 2, 2), box(60, 0, 2, 2)
    for zone, own in ((18, west), (19, east)):
        rows = {"CODIGOU": ["X", str(zone)], "D_ESTADO": ["D.M. Titulado", "D.M. en Trámite"]}
        degrees = gpd.GeoDataFrame(rows, geometry=[shared, own], crs=4326)
        degrees.to_crs(f"EPSG:327{zone}").to_file(tmp_path / f"catastro_{zone}S.shp")
    paths = [tmp_path / f"catastro_{zone}S.shp" for zone in (18, 19)]
    columns = {"code": "CODIGOU", "status": "D_ESTADO"}
    features = load_layer(declare({"path": paths}, role="concession", columns=columns))
    assert features["code"].tolist() == ["X", "18", "19"]
    assert features["licence"].tolist() == ["licensed", "pending", "pending"]
    assert features.geometry.iloc[0].area == pytest.approx(shared.area, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.geojson", b"", "not recognized"),
        ("garbage.gpkg", bytes(range(256)) * 4, "not recognized"),
        ("garbage.parquet", b"PAR1 and no more", "arquet"),
        ("garbage.shp", b"\0" * 200, "can't be read"),
        ("nothing.geojson", b'{"type": "FeatureCollection", "features": []}', "columns"),
        ("broken.geojson", b'{"type": "FeatureCollection", "features": [{', "can't be read"),
    ],
)
def test_garbage_is_refused_in_one_line(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LayerError, match=r"layer 'parks'") as refusal:
        load_layer(declare(tmp_path / name))
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_layer_without_rows_or_geometry(frame, tmp_path):
    path = tmp_path / "anp.gpkg"
    frame.iloc[:0].to_file(path)
    with pytest.raises(LayerError, match="no usable feature"):
        load_layer(declare(path))
    frame.assign(geometry=None).to_parquet(tmp_path / "none.parquet")
    with pytest.raises(LayerError, match="no usable feature"):
        load_layer(declare(tmp_path / "none.parquet"))
    (tmp_path / "table.csv").write_text("nombre,x\nManu,1\n")
    with pytest.raises(LayerError, match="no geometry"):
        load_layer(declare(tmp_path / "table.csv"))


def test_missing_file_and_missing_crs(frame, tmp_path):
    with pytest.raises(LayerError, match=r"gone\.gpkg doesn't exist"):
        load_layer(declare(tmp_path / "gone.gpkg"))
    path = tmp_path / "anp.shp"
    frame.to_crs(32719).to_file(path)
    path.with_suffix(".prj").unlink()
    with pytest.raises(LayerError, match=r"names no CRS; declare it as source\.crs"):
        load_layer(declare(path))
    features = load_layer(declare({"path": path, "crs": "EPSG:32719"}))
    assert features.geometry.iloc[0].area == pytest.approx(frame.geometry.iloc[0].area, rel=1e-6)
    with pytest.raises(LayerError, match="can't be read"):
        load_layer(declare({"path": path, "crs": "EPSG:nonsense"}))


def test_metres_that_claim_to_be_degrees(frame, tmp_path):
    path = tmp_path / "anp.geojson"
    metres = frame.to_crs(32719).set_crs(4326, allow_override=True)
    path.write_text(metres.to_json())
    with pytest.raises(LayerError, match="must be in degrees once in EPSG:4326"):
        load_layer(declare(path))


def test_hash_is_that_of_the_bytes(frame, tmp_path):
    path = tmp_path / "anp.geojson"
    frame.to_file(path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert take_snapshot(declare(path)).sha256 == expected
    pinned = declare(path, sha256=expected)
    assert len(take_snapshot(pinned).features) == 2
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(LayerError, match=f"must have SHA-256 {expected}"):
        take_snapshot(pinned)


def test_hash_of_a_shapefile_covers_its_parts_but_not_its_neighbours(frame, tmp_path):
    path = tmp_path / "anp.shp"
    frame.to_file(path)
    before = take_snapshot(declare(path)).sha256
    (tmp_path / "anp.txt").write_text("a note")
    assert take_snapshot(declare(path)).sha256 == before
    path.with_suffix(".cpg").write_text("ISO-8859-1")
    assert take_snapshot(declare(path)).sha256 != before


def test_equal_keys_need_an_equal_declaration(frame, tmp_path):
    path = tmp_path / "anp.geojson"
    frame.to_file(path)
    plain, other = (
        take_snapshot(declare(path)),
        take_snapshot(declare(path, keep={"nombre": NAMES[:1]})),
    )
    assert plain.sha256 == other.sha256
    assert plain.key != other.key
    assert plain.key == take_snapshot(declare(path, sha256=plain.sha256)).key


class _Service(BaseHTTPRequestHandler):
    answer = b""
    status = 200
    promised: int | None = None
    asked: list[str] = []  # noqa: RUF012 - one request a test

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(self.status)
        if self.promised:
            self.send_header("Content-Length", str(self.promised))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    _Service.answer, _Service.status, _Service.asked, _Service.promised = b"", 200, [], None
    with HTTPServer(("127.0.0.1", 0), _Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/ows"
        server.shutdown()
        thread.join()


def test_wfs_answers_features(frame, service):
    _Service.answer = frame.to_json().encode()
    snapshot = take_snapshot(declare({"url": service, "typename": "anp:nacional"}))
    assert snapshot.features["name"].tolist() == NAMES
    assert snapshot.sha256 == hashlib.sha256(_Service.answer).hexdigest()
    assert "typeNames=anp%3Anacional" in _Service.asked[0]


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (500, b"", "HTTP Error 500"),
        (200, b"<ows:ExceptionReport/>", "must answer GeoJSON, got '<ows"),
        (200, json.dumps({"type": "FeatureCollection", "features": []}).encode(), "no feature"),
    ],
)
def test_wfs_that_fails(service, status, answer, reason):
    _Service.answer, _Service.status = answer, status
    with pytest.raises(LayerError, match="layer 'parks'") as refusal:
        take_snapshot(declare({"url": service, "typename": "anp"}))
    assert reason in str(refusal.value)


def test_wfs_that_drops_the_connection(frame, service):
    _Service.answer, _Service.promised = frame.to_json().encode(), 1_000_000
    with pytest.raises(LayerError, match="broke off after"):
        take_snapshot(declare({"url": service, "typename": "anp"}))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "/etc/passwd"])
def test_only_web_addresses_are_services(url):
    with pytest.raises(ValueError, match="url"):
        declare({"url": url, "typename": "anp"})
