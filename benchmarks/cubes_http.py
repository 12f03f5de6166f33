"""Bytes over HTTP: a server on loopback that answers late, as object storage does."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import rasterio

from benchmarks.cubes_scenes import FOLDER, scenes
from benchmarks.cubes_sides import SIZE, aligned, build, decode, odc_stac, stackstac_mosaic
from benchmarks.registry import Measurement, measures
from cvlarray.cube.geofile import GDAL_OPTIONS

LATENCY_S = 0.03
N_ITEMS = 12
"""Six dates of two granules."""


class _Files(BaseHTTPRequestHandler):
    """Serves ``/<reader>/<path>`` with ranges, and counts the bytes of each reader."""

    protocol_version = "HTTP/1.1"
    sent: Counter[str]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        time.sleep(LATENCY_S)
        reader, _, name = self.path.removeprefix("/").partition("/")
        path = FOLDER / name
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        stop = min(size, int(asked[2]) + 1) if asked and asked[2] else size
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(stop - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.end_headers()
        if with_body:
            with path.open("rb") as file:
                file.seek(start)
                self.wfile.write(file.read(stop - start))
            self.sent[reader] += stop - start


@contextmanager
def server() -> Iterator[tuple[str, Counter[str]]]:
    """Serve the scenes; yield the URL, and the bytes sent to each reader."""
    sent: Counter[str] = Counter()
    handler = type("Files", (_Files,), {"sent": sent})
    files = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    files.daemon_threads = True
    threading.Thread(target=files.serve_forever, kwargs={"poll_interval": 0.05}).start()
    try:
        yield f"http://127.0.0.1:{files.server_port}", sent
    finally:
        files.shutdown()
        files.server_close()


def served(items: Sequence[dict[str, Any]], url: str) -> list[dict[str, Any]]:
    """Return the Items with their files on the server."""
    return [
        {
            **item,
            "assets": {
                name: {**asset, "href": f"{url}/{Path(asset['href']).relative_to(FOLDER)}"}
                for name, asset in item["assets"].items()
            },
        }
        for item in items
    ]


@measures("http_bytes")
def http_bytes() -> Measurement:
    """All with the same options of GDAL."""
    items = scenes(*SIZE)[:N_ITEMS]
    readers: dict[str, Callable[..., None]] = {
        "floor": decode,
        "ours": partial(build, time_shard=N_ITEMS // 2),
        "odc": odc_stac,
        "stackstac": stackstac_mosaic,
    }
    with server() as (url, sent):
        for name, read in readers.items():
            with rasterio.Env(**GDAL_OPTIONS):
                read(aligned(), served(items, f"{url}/{name}"))
    over = {name: sent[name] / sent["floor"] for name in readers}
    note = (
        f"odc-stac {over['odc']:.2f}, stackstac {over['stackstac']:.2f}; the floor reads "
        f"{sent['floor'] / 1e6:.1f} MB, {1e3 * LATENCY_S:g} ms latency"
    )
    return Measurement(over["ours"], "×", sent["floor"] / 1e6, over["ours"], note)
