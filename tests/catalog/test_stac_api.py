"""A real STAC API (stac-fastapi-pgstac on PostgreSQL) against the same 2,102 Items on disk."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import psycopg
import pytest
import yaml
from affine import Affine
from odc.geo.geobox import GeoBox
from pystac_client import Client
from shapely.geometry import MultiPolygon, box, mapping

from cvlarray.catalog import SearchResult, api, load_items, search
from cvlarray.catalog.api import ItemApi
from cvlarray.catalog.cql import Condition, at_most_cloudy
from cvlarray.catalog.query import Query
from cvlarray.config import load_config
from cvlarray.errors import SearchError
from cvlarray.pipeline.search import find_context, search_catalog
from cvlarray.simulate.item import Product, item_json
from cvlarray.store import Workspace
from tests.postgis_server import PostgisServer
from tests.stac_api_server import StacApiServer, load_pgstac

N_ITEMS = 2100
FIRST = dt.datetime(2019, 1, 3, 15, tzinfo=dt.UTC)
REGION = box(-69.9, -12.9, -69.8, -12.8)
GRID = GeoBox((100, 100), Affine(1000, 0, 350_000, 0, -1000, 8_620_000), "EPSG:32719")
L2A = "sentinel-2-l2a"
QUERYABLES = {"properties": {"eo:cloud_cover": {"type": "number"}, "grid:code": {"type": "string"}}}


def scene(number: int) -> dict[str, Any]:
    """Return an Item as Earth Search has them; every seventh states no cloud cover."""
    acquired = FIRST + dt.timedelta(hours=23 * number)
    product = Product(grid_tile=("19LCF", "19LDF")[number % 2])
    grids = {"red": GRID, "nir": GRID, "scl": GRID}
    raw = item_json(f"S2A_{number:04d}", acquired, grids, np.full((2, 2), 4, "u1"), GRID, product)
    raw["properties"]["eo:cloud_cover"] = float(number * 37 % 1001) / 10
    if number % 7 == 0:
        del raw["properties"]["eo:cloud_cover"]
    for asset in raw["assets"].values():
        asset["href"] = asset["href"].replace(".", f"/data/{raw['id']}", 1)
    return raw | {"links": []}


def fiji(name: str, footprint: Any, bbox: list[float]) -> dict[str, Any]:
    return scene(1) | {"id": name, "geometry": mapping(footprint), "bbox": bbox}


FIJI = [
    fiji(
        "fiji",
        MultiPolygon([box(179, -18, 180, -17), box(-180, -18, -179, -17)]),
        [179, -18, -179, -17],
    ),
    fiji("fiji-west", box(178, -18, 179.4, -17), [178, -18, 179.4, -17]),
]
ITEMS = [*map(scene, range(N_ITEMS)), *FIJI]


def collection(name: str) -> dict[str, Any]:
    extent = {
        "spatial": {"bbox": [[-180, -90, 180, 90]]},
        "temporal": {"interval": [["2015-01-01T00:00:00Z", None]]},
    }
    return {"type": "Collection", "stac_version": "1.0.0", "id": name, "description": name,
            "license": "other", "links": [], "extent": extent}  # fmt: skip


@pytest.fixture(scope="module")
def stac_api(postgis_server: PostgisServer) -> Iterator[StacApiServer]:
    with psycopg.connect(postgis_server.database("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE stac")
    load_pgstac(postgis_server.database("stac"), [collection(L2A), collection("empty")], ITEMS)
    with StacApiServer(postgis_server, "stac") as served:
        yield served


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("items") / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": ITEMS}))
    return path


@pytest.fixture
def declared(stac_api: StacApiServer, postgis_server: PostgisServer) -> Iterator[None]:
    """Declare the queryables, as the maintainer of a catalogue does, for the length of a test."""
    with psycopg.connect(postgis_server.database("stac"), autocommit=True) as connection:
        connection.execute("SET search_path TO pgstac, public")
        connection.execute("SELECT upsert_queryables(%s::jsonb)", [json.dumps(QUERYABLES)])
        yield
        connection.execute("DELETE FROM queryables WHERE name IN ('eo:cloud_cover', 'grid:code')")


def find(source: object, **changes: Any) -> SearchResult:
    query: dict[str, Any] = {
        "collections": [L2A],
        "region": REGION,
        "start": dt.date(2019, 1, 1),
        "end": dt.date(2019, 4, 30),
    }
    return search(str(source), **(query | changes))


def ids(found: SearchResult) -> list[str]:
    return [item.id for item in found]


def test_every_page_is_read_once(stac_api: StacApiServer, on_disk: Path) -> None:
    ever = {"end": dt.date(2024, 12, 31)}
    found = find(stac_api.url, **ever)
    assert ids(found) == [f"S2A_{number:04d}" for number in range(N_ITEMS)]
    assert [item.to_dict()["assets"] for item in found] == [
        item.to_dict()["assets"] for item in find(on_disk, **ever)
    ]


QUESTIONS = [
    {"max_cloud_cover": 9.5},
    {"max_cloud_cover": 60, "end": dt.date(2019, 3, 30)},
    {"cql2_filter": '"eo:cloud_cover" > 9 AND "grid:code" = \'MGRS-19LCF\''},
    {"cql2_filter": "\"grid:code\" = 'MGRS-19LDF'", "max_cloud_cover": 20},
    {"cql2_filter": "\"s2:processing_baseline\" = '05.11'", "start": dt.date(2019, 4, 1)},
    {"region": box(-180, -17.5, -179.5, -17.4)},
    {"region": MultiPolygon([box(179.2, -18, 180, -17), box(-180, -18, -179, -17)])},
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answer_is_that_of_the_same_items_on_disk(
    stac_api: StacApiServer, on_disk: Path, question: dict[str, Any]
) -> None:
    assert ids(find(stac_api.url, **question)) == ids(find(on_disk, **question))


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("question", QUESTIONS[:4])
def test_the_answer_does_not_depend_on_what_the_api_declares(
    stac_api: StacApiServer, on_disk: Path, question: dict[str, Any]
) -> None:
    assert ids(find(stac_api.url, **question)) == ids(find(on_disk, **question))


def coarse(url: str, *conditions: Condition) -> set[str]:
    """Return what the API itself answers."""
    query = Query((L2A,), REGION, dt.date(2019, 1, 3), dt.date(2020, 1, 1), conditions)
    return {item["id"] for item in ItemApi(url).items(query)}


def test_conditions_on_what_is_not_declared_stay_here(stac_api: StacApiServer) -> None:
    assert coarse(stac_api.url, at_most_cloudy(9.5)) == coarse(stac_api.url)


@pytest.mark.usefixtures("declared")
def test_declared_properties_are_filtered_and_sorted_by_the_api_as_numbers(
    stac_api: StacApiServer,
) -> None:
    cloud_cover = {item["id"]: item["properties"].get("eo:cloud_cover", 0) for item in ITEMS}
    clear = {name for name in coarse(stac_api.url) if cloud_cover[name] <= 9.5}
    assert coarse(stac_api.url, at_most_cloudy(9.5)) == clear
    of_tile = Condition("\"grid:code\" = 'MGRS-19LCF'")
    assert coarse(stac_api.url, at_most_cloudy(9.5), of_tile) == {
        name for name in clear if int(name[-4:]) % 2 == 0
    }
    client = Client.open(stac_api.url)
    client.add_conforms_to("SORT")
    cloudiest = client.search(
        collections=[L2A],
        max_items=5,
        sortby="-properties.eo:cloud_cover",
        filter=Condition('"eo:cloud_cover" IS NOT NULL').as_json,
        filter_lang="cql2-json",
    )
    stated = [item["properties"].get("eo:cloud_cover", -1) for item in ITEMS]
    assert [item["properties"]["eo:cloud_cover"] for item in cloudiest.items_as_dicts()] == sorted(
        stated, reverse=True
    )[:5]


def test_a_collection_that_is_not_there(stac_api: StacApiServer) -> None:
    for name in ("empty", "modis"):
        with pytest.raises(SearchError, match=f"holds no item of {name}"):
            find(stac_api.url, collections=[name], max_cloud_cover=5)


def test_an_api_that_restarts_meanwhile(
    stac_api: StacApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "BACKOFF_S", 0.4)
    stac_api.stop()
    restart = Timer(0.3, stac_api.start)
    restart.start()
    try:
        assert len(find(stac_api.url, end=dt.date(2019, 2, 1))) == 31
    finally:
        restart.join()


def test_the_items_of_a_run_are_kept_and_read_again(
    stac_api: StacApiServer, tmp_path: Path, on_disk: Path
) -> None:
    settings = {
        "name": "kept",
        "workspace": str(tmp_path / "run"),
        "region": {"bbox": list(REGION.bounds)},
        "grid": {"crs": "EPSG:32719", "tile_px": 512},
        "search": {"source": stac_api.url, "max_cloud_cover_percent": 50},
        "periods": {
            "history": {"start": "2019-01-01", "end": "2019-12-31"},
            "monitoring": {"start": "2020-01-01", "end": "2020-02-28"},
        },
        "cube": {"bands": ["red", "nir", "scl"]},
    }
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(settings))
    config = load_config(path)
    workspace = Workspace(config.workspace)
    workspace.path.mkdir()
    outcome = search_catalog(config, workspace)
    kept = load_items(workspace.items)
    asked = find(on_disk, max_cloud_cover=50, end=dt.date(2020, 2, 28))
    assert [item.id for item in kept] == ids(asked)
    assert outcome.detail["n_items"] == len(kept) > 100
    from_api = find_context(config, workspace)
    assert [scene.id for scene in from_api.scenes] == ids(asked)
