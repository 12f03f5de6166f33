"""A whole run on signed files: nothing that it writes or logs holds a token."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import xarray as xr

from cvlarray.cluster import executor
from cvlarray.config import load_config
from cvlarray.cube import access, geofile
from cvlarray.pipeline import run_pipeline
from cvlarray.pipeline.progress import LogProgress
from cvlarray.store import Workspace
from tests.file_server import Fault, FileServer

TOKEN = b'{"msft:expiry": "2099-01-01T00:00:00Z", "token": "se=2099&sig=s3cr3t"}'
KEYS = {"red": "B04", "nir": "B08", "scl": "SCL"}


def sign(source: Path, url: str) -> None:
    """Rewrite the catalogue as Planetary Computer has it."""
    for path in source.glob("sentinel-2-l2a/*/*.json"):
        raw = json.loads(path.read_text())
        href = f"{url}/{path.parent.relative_to(source)}"
        raw["assets"] = {
            KEYS[band]: asset | {"href": f"{href}/{KEYS[band]}.tif"}
            for band, asset in raw["assets"].items()
        }
        raw["properties"]["s2:processing_baseline"] = "03.01"
        path.write_text(json.dumps(raw))


def test_tokens_stay_in_memory(source, write_config, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, "rasterio")
    monkeypatch.setattr(access, "AZURE_HOSTS", ("127.0.0.1",))
    monkeypatch.setattr(geofile, "RETRY_AFTER_S", (0.001, 0.004))
    monkeypatch.setitem(geofile.GDAL_OPTIONS, "GDAL_HTTP_RETRY_DELAY", "0.005")
    access._tokens.cache_clear()
    with FileServer(source) as server:
        monkeypatch.setenv("PC_SDK_SAS_URL", f"{server.url}/token")
        server.replies["/token/127/sentinel-2-l2a"] = lambda: TOKEN
        server.allows = lambda query: "sig=s3cr3t" in query
        server.fail("20210113_0_L2A/B08.tif", Fault(403))
        sign(source, server.url)
        periods = {
            "history": {"start": "2020-01-01", "end": "2020-12-31"},
            "monitoring": {"start": "2021-01-01", "end": "2021-02-28"},
        }
        grid = {"crs": "EPSG:32719", "resolution_m": 10, "tile_px": 64}
        store = {"shard_px": 64, "chunk_px": 16}
        path = write_config(source, periods=periods, grid=grid, store=store)
        config = load_config(path)
        with executor(config.cluster) as workers:
            run_pipeline(config, workers, LogProgress())
    workspace = Workspace(config.workspace)
    cube = xr.open_zarr(workspace.cube)
    status = cube["read_status"].max(["y", "x"]).to_series()
    assert status.pop("2021-01-13 00:00:00") == 2
    assert (status == 1).all()
    written = [path for path in workspace.path.rglob("*") if path.is_file()]
    assert b"20210113_0_L2A" in workspace.ledger.read_bytes()
    assert "20210113_0_L2A" in workspace.report_html.read_text()
    assert len(written) > 20
    assert [path for path in written if b"s3cr3t" in path.read_bytes()] == []
    assert "s3cr3t" not in caplog.text
