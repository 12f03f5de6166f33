"""One search over three kinds of catalogue, its errors, and the snapshot it is kept in."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pystac
import pytest
import rustac
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box, mapping, shape
from shapely.geometry.base import BaseGeometry

from cvlarray.catalog import SearchResult, api, geoparquet, load_items, save_items, search
from cvlarray.errors import ItemError, SearchError
from cvlarray.sensors import Scene, read_item

REGION = box(-69.6, -12.6, -69.4, -12.4)
HERE, FAR = box(-70, -13, -69, -12), box(20, 45, 21, 46)
L2A = ["sentinel-2-l2a"]
Json = dict[str, Any]


def item(
    name: str,
    moment: str = "2024-07-01T14:58:00.123456Z",
    *,
    footprint: BaseGeometry = HERE,
    cloud_cover: float | None = 10,
    collection: str = "sentinel-2-l2a",
) -> Json:
    """Return an Item's JSON with relative hrefs, as a static catalog has it."""
    properties = {
        "datetime": moment,
        "platform": "sentinel-2a",
        "grid:code": "MGRS-19LCF",
        "proj:epsg": 32719,
        "s2:processing_baseline": "05.11",
    }
    if cloud_cover is not None:
        properties["eo:cloud_cover"] = cloud_cover
    asset = {
        "href": f"./{name}/B04.tif",
        "type": "image/tiff",
        "proj:shape": [100, 100],
        "proj:transform": [10, 0, 300000, 0, -10.0, 8600020],
        "raster:bands": [{"nodata": 0, "data_type": "uint16"}],
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": collection,
        "geometry": mapping(footprint),
        "bbox": list(footprint.bounds),
        "properties": properties,
        "links": [],
        "assets": {"red": asset, "scl": {"href": f"./{name}/SCL.tif"}},
    }


ITEMS = [
    item("d-later", "2024-07-06T14:58:00Z", cloud_cover=80.5),
    item("b-same-time"),
    item("a-same-time"),
    item("c-earlier", "2024-06-01T14:58:00Z", cloud_cover=0),
    item("e-elsewhere", footprint=FAR),
    item("f-sar", cloud_cover=None, collection="sentinel-1-rtc"),
    item("g-coast", footprint=MultiPolygon([box(-70, -13, -69, -12), box(-68, -13, -67, -12)])),
]


def write_catalog(folder: Path, items: list[Json]) -> Path:
    """Write a self-contained catalog with one child a collection; return its catalog.json."""
    folder.mkdir(parents=True)
    groups: dict[str, list[Json]] = {}
    for raw in items:
        groups.setdefault(raw["collection"], []).append(raw)
    for name, members in groups.items():
        (folder / name).mkdir()
        links = [{"rel": "item", "href": f"./{raw['id']}.json"} for raw in members]
        links.append({"rel": "root", "href": "../catalog.json"})
        collection = {"type": "Collection", "stac_version": "1.0.0", "id": name, "links": links}
        (folder / name / "collection.json").write_text(json.dumps(collection))
        for raw in members:
            parent = {"rel": "parent", "href": "./collection.json"}
            text = json.dumps(raw | {"links": [*raw["links"], parent]})
            (folder / name / f"{raw['id']}.json").write_text(text)
    children = [{"rel": "child", "href": f"./{name}/collection.json"} for name in groups]
    root = {"type": "Catalog", "stac_version": "1.0.0", "id": "test", "links": children}
    path = folder / "catalog.json"
    path.write_text(json.dumps(root))
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return write_catalog(tmp_path / "catalog", ITEMS)


def july(source: str | Path, **changes: Any) -> SearchResult:
    """Search Sentinel-2 over the region in July 2024."""
    query = {
        "collections": L2A,
        "region": REGION,
        "start": date(2024, 7, 1),
        "end": date(2024, 7, 31),
    }
    return search(source, **(query | changes))


def ids(items: SearchResult | list[pystac.Item]) -> list[str]:
    return [found.id for found in items]


# --- what is found ------------------------------------------------------------------------------


def test_static_catalog(catalog: Path) -> None:
    result = july(catalog)
    assert ids(result) == ["a-same-time", "b-same-time", "g-coast", "d-later"]
    assert result.rejected == []
    assert len(result) == 4
    red = result.items[0].assets["red"].href
    assert red == str(catalog.parent / "sentinel-2-l2a" / "a-same-time" / "B04.tif")
    assert ids(july(catalog.parent)) == ids(result)  # the folder will do


def test_catalog_written_by_pystac_with_nested_folders(tmp_path: Path) -> None:
    root = pystac.Catalog("root", "a catalog")
    child = pystac.Catalog("child", "within")
    root.add_child(child)
    for raw in json.loads(json.dumps(ITEMS[:3])):
        raw["assets"]["red"]["href"] = f"/data/{raw['id']} 1#.tif"
        child.add_item(pystac.Item.from_dict(raw, migrate=False))
    root.normalize_and_save(str(tmp_path / "it is"), pystac.CatalogType.SELF_CONTAINED)
    result = july(tmp_path / "it is")
    assert ids(result) == ["a-same-time", "b-same-time", "d-later"]
    assert result.items[0].assets["red"].href == "/data/a-same-time 1#.tif"


def test_item_collection_and_single_item(tmp_path: Path, catalog: Path) -> None:
    path = tmp_path / "items.json"
    twice = [*ITEMS, ITEMS[0]]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": twice}))
    assert ids(july(path)) == ids(july(catalog))
    assert ids(july(catalog.parent / "sentinel-2-l2a" / "d-later.json")) == ["d-later"]


def test_geoparquet_gives_the_same_scenes_as_the_catalog(tmp_path: Path, catalog: Path) -> None:
    every = {"collections": ["sentinel-2-l2a", "sentinel-1-rtc"], "start": date(2024, 1, 1)}
    found = july(catalog, **every)
    snapshot = tmp_path / "items.parquet"
    save_items(found, snapshot)
    again = july(snapshot, **every)
    assert ids(again) == ids(found) == ids(load_items(snapshot))
    optical = [raw for raw in found if raw.collection_id == "sentinel-2-l2a"]
    assert optical
    for before, after in zip(found, again, strict=True):
        if before in optical:
            assert read_item(before) == read_item(after)


def test_dates_are_solar_days(tmp_path: Path) -> None:
    pacific = box(163.5, -14, 165.4, -12)
    path = write_catalog(tmp_path / "c", [item("x", "2025-07-22T23:07:05Z", footprint=pacific)])
    where = {"region": Point(164.4, -13)}
    day = {"start": date(2025, 7, 23), "end": date(2025, 7, 23)}
    assert ids(july(path, **where, **day)) == ["x"]
    with pytest.raises(SearchError, match="its 1 are of 2025-07-23 to 2025-07-23"):
        july(path, **where, start=date(2025, 7, 22), end=date(2025, 7, 22))


def test_region_across_the_antimeridian(tmp_path: Path) -> None:
    fiji = Polygon([(179, -18), (-179, -18), (-179, -17), (179, -17)])
    raw = item("fiji", footprint=fiji) | {"bbox": [179, -18, -179, -17]}
    near = item("near", footprint=box(178, -18, 179.6, -17))
    path = write_catalog(tmp_path / "c", [raw, near])
    save_items([stac(raw), stac(near)], tmp_path / "i.parquet")
    for source in (path, tmp_path / "i.parquet"):
        assert ids(july(source, region=Point(-179.5, -17.5))) == ["fiji"]
        assert ids(july(source, region=Point(179.5, -17.5))) == ["fiji", "near"]
    with pytest.raises(SearchError, match="is outside every item"):
        july(tmp_path / "i.parquet", region=Point(0, -17.5))


def test_cloud_cover_is_asked_of_those_that_state_it(catalog: Path) -> None:
    both = {"collections": ["sentinel-2-l2a", "sentinel-1-rtc"]}
    assert ids(july(catalog, max_cloud_cover=10, **both)) == [
        "a-same-time",
        "b-same-time",
        "f-sar",
        "g-coast",
    ]
    with pytest.raises(SearchError, match=r"none of the 4 items .*; the least cloud cover is 10 %"):
        july(catalog, max_cloud_cover=9.5)


def test_order_does_not_depend_on_the_catalogue(tmp_path: Path) -> None:
    shuffled = random.Random(1).sample(ITEMS, len(ITEMS))
    assert ids(july(write_catalog(tmp_path / "c", shuffled))) == [
        "a-same-time",
        "b-same-time",
        "g-coast",
        "d-later",
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('"grid:code" = \'MGRS-19LCF\' AND "eo:cloud_cover" > 10', ["d-later"]),
        (
            "platform LIKE 'sentinel-2%' AND \"eo:cloud_cover\" < 50",
            ["a-same-time", "b-same-time", "g-coast"],
        ),
        ("s1:shape IS NULL AND collection IN ('sentinel-1-rtc')", ["f-sar"]),
        ('NOT "eo:cloud_cover" < 50', ["d-later"]),  # SAR states none: neither less nor not less
    ],
)
def test_cql2_filter(catalog: Path, tmp_path: Path, condition: str, expected: list[str]) -> None:
    save_items(map(stac, ITEMS), tmp_path / "items.parquet")
    for source in (catalog, tmp_path / "items.parquet"):
        found = july(
            source, collections=["sentinel-2-l2a", "sentinel-1-rtc"], cql2_filter=condition
        )
        assert ids(found) == expected


@pytest.mark.parametrize("turn", [1, -1])
def test_footprints_around_a_pole(tmp_path: Path, turn: int) -> None:
    """As a box to the pole, and as the outline of a polar stereographic square has it."""
    corners = [(-135, -88), (-45, -88), (45, -88), (135, -88), (-135, -88)][::turn]
    raws = [
        item("box", footprint=box(-180, -90, 180, -80)),
        item("ring", footprint=Polygon(corners)) | {"bbox": [-180, -90, 180, -88]},
    ]
    path = write_catalog(tmp_path / "c", raws)
    save_items(map(stac, raws), tmp_path / "i.parquet")
    for source in (path, tmp_path / "i.parquet"):
        assert ids(july(source, region=box(170, -90, 180, -89.5))) == ["box", "ring"]
        assert ids(july(source, region=box(-90, -90, 90, -89))) == ["box", "ring"]
        assert ids(july(source, region=box(-10, -81, 10, -80.5))) == ["box"]
        with pytest.raises(SearchError, match="outside every item"):
            july(source, region=box(-10, 80, 10, 90))


LONGITUDES = st.floats(-72, -66)
DAYS = st.dates(date(2024, 5, 30), date(2024, 7, 8))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(LONGITUDES, min_size=2, max_size=2),
    st.lists(DAYS, min_size=2, max_size=2).map(sorted),
    st.none() | st.floats(0, 100),
    st.sets(st.sampled_from(["sentinel-2-l2a", "sentinel-1-rtc"]), min_size=1).map(sorted),
)
def test_every_kind_of_source_answers_alike(
    tmp_path: Path, edges: list[float], days: list[date], cloud: float | None, wanted: list[str]
) -> None:
    """The law of the search; a filter written out in plain Python is the second opinion."""
    folder, snapshot = tmp_path / "catalog", tmp_path / "items.parquet"
    if not folder.exists():
        write_catalog(folder, ITEMS)
        save_items(map(stac, ITEMS), snapshot)
    west, east = min(edges), max(edges)
    expected = [
        raw["id"]
        for raw in sorted(ITEMS, key=lambda raw: (raw["properties"]["datetime"], raw["id"]))
        if raw["collection"] in wanted
        and not (cloud is not None and raw["properties"].get("eo:cloud_cover", 0) > cloud)
        and str(days[0]) <= raw["properties"]["datetime"][:10] <= str(days[1])
        and any(part[0] <= east and part[2] >= west for part in parts(raw))
    ]
    for source in (folder, snapshot):
        try:
            found = ids(
                search(
                    source,
                    collections=wanted,
                    region=box(west, -12.5, east, -12.4),
                    start=days[0],
                    end=days[1],
                    max_cloud_cover=cloud,
                )
            )
        except SearchError:
            found = []
        assert found == expected


def parts(raw: Json) -> list[tuple[float, ...]]:
    """Return the bounds of an Item's footprint, part by part."""
    footprint = shape(raw["geometry"])
    return [part.bounds for part in getattr(footprint, "geoms", [footprint])]


# --- what is rejected, and what fails -----------------------------------------------------------


def test_unusable_items_are_reported_and_cost_no_other(tmp_path: Path) -> None:
    bad = [item(name) for name in ("no-geometry", "no-box", "no-time", "no-area", "no-version")]
    bad[0]["geometry"] = None
    del bad[1]["bbox"]
    bad[2]["properties"]["datetime"] = None
    bad[3]["geometry"] = {"type": "Point", "coordinates": [-69.5, -12.5]}
    del bad[4]["stac_version"]
    path = write_catalog(tmp_path / "c", [*bad, item("good"), item("html"), item("gone")])
    (path.parent / "sentinel-2-l2a" / "html.json").write_text("<html>")
    (path.parent / "sentinel-2-l2a" / "gone.json").unlink()
    result = july(path)
    assert ids(result) == ["good"]
    reasons = {rejected.id: rejected.reason for rejected in result.rejected}
    assert reasons["no-geometry"] == "has no geometry"
    assert reasons["no-box"] == "has no bbox"
    assert reasons["no-time"] == "has no datetime"
    assert "Point geometry" in reasons["no-area"]
    assert "stac_version" in reasons["no-version"]
    assert "expected JSON, got HTML" in reasons["html.json"]
    assert "does not exist" in reasons["gone.json"]


def test_geoparquet_rows_without_geometry_or_box_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    rustac.write_sync(
        str(path), [item("good"), item("nowhere"), item("no-box")], format="geoparquet"
    )
    table, metadata = pq.read_table(path), pq.read_metadata(path).metadata
    for name, gone in (("geometry", "nowhere"), ("bbox", "no-box")):
        values = table[name].to_pylist()
        values[table["id"].to_pylist().index(gone)] = None
        column = pa.array(values, table[name].type)
        table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table.replace_schema_metadata(metadata), path)
    result = july(path)
    assert ids(result) == ["good"]
    reasons = {rejected.id: rejected.reason for rejected in result.rejected}
    assert reasons == {"nowhere": "has no geometry", "no-box": "has no bbox"}
    with pytest.raises(SearchError, match="item nowhere has no geometry"):
        load_items(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"collections": ["modis"]}, "no item of modis; its collections: sentinel-1-rtc"),
        ({"region": box(100, 0, 101, 1)}, r"region \(100.00 to 101.00° E.*outside every item"),
        (
            {"start": date(2025, 1, 1), "end": date(2025, 2, 1)},
            "no item over the region from 2025-01-01 to 2025-02-01; its 5 are of 2024-06-01 to",
        ),
        ({"start": date(2024, 8, 1)}, "dates are reversed"),
        ({"cql2_filter": "gsd = 10"}, "none of the 4 items in the dates meets gsd = 10"),
        ({"cql2_filter": "platform ="}, "expected a condition in CQL2 text, got 'platform ='"),
        ({"cql2_filter": "'a'"}, "expected a condition in CQL2 text"),
    ],
)
def test_empty_searches_say_why(catalog: Path, tmp_path: Path, changes: Json, message: str) -> None:
    snapshot = tmp_path / "items.parquet"
    rustac.write_sync(str(snapshot), ITEMS, format="geoparquet")
    for source in (catalog, snapshot):
        with pytest.raises(SearchError, match=message) as caught:
            july(source, **changes)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"region": box(300000, 0, 400000, 100)}, "region must be a geometry in degrees"),
        ({"region": Polygon()}, "region must be a geometry in degrees"),
        ({"max_cloud_cover": 101}, "max_cloud_cover must be 0 to 100"),
        ({"collections": []}, "at least one collection"),
    ],
)
def test_senseless_questions_are_value_errors(catalog: Path, changes: Json, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        july(catalog, **changes)


def write_parquet_without_stac(path: Path) -> None:
    pq.write_table(pa.table({"id": ["x"]}), path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "expected a catalog.json in it"),
        (lambda path: path.write_text("<!doctype html>"), "expected JSON, got HTML"),
        (lambda path: path.write_text("{"), "expected JSON, got something else"),
        (lambda path: path.write_text("[]"), "expected a JSON object, got list"),
        (lambda path: path.write_text('{"type": "Map"}'), "got 'Map'"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "can't be read"),
        (lambda path: path.write_bytes(b"PAR1 and no more"), "can't be read as stac-geoparquet"),
        (write_parquet_without_stac, "lacks collection, geometry"),
        (
            lambda path: path.write_text('{"type": "Catalog", "links": []}'),
            "holds no item of sentinel-2-l2a",
        ),
        (
            lambda path: path.write_text(
                '{"type": "Catalog", "links": [{"rel": "child", "href": "https://a.b/c.json"}]}'
            ),
            "must link to files beside it",
        ),
    ],
)
def test_sources_that_are_no_catalogue(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "source"
    write(path)
    with pytest.raises(SearchError, match=message) as caught:
        july(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_catalog_that_links_in_a_circle_ends(tmp_path: Path) -> None:
    path = write_catalog(tmp_path / "c", [item("x")])
    child = path.parent / "sentinel-2-l2a" / "collection.json"
    node = json.loads(child.read_text())
    node["links"] += [
        {"rel": "child", "href": "../catalog.json"},
        {"rel": "item", "href": "x.json"},
    ]
    child.write_text(json.dumps(node))
    assert ids(july(path)) == ["x"]


# --- snapshots ----------------------------------------------------------------------------------


def stac(raw: Json) -> pystac.Item:
    """Return the Item with absolute hrefs."""
    return pystac.Item.from_dict(raw | {"assets": absolute(raw)}, migrate=False)


def absolute(raw: Json) -> Json:
    """Return the Item's assets with absolute hrefs."""
    return {key: a | {"href": f"/data{a['href'][1:]}"} for key, a in raw["assets"].items()}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(ITEMS), min_size=1, unique_by=lambda raw: raw["id"]))
def test_snapshot_round_trip(tmp_path: Path, chosen: list[Json]) -> None:
    path = tmp_path / "items.parquet"
    save_items(map(stac, chosen), path)
    loaded = {found.id: found for found in load_items(path)}
    assert set(loaded) == {raw["id"] for raw in chosen}
    for raw in chosen:
        before, after = stac(raw), loaded[raw["id"]]
        assert after.to_dict()["assets"] == before.to_dict()["assets"]
        stated = {k: v for k, v in after.properties.items() if k != "datetime"}
        assert stated == {k: v for k, v in before.properties.items() if k != "datetime"}
        if raw["collection"] == "sentinel-2-l2a":
            assert read_item(after) == read_item(before)
    order = [(found.datetime, found.id) for found in load_items(path)]
    assert order == sorted(order)


def test_snapshot_bytes_depend_on_the_items_only(tmp_path: Path) -> None:
    """Not on their order, on the order of their keys, nor on the process's hash seed."""
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    save_items(map(stac, ITEMS), first)
    turned = [json.loads(json.dumps(raw), object_pairs_hook=_reversed) for raw in reversed(ITEMS)]
    save_items(map(stac, turned), second)
    assert digest(first) == digest(second)
    code = (
        "import sys; from cvlarray.catalog import load_items, save_items; "
        "save_items(load_items(sys.argv[1]), sys.argv[2])"
    )
    for turn in range(3):
        other = tmp_path / f"other{turn}.parquet"
        subprocess.run([sys.executable, "-c", code, str(first), str(other)], check=True)
        assert digest(other) == digest(first)


def _reversed(pairs: list[tuple[str, Any]]) -> Json:
    return dict(reversed(pairs))


def test_snapshot_in_a_folder_with_an_awkward_name(tmp_path: Path) -> None:
    path = tmp_path / "a run #1 100%" / "items.parquet"
    path.parent.mkdir()
    save_items([stac(ITEMS[0])], path)
    assert ids(load_items(path)) == ["d-later"]
    assert [entry.name for entry in path.parent.iterdir()] == ["items.parquet"]


def test_failed_write_leaves_the_old_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "items.parquet"
    save_items([stac(ITEMS[0])], path)
    before = digest(path)

    def half_written(href: str, *_args: object, **_options: object) -> None:
        Path(href).write_bytes(b"PAR1")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(geoparquet.rustac, "write_sync", half_written)
    with pytest.raises(SearchError, match=r"can't be written.*No space left"):
        save_items([stac(ITEMS[1])], path)
    assert digest(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["items.parquet"]


def test_snapshot_errors(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="got none"):
        save_items([], tmp_path / "items.parquet")
    with pytest.raises(SearchError, match="can't be read"):
        load_items(tmp_path / "items.parquet")
    with pytest.raises(SearchError, match="can't be written"):
        save_items([stac(ITEMS[0])], tmp_path / "file" / "items.parquet")
    one, other = stac(ITEMS[0]), stac(ITEMS[1])
    other.properties["eo:cloud_cover"] = "little"
    with pytest.raises(SearchError, match=r"can't be written.*eo:cloud_cover"):
        save_items([one, other], tmp_path / "items.parquet")


# --- STAC API: how it fails ---------------------------------------------------------------------

ROOT = {
    "type": "Catalog",
    "stac_version": "1.0.0",
    "id": "api",
    "description": "an API",
    "conformsTo": [
        "https://api.stacspec.org/v1.0.0/core",
        "https://api.stacspec.org/v1.0.0/item-search",
    ],
}
Answer = tuple[int, str]


class Api:
    """A server on loopback that gives prepared answers, each path's last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.pause_s = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self._answer(json.loads(self.rfile.read(length)))

            def _answer(self, body: Any) -> None:
                path = self.path.split("?")[0]
                outer.asked.append((path, body))
                waiting = outer.answers.get(path, [(404, "no such page")])
                time.sleep(outer.pause_s)
                status, text = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                with suppress(ConnectionError):  # nobody may wait any more
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text.encode())))
                    self.end_headers()
                    self.wfile.write(text.encode())

            def log_message(self, *_args: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        link = {
            "rel": "search",
            "href": f"{self.url}search",
            "method": "POST",
            "type": "application/geo+json",
        }
        self.root = json.dumps(ROOT | {"links": [link]})
        self.answers["/"] = [(200, self.root)]


@pytest.fixture
def stac_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(api, "BACKOFF_S", 0.001)
    served = Api()
    thread = Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


def page(*items: Json, following: str | None = None) -> Answer:
    links = [{"rel": "next", "href": following, "method": "POST", "body": {}}] if following else []
    features = [raw | {"assets": absolute(raw)} for raw in items]
    return 200, json.dumps({"type": "FeatureCollection", "features": features, "links": links})


def test_api_that_stumbles_is_asked_again(stac_api: Api, catalog: Path) -> None:
    stac_api.answers["/search"] = [
        (503, "busy"),
        (429, "slowly"),
        page(*ITEMS[:3], following=f"{stac_api.url}more"),
    ]
    stac_api.answers["/more"] = [(500, "oops"), page(*ITEMS[3:])]
    assert ids(july(stac_api.url)) == ids(july(catalog))
    bodies = [body for path, body in stac_api.asked if path == "/search"]
    assert len(bodies) == 3
    assert bodies[0]["collections"] == L2A
    assert bodies[0]["datetime"] == "2024-06-30T00:00:00Z/2024-08-01T23:59:59Z"
    assert bodies[0]["intersects"]["type"] == "Polygon"


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/", (200, "<html>log in</html>"), "is not STAC: expected JSON"),
        ("/", (200, "[]"), "no STAC API with item search"),
        ("/", (200, json.dumps(ROOT | {"conformsTo": [], "links": []})), "no STAC API with item"),
        ("/", (404, "not\nhere"), "can't be reached: not here"),
        ("/", (500, "broken"), "can't be reached: .*too many 500 error responses"),
        ("/search", (500, "broken"), "did not answer the search: .*too many 500"),
        ("/search", (403, "token expired"), "did not answer the search: token expired"),
        ("/search", (200, "<html>log in</html>"), "did not answer the search"),
        ("/search", (200, '{"features": []}'), "holds no item of sentinel-2-l2a for the region"),
    ],
)
def test_api_that_fails(stac_api: Api, path: str, answer: Answer, message: str) -> None:
    stac_api.answers[path] = [answer]
    with pytest.raises(SearchError, match=message) as caught:
        july(stac_api.url)
    assert stac_api.url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_api_that_pages_for_ever(stac_api: Api) -> None:
    stac_api.answers["/search"] = [page(*ITEMS, following=f"{stac_api.url}search")]
    with pytest.raises(SearchError, match="the same page of Items again and again"):
        july(stac_api.url)


def test_api_that_sends_new_items_for_ever(stac_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_ITEMS", 5)
    more = f"{stac_api.url}search"
    stac_api.answers["/search"] = [page(item(f"i{n}"), following=more) for n in range(20)]
    with pytest.raises(SearchError, match="sends more than 5 Items and no end"):
        july(stac_api.url)


def test_api_that_never_answers(stac_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "TIMEOUT_S", (1, 0.05))
    monkeypatch.setattr(api, "RETRIES", 1)
    stac_api.pause_s = 0.3
    with pytest.raises(SearchError, match=r"can't be reached: .*[Tt]imed? ?out"):
        july(stac_api.url)


def test_api_that_sends_items_nobody_can_use(stac_api: Api) -> None:
    bad = [item(name) for name in ("no-geometry", "no-box", "no-time")]
    bad[0]["geometry"] = None
    del bad[1]["bbox"]
    bad[2]["properties"]["datetime"] = None
    stac_api.answers["/search"] = [page(*bad, item("good"))]
    result = july(stac_api.url)
    assert ids(result) == ["good"]
    assert {rejected.id for rejected in result.rejected} == {"no-geometry", "no-box", "no-time"}


def test_api_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BACKOFF_S", 0.001)
    with pytest.raises(SearchError, match=r"http://127.0.0.1:9/ can't be reached") as caught:
        july("http://127.0.0.1:9/")
    assert "\n" not in str(caught.value)


# --- real Items ---------------------------------------------------------------------------------

WORLD = box(-180, -90, 180, 90)
DECADE = {"region": WORLD, "start": date(2015, 1, 1), "end": date(2026, 1, 1)}
COLLECTIONS = [
    "landsat-c2-l2",
    "sentinel-1-grd",
    "sentinel-1-rtc",
    "sentinel-2-c1-l2a",
    "sentinel-2-l1c",
    "sentinel-2-l2a",
]


def scene_or_reason(found: pystac.Item) -> Scene | str:
    try:
        return read_item(found)
    except ItemError as error:
        return str(error)


@pytest.mark.external_data
def test_real_items_from_every_source_give_the_same_scenes(
    external_data: Path, tmp_path: Path
) -> None:
    paths = sorted((external_data / "stac_fixtures").glob("*/*/*.json"))
    real = [json.loads(p.read_text()) for p in paths if p.name != "collection.json"]
    path = write_catalog(tmp_path / "catalog", real)
    found = search(path, collections=COLLECTIONS, **DECADE)
    assert sorted(ids(found)) == sorted(raw["id"] for raw in real)
    assert found.rejected == []
    snapshot = tmp_path / "items.parquet"
    save_items(found, snapshot)
    again = search(snapshot, collections=COLLECTIONS, **DECADE)
    assert ids(again) == ids(found)
    read = 0
    for before, after in zip(found, again, strict=True):
        assert scene_or_reason(after) == scene_or_reason(before)
        read += isinstance(scene_or_reason(after), Scene)
    assert read == 25


@pytest.mark.external_data
def test_real_items_by_place_and_day(external_data: Path, tmp_path: Path) -> None:
    paths = sorted((external_data / "stac_fixtures").glob("*/sentinel-2-l2a/S2*.json"))
    path = write_catalog(tmp_path / "catalog", [json.loads(p.read_text()) for p in paths])
    zurich = Point(8.54, 47.37)
    spring = search(
        path, collections=L2A, region=zurich, start=date(2020, 3, 1), end=date(2020, 3, 31)
    )
    assert ids(spring) == ["S2A_32TMT_20200305_0_L2A", "S2A_32TMT_20200305_1_L2A"]
    clear = search(
        path, collections=L2A, region=zurich, start=date(2020, 1, 1), end=date(2020, 12, 31),
        max_cloud_cover=20,
    )  # fmt: skip
    assert ids(clear) == ["S2B_MSIL2A_20200705T101559_N0500_R065_T32TMT_20230530T175912"]
