"""A run over the small forest with official layers: what its alerts say, and what they do not."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import yaml

from cvlarray.alerts import read_alerts
from cvlarray.config import RunConfig, load_config
from cvlarray.store import Workspace
from tests.pipeline.forest import CLEARED, GEOBOX, run_settings
from tests.pipeline.runs import run

WriteConfig = Callable[..., Path]

ROW, COL = CLEARED
CLEARING = GEOBOX[ROW, COL].extent.geom
"""In EPSG:32719, 140 m × 100 m."""


def write_layer(path: Path, geometry: object, **columns: object) -> None:
    rows = {name: [value] for name, value in columns.items()}
    gpd.GeoDataFrame(rows, geometry=[geometry], crs="EPSG:32719").to_file(path)


def park(path: Path) -> dict[str, object]:
    """Return the declaration of a layer."""
    return {
        "name": "parks",
        "role": "strict_protection",
        "source": {"path": str(path)},
        "columns": {"code": "anp_codi", "name": "anp_nomb", "category": "anp_cate"},
        "valid": "2025-01-01",
    }


@pytest.fixture
def prepared(finished: RunConfig, forest_source: Path, tmp_path: Path) -> Callable[..., RunConfig]:
    """Return a function that gives the config of a copy of a finished run, with other sections."""
    workspace = tmp_path / "workspace"
    shutil.copytree(finished.workspace, workspace)

    def prepare(**sections: object) -> RunConfig:
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(run_settings(forest_source, workspace) | sections))
        return load_config(path)

    return prepare


def test_a_clearing_in_a_park_is_urgent_and_says_why(prepared, tmp_path):
    west = CLEARING.buffer(0).intersection(CLEARING.centroid.buffer(2000))
    write_layer(
        tmp_path / "anp.gpkg", west, anp_codi="PN03", anp_nomb="Manu", anp_cate="Parque Nacional"
    )
    partner = {"name": "rangers", "tier": "field_organisation", "codes": ["PN03"]}
    config = prepared(layers=[park(Path("anp.gpkg"))], routing={"partners": [partner]})
    run(config)
    workspace = Workspace(config.workspace)
    (alert,) = read_alerts(workspace.alerts_parquet).to_dict("records")
    assert (alert["priority"], alert["queue"]) == ("high", "inbox")
    assert alert["strict_protection_code"] == "PN03"
    assert alert["jurisdiction"][0]["share"] == pytest.approx(1, abs=1e-3)
    assert "high by rule 'strict protection'" in alert["reasoning"]["text"]
    properties = json.loads(workspace.alerts_geojson.read_text())["features"][0]["properties"]
    assert properties["jurisdiction"] == alert["jurisdiction"]
    assert properties["priority"] == "high"
    deliveries = pd.read_parquet(workspace.deliveries)
    assert deliveries[["partner", "queue"]].to_numpy().tolist() == [["rangers", "inbox"]]
    blind = pd.read_csv(workspace.blindness)
    assert blind["name"].tolist() == ["Manu"]
    assert blind["area_km2"].tolist() == [pytest.approx(140 * 100 / 1e6)]
    assert 12 <= blind["median_blind_days"][0] <= 60  # a scene every 12 days, a 7th all cloud
    page = workspace.report_html.read_text()
    assert "Days blind by jurisdiction" in page
    assert "Parque Nacional Manu (PN03)" in page
    assert "high by rule" in page


def test_a_layer_that_is_missing_leaves_alerts_without_a_priority_and_is_named(prepared, tmp_path):
    write_layer(
        tmp_path / "anp.gpkg",
        CLEARING,
        anp_codi="PN03",
        anp_nomb="Manu",
        anp_cate="Parque Nacional",
    )
    lost = {"name": "roads", "role": "road", "source": {"path": "nowhere.gpkg"}}
    config = prepared(layers=[park(Path("anp.gpkg")), lost])
    run(config)
    workspace = Workspace(config.workspace)
    (alert,) = read_alerts(workspace.alerts_parquet).to_dict("records")
    assert alert["priority"] == "unassigned"
    assert alert["strict_protection_code"] == "PN03"
    assert "'roads' could not be read" in alert["reasoning"]["text"]
    assert len(pd.read_parquet(workspace.deliveries)) == 0
    assert "nowhere.gpkg doesn&#39;t exist" in workspace.report_html.read_text()

    write_layer(tmp_path / "nowhere.gpkg", CLEARING.centroid.buffer(500).boundary)
    run(config)
    (alert,) = read_alerts(workspace.alerts_parquet).to_dict("records")
    assert (alert["priority"], alert["distance_to_road_m"]) == ("high", pytest.approx(430, abs=25))
    assert "No alert has a priority" not in workspace.report_html.read_text()


def test_what_a_new_edition_changes_is_listed_once(prepared, tmp_path):
    concession = {
        "name": "concessions",
        "role": "concession",
        "source": {"path": "catastro.gpkg"},
        "columns": {"code": "CODIGOU", "name": "CONCESION", "status": "D_ESTADO"},
    }
    path = tmp_path / "catastro.gpkg"
    config = prepared(layers=[concession])
    words = ("D.M. Titulado D.L. 708", "D.M. Extinguido")
    for number, status in enumerate(words):
        path.unlink(missing_ok=True)
        write_layer(path, CLEARING.buffer(50), CODIGOU="01", CONCESION="EL SOL", D_ESTADO=status)
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
        run(config)
        run(config)
    workspace = Workspace(config.workspace)
    changes = pd.read_csv(workspace.jurisdiction_changes)
    assert changes[["change", "before", "after"]].to_numpy().tolist() == [["status", *words]]
    (alert,) = read_alerts(workspace.alerts_parquet).to_dict("records")
    assert (alert["priority"], alert["queue"]) == ("medium", "inbox")


def test_a_layer_comes_from_a_web_feature_service(prepared):
    features = gpd.GeoDataFrame(
        {"nombre": ["Madre de Dios"]}, geometry=[CLEARING.buffer(30).boundary], crs="EPSG:32719"
    ).to_crs(4326)
    with served(features.to_json().encode()) as url:
        layer = {
            "name": "rivers",
            "role": "river",
            "source": {"url": url, "typename": "ana:rios"},
            "columns": {"name": "nombre"},
        }
        config = prepared(layers=[layer])
        run(config)
    (alert,) = read_alerts(Workspace(config.workspace).alerts_parquet).to_dict("records")
    assert alert["distance_to_river_m"] == pytest.approx(30, abs=1)
    assert (alert["priority"], alert["rule"]) == ("low", "elsewhere")


@contextmanager
def served(content: bytes) -> Iterator[str]:
    """Answer every request with ``content``."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/wfs"
        finally:
            server.shutdown()
            thread.join()


def test_a_simplified_outline_keeps_what_was_counted(prepared):
    config = prepared()
    run(config)
    workspace = Workspace(config.workspace)
    (before,) = read_alerts(workspace.alerts_parquet).to_dict("records")
    run(prepared(vectorize={"simplify_tolerance_m": 100.0}))
    (after,) = read_alerts(workspace.alerts_parquet).to_dict("records")
    assert after["geometry"].is_valid
    assert not after["geometry"].equals(before["geometry"])
    for name in ("event_id", "version", "area_m2", "n_pixels"):
        assert after[name] == before[name]
