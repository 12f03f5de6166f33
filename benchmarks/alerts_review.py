"""The verification page over a million alerts, asked by twenty reviewers at once."""

from __future__ import annotations

import http.client
import itertools
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from urllib.parse import urlsplit

import geopandas as gpd
import httpx
import numpy as np
import pandas as pd
import shapely

from benchmarks.measure import ROOT
from benchmarks.registry import Measurement, measures
from cvlarray.alerts.route import Partner
from cvlarray.review import ReviewDatabase, list_alerts, sign_link

FOLDER = ROOT / ".bench" / "review"
N_ALERTS = 1_000_000
N_CHANGED = 5_000
N_CLIENTS = 20
VIEWS_A_CLIENT = 15
KEY = "benchmark" * 4

PARTNERS = tuple(
    Partner(
        name=f"partner {i}", tier="government", area=shapely.box(-75 + i / 2, -14, -74 + i / 2, -9)
    )
    for i in range(11)
)
"""As many as the paper's, each with a part of the region."""

FIRST_VIEW = ("/",)
"""What isn't cached: the page, with its list and the squares of its map in it."""


@measures("first_view_p95")
def first_view_p95() -> Measurement:
    """Each client asks for the next view as soon as it has one: nobody reads that fast."""
    listed = listing()
    with serving() as url:
        views = sorted(all_views(url))
    p95 = statistics.quantiles(views, n=20)[-1]
    note = (
        f"median {1000 * statistics.median(views):.0f} ms of {len(views)} views, "
        f"{N_CLIENTS} clients without a pause on the machine of the server; {listed}"
    )
    return Measurement(1000 * p95, "ms", note=note)


@measures("first_view_size")
def first_view_size() -> Measurement:
    """All that a browser without a cache loads, compressed as it travels."""
    listing()
    with serving() as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        page = client.post(link(url)).text
        linked = [part.split('"')[0] for part in page.split('="/static/')[1:]]
        paths = [*FIRST_VIEW, *(f"/static/{path}" for path in linked)]
        sizes = {path: travelled(client, path) for path in paths}
    largest = max(sizes, key=lambda path: sizes[path])
    note = f"{len(sizes)} requests; the largest is {largest} with {sizes[largest] / 1000:.0f} KB"
    return Measurement(sum(sizes.values()) / 1000, "KB", note=note)


def travelled(client: httpx.Client, path: str) -> int:
    """Return the bytes of an answer's body on the wire."""
    with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
        answer.raise_for_status()
        return sum(len(chunk) for chunk in answer.iter_raw())


@cache
def listing() -> str:
    """List a million alerts, then the same with some new and grown; return how long it took."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    alerts = make_alerts(N_ALERTS)
    database = ReviewDatabase(FOLDER / "review.db")
    times = []
    for table in (alerts, next_day(alerts)):
        start = time.perf_counter()
        list_alerts(database, table, PARTNERS)
        times.append(time.perf_counter() - start)
    database.close()
    return f"listed in {times[0]:.0f} s, {N_CHANGED:,} new or grown ones in {times[1]:.0f} s"


def next_day(alerts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the alerts after a day on which half of the changes are new and half have grown."""
    half = N_CHANGED // 2
    grown = alerts.copy()
    grown.loc[: half - 1, "area_m2"] *= 1.5
    new = make_alerts(half, first=N_ALERTS)
    return gpd.GeoDataFrame(pd.concat([grown, new], ignore_index=True), crs=alerts.crs)


def make_alerts(n: int, first: int = 0) -> gpd.GeoDataFrame:
    """Return alerts strewn over three departments, with the paper's shares of priorities."""
    random = np.random.default_rng(first)
    lon, lat = random.uniform(-75, -69, n), random.uniform(-14, -9, n)
    day = pd.Timestamp("2016-01-01") + pd.to_timedelta(random.integers(0, 3650, n), unit="D")
    return gpd.GeoDataFrame(
        {
            "event_id": [f"{i:026d}" for i in range(first, first + n)],
            "class": random.choice(
                ["recent_clearing", "mine_pit", "road"], n, p=[0.45, 0.34, 0.21]
            ),
            "confidence": random.uniform(0.5, 1, n).round(4),
            "first_detected": day.astype("datetime64[ms]"),
            "area_m2": random.lognormal(9, 1, n).round(1),
            "priority": random.choice(["high", "medium", "monitoring"], n, p=[0.29, 0.44, 0.27]),
        },
        geometry=shapely.box(lon, lat, lon + 0.001, lat + 0.001),
        crs=4326,
    )


def link(url: str) -> str:
    """Return a link that lets one client in."""
    return f"{url}/link/{sign_link(KEY, partner='', valid=timedelta(hours=1))}"


@contextmanager
def serving() -> Iterator[str]:
    """Serve the page in a process of its own; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.alerts_review_side", str(FOLDER), url, KEY]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            wait_for(url, server)
            yield url
        finally:
            server.terminate()


def wait_for(url: str, server: subprocess.Popen[str]) -> None:
    """Wait until the server listens."""
    address = urlsplit(url).hostname, urlsplit(url).port
    for _ in range(600):
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            if server.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{url} doesn't answer")


def all_views(url: str) -> list[float]:
    """Return the seconds of every view of every client."""
    views: list[list[float]] = [[] for _ in range(N_CLIENTS)]
    threads = [threading.Thread(target=view_often, args=(url, mine)) for mine in views]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(itertools.chain.from_iterable(views))


def view_often(url: str, seconds: list[float]) -> None:
    """Come in once, and view the page again and again.

    By plain sockets: twenty clients of a library would take more of the machine than the page.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.request("POST", urlsplit(link(url)).path)
    answer = connection.getresponse()
    cookie = str(answer.getheader("set-cookie")).partition(";")[0]
    answer.read()
    headers = {"cookie": cookie, "accept-encoding": "gzip"}
    for _ in range(VIEWS_A_CLIENT):
        start = time.perf_counter()
        for path in FIRST_VIEW:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise RuntimeError(f"{path} answers {answer.status}")
        seconds.append(time.perf_counter() - start)
    connection.close()
