"""Files behind a server that fails in every way servers do, and behind tokens and keys."""

from __future__ import annotations

import datetime as dt
import json
import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvlarray.cube import (
    access,
    cube_variables,
    geofile,
    group_by_day,
    load_cube,
    read_block,
    stackstac_loader,
)
from cvlarray.cube.raster import read_asset
from cvlarray.errors import AccessError
from cvlarray.names import NODATA_DN
from cvlarray.sensors import Signer, read_item
from tests.file_server import HTML, Fault, FileServer

from .conftest import grid

PLACE = grid(64, 64)
BANDS = ["red", "nir", "scl"]
ESA = {"red": "B04", "nir": "B08", "swir16": "B11", "scl": "SCL"}


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Wait a hundredth of the time, and give up a silent server after a second."""
    monkeypatch.setattr(geofile, "RETRY_AFTER_S", (0.001, 0.004))
    monkeypatch.setitem(geofile.GDAL_OPTIONS, "GDAL_HTTP_RETRY_DELAY", "0.005")
    monkeypatch.setitem(geofile.GDAL_OPTIONS, "GDAL_HTTP_TIMEOUT", "0.2")


@pytest.fixture
def server(make_scene) -> Iterator[FileServer]:
    """Serve the folder in which `make_scene` writes."""
    folder = path_of(make_scene(PLACE), "red").parents[2]
    with FileServer(folder) as served:
        yield served


def path_of(item, band):
    return Path(item.get_assets()[band].get_absolute_href())


def served_by(server: FileServer, item, bands=BANDS, prefix: str = "") -> dict[str, Any]:
    """Return an Item's JSON with the URLs of its files."""
    raw = json.loads(json.dumps(item.to_dict(transform_hrefs=False)))
    for band in bands:
        path = path_of(item, band).relative_to(server.folder)
        raw["assets"][band]["href"] = f"{prefix or server.url}/{path}"
    return raw


def read(items, loader=read_asset, place=PLACE):
    scenes = [read_item(item) for item in items]
    return read_block(group_by_day(scenes), place, cube_variables(scenes, BANDS), loader)


def assert_equal(block, expected):
    assert not block.unread
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(block.arrays[name], values)


FAULTS = {
    "expired token as HTML": (Fault(body=HTML), "not recognized"),
    "forbidden": (Fault(403), "403"),
    "not found": (Fault(404), "404"),
    "too many requests": (Fault(429), "429"),
    "server error": (Fault(500), "500"),
    "unavailable": (Fault(503), "503"),
    "silence": (Fault(pause_s=0.3), ""),
    "dropped connection": (Fault(cut_after=200), ""),
    "truncated to nothing": (Fault(cut_after=0), ""),
}


@pytest.mark.parametrize("loader", [read_asset, stackstac_loader.read_asset])
def test_files_over_http_are_those_on_disk(make_scene, server, loader):
    item = make_scene(PLACE)
    assert_equal(read([served_by(server, item)], loader), read([item]))


@pytest.mark.parametrize(("fault", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_fault_that_stays_is_recorded_and_one_that_ends_is_forgotten(
    make_scene, server, fault, reason
):
    """GDAL remembers failures for the life of the process; a file mended meanwhile is read."""
    item, other = make_scene(PLACE, day="2023-07-06"), make_scene(PLACE, day="2023-07-11")
    served = [served_by(server, item), served_by(server, other)]
    nir = f"/{path_of(item, 'nir').relative_to(server.folder)}"
    server.fail(nir, fault)

    block = read(served)

    assert [(asset.scene_id, asset.band) for asset in block.unread] == [(item.id, "nir")]
    assert reason in block.unread[0].reason
    assert server.requests[nir] >= 3
    assert (block.arrays["read_status"][0] == 2).all()
    for band in ("red", "nir"):
        assert (block.arrays[band][0] == NODATA_DN).all()
    assert (block.arrays["read_status"][1] == 1).all()
    server.faults.clear()
    assert_equal(read(served), read([item, other]))


@pytest.mark.parametrize("fault", [Fault(body=HTML), Fault(403), Fault(404), Fault(503)])
@pytest.mark.parametrize("n_faults", [1, 2])
def test_a_file_that_stumbles_is_asked_again(make_scene, server, fault, n_faults, monkeypatch):
    monkeypatch.setitem(geofile.GDAL_OPTIONS, "GDAL_HTTP_MAX_RETRY", "0")
    item = make_scene(PLACE)
    server.fail("B04.tif", *[fault] * n_faults, None)
    assert_equal(read([served_by(server, item)]), read([item]))


def test_a_truncated_file_on_a_server(make_scene, server):
    item = make_scene(grid(512, 512), nodata=0)
    path = path_of(item, "red")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    block = read([served_by(server, item)], place=grid(512, 512))
    assert [asset.band for asset in block.unread] == ["red"]
    assert (block.arrays["read_status"] == 2).all()


def test_each_thread_has_one_request_at_a_time(make_scene, server):
    items = [make_scene(grid(512, 512), day=f"2023-07-{day:02d}") for day in range(1, 7)]
    served = [served_by(server, item) for item in items]
    server.fail(".", Fault(pause_s=0.01))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda item: read([item], place=grid(512, 512)), served))
    assert server.most_in_flight <= 2
    assert len(server.requests) == len(items) * len(BANDS)


# --- tokens of Planetary Computer ---------------------------------------------------------------

SECRET = "sv=2024&sig=s3cr3t"


class TokenServer:
    """Gives out tokens with a number, and lets none but the newest read."""

    def __init__(self, server: FileServer, lasts_s: float = 3600) -> None:
        self.given = 0
        self.lasts_s = lasts_s
        self.lock = threading.Lock()
        server.replies["/token/127/scenes"] = self.reply
        server.allows = lambda query: query == f"{SECRET}{self.given}"

    def reply(self) -> bytes:
        with self.lock:
            self.given += 1
            expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.lasts_s)
            token = {"msft:expiry": expires.isoformat(), "token": f"{SECRET}{self.given}"}
        return json.dumps(token).encode()


@pytest.fixture
def tokens(server, monkeypatch) -> TokenServer:
    monkeypatch.setattr(access, "AZURE_HOSTS", ("127.0.0.1",))
    monkeypatch.setenv("PC_SDK_SAS_URL", f"{server.url}/token")
    access._tokens.cache_clear()
    (server.folder / "scenes").unlink(missing_ok=True)
    (server.folder / "scenes").symlink_to(server.folder)
    return TokenServer(server)


def planetary(server: FileServer, item) -> dict[str, Any]:
    """Return the Item as Planetary Computer has it: other asset keys, files behind tokens."""
    raw = served_by(server, item, prefix=f"{server.url}/scenes")
    raw["assets"] = {ESA[band]: asset for band, asset in raw["assets"].items() if band in BANDS}
    del raw["properties"]["earthsearch:boa_offset_applied"]
    raw["properties"]["s2:processing_baseline"] = "03.01"
    return raw


def test_signed_files_are_read_with_one_token(make_scene, server, tokens):
    item = make_scene(PLACE)
    assert_equal(read([planetary(server, item)]), read([item]))
    assert tokens.given == 1
    assert SECRET + "1" in server.queries


def test_a_token_taken_back_is_asked_for_anew(make_scene, server, tokens):
    item, later = make_scene(PLACE), make_scene(PLACE)
    read([planetary(server, item)])
    tokens.given = 7
    assert_equal(read([planetary(server, later)]), read([later]))
    assert tokens.given == 8


def test_a_token_is_not_used_to_its_last_moment(make_scene, server, tokens):
    tokens.lasts_s = access.TOKEN_SPARE.total_seconds() / 2
    item = make_scene(PLACE)
    assert_equal(read([planetary(server, item)]), read([item]))
    assert tokens.given == len(BANDS)


def test_no_token_to_be_had(make_scene, server, tokens, monkeypatch):
    monkeypatch.setattr(access, "TOKEN_RETRIES", access.TOKEN_RETRIES.new(backoff_factor=0))
    server.replies["/token/127/scenes"] = lambda: b"<html>log in</html>"
    block = read([planetary(server, make_scene(PLACE))])
    assert {asset.reason.split(";")[0] for asset in block.unread} == {
        f"no token for 127/scenes from {server.url}/token: JSONDecodeError"
    }


def test_secrets_are_in_no_graph_log_or_error(make_scene, server, tokens, caplog):
    caplog.set_level(logging.DEBUG)
    good, bad = make_scene(PLACE, day="2023-07-06"), make_scene(PLACE, day="2023-07-11")
    nir = path_of(bad, "nir").relative_to(server.folder)
    server.fail(str(nir), Fault(403))
    items = [planetary(server, item) for item in (good, bad)]
    cube = load_cube(items, PLACE, bands=BANDS)
    seen = cube.compute(scheduler="threads")
    block = read(items)
    assert (seen.read_status[1] == 2).all()
    assert tokens.given > 0
    assert server.url in block.unread[0].href
    scenes = [read_item(item) for item in items]
    written = [pickle.dumps(cube.__dask_graph__()), pickle.dumps(scenes), pickle.dumps(block)]
    text = "".join([caplog.text, repr(cube), repr(scenes), repr(block), *map(repr, written)])
    assert "403" in text
    assert "s3cr3t" not in text
    assert all(b"s3cr3t" not in dumped for dumped in written)


def test_copies_elsewhere_are_opened_as_they_are(make_scene):
    item = make_scene(PLACE)
    asset = read_item(item).assets["red"]
    signed = access.opening(type(asset)(**{**vars(asset), "signer": Signer.PLANETARY_COMPUTER}))
    assert signed == access.Opening(asset.href)


# --- S3 -----------------------------------------------------------------------------------------


def in_bucket(s3, bucket: str, item) -> dict[str, Any]:
    """Return an Item's JSON with its files in a bucket."""
    raw = json.loads(json.dumps(item.to_dict(transform_hrefs=False)))
    for band in BANDS:
        key = f"scenes/{item.id}/{ESA[band]}.tif"
        s3.client().upload_file(str(path_of(item, band)), bucket, key)
        raw["assets"][band]["href"] = f"s3://{bucket}/{key}"
    return raw


def test_files_in_a_bucket_are_those_on_disk(make_scene, s3):
    item, bucket = make_scene(PLACE), s3.new_bucket()
    raw = in_bucket(s3, bucket, item)
    assert_equal(read([raw]), read([item]))
    s3.client().delete_object(Bucket=bucket, Key=f"scenes/{item.id}/B08.tif")
    assert_equal(read([raw]), read([item]))  # GDAL still has it; another process hasn't
    lost = in_bucket(s3, bucket, make_scene(PLACE))
    s3.client().delete_object(Bucket=bucket, Key=lost["assets"]["nir"]["href"][len(bucket) + 6 :])
    block = read([lost])
    assert [(asset.band, asset.href) for asset in block.unread] == [
        ("nir", lost["assets"]["nir"]["href"])
    ]


def test_buckets_need_no_boto3(make_scene, s3):
    """Which the tests have and users don't."""
    raw = in_bucket(s3, s3.new_bucket(), make_scene(PLACE))
    code = (
        "import sys, json; sys.modules['boto3'] = None; import shapely; "
        "from cvlarray.cube import *; from cvlarray.sensors import read_item; "
        "from odc.geo.geobox import GeoBox; from affine import Affine; "
        "scenes = [read_item(json.loads(sys.argv[1]))]; "
        "place = GeoBox((8, 8), Affine(10, 0, 300000, 0, -10, 8700000), 'EPSG:32719'); "
        "print(read_block(group_by_day(scenes), place, cube_variables(scenes, ['red'])).unread)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(raw)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "()\n", done.stderr


def test_files_of_cdse_are_read_with_its_keys(make_scene, s3, monkeypatch):
    item = make_scene(PLACE)
    raw = in_bucket(s3, s3.new_bucket(), item)
    names = {"red": "B04_10m", "nir": "B08_10m", "scl": "SCL_20m"}
    raw["assets"] = {names[band]: raw["assets"][band] for band in BANDS}
    del raw["properties"]["earthsearch:boa_offset_applied"]
    raw["properties"]["s2:processing_baseline"] = "03.01"
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("CDSE_S3_ENDPOINT", s3.endpoint)
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", "user")
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", "s3cr3t")
    assert_equal(read([raw]), read([item]))


def test_keys_of_cdse_are_asked_for_by_name(make_scene, monkeypatch):
    monkeypatch.delenv("CDSE_S3_ACCESS_KEY", raising=False)
    asset = read_item(make_scene(PLACE)).assets["red"]
    cdse = {**vars(asset), "signer": Signer.CDSE, "href": "s3://eodata/Sentinel-2/B04.jp2"}
    with pytest.raises(AccessError, match="CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY"):
        access.opening(type(asset)(**cdse))
