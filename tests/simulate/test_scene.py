"""Scenes are true COGs with Items that catalogue readers take for Earth Search's."""

import datetime as dt
import json

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from cvlarray.catalog import search
from cvlarray.errors import StoreError
from cvlarray.sensors import read_item
from cvlarray.simulate import Product, cog, write_catalog, write_scene

pytestmark = [
    # odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]

GRID = GeoBox((1100, 600), Affine(10, 0, 399_960, 0, -10, 5_300_040), "EPSG:32632")
PLACE = shapely.transform(
    shapely.box(*GRID.boundingbox.bbox),
    lambda xy: np.column_stack(Transformer.from_crs(32632, 4326, always_xy=True).transform(*xy.T)),
)
NOON = dt.datetime(2023, 7, 11, 10, 30, 21, 586_000, tzinfo=dt.UTC)
RANDOM = np.random.default_rng(5)
RED = RANDOM.integers(0, 9000, (1100, 600), dtype=np.uint16)
SWIR = RANDOM.integers(0, 9000, (550, 300), dtype=np.uint16)
SCL = RANDOM.integers(0, 12, (550, 300), dtype=np.uint8)


def write(folder, *, item_id="S2A_32TMT_20230711_0_L2A", **changes):
    values = {
        "datetime": NOON, "bands": {"red": RED, "swir16": SWIR}, "scl": SCL, "geobox": GRID,
        "product": Product(grid_tile="32TMT"),
    }  # fmt: skip
    return write_scene(folder, item_id=item_id, **(values | changes))


@pytest.fixture(scope="module")
def item(tmp_path_factory):
    return write(tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize(("band", "values"), [("red", RED), ("swir16", SWIR), ("scl", SCL)])
def test_bands_are_cogs_with_these_pixels(item, band, values):
    with rasterio.open(item.get_assets()[band].get_absolute_href()) as file:
        np.testing.assert_array_equal(file.read(1), values)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.profile["compress"] == "deflate"
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1)
        assert file.nodata == 0
        assert file.crs == "EPSG:32632"
        assert file.transform.c == GRID.affine.c
        assert file.transform.a == 10 * 1100 / values.shape[0]


def test_small_scenes_get_small_blocks(tmp_path):
    place = GRID[:140, :100]
    small = write(tmp_path, bands={"red": RED[:140, :100]}, scl=SCL[:140, :100], geobox=place)
    with rasterio.open(small.get_assets()["red"].get_absolute_href()) as file:
        assert file.block_shapes == [(144, 144)]
        np.testing.assert_array_equal(file.read(1), RED[:140, :100])


def test_item_is_read_as_a_scene(item):
    found = read_item(pystac.Item.from_file(item.get_self_href()))

    assert found == read_item(item)
    assert found.sensor == "sentinel-2-l2a/earth-search"
    assert found.datetime == NOON
    assert (found.platform, found.grid_tile, found.crs) == ("sentinel-2a", "32TMT", "EPSG:32632")
    assert found.processing_baseline == "05.11"
    assert set(found.assets) == {"red", "swir16", "scl"}
    swir = found.assets["swir16"]
    assert (swir.nodata, swir.scale, swir.offset_dn, swir.dtype) == (0, 1, 0, "uint16")
    assert (swir.shape, swir.resolution_m) == ((550, 300), 20)
    assert swir.transform == (20, 0, 399_960, 0, -20, 5_300_040)
    assert found.assets["scl"].dtype == "uint8"
    cloud = np.isin(SCL, (8, 9, 10)).sum() / (SCL != 0).sum() * 100
    assert found.cloud_cover == pytest.approx(cloud, abs=1e-6)
    assert found.footprint.symmetric_difference(PLACE).area < 1e-3 * PLACE.area


@pytest.mark.parametrize(
    ("collection", "baseline", "offset"),
    [
        ("sentinel-2-l2a", "02.14", 0),
        ("sentinel-2-l2a", "05.11", 0),
        ("sentinel-2-c1-l2a", "02.14", 0),
        ("sentinel-2-c1-l2a", "05.11", -1000),
    ],
)
def test_offset_follows_the_product(tmp_path, collection, baseline, offset):
    product = Product(collection, grid_tile="32TMT", processing_baseline=baseline)
    written = write(tmp_path, product=product)
    assert read_item(written).assets["red"].offset_dn == offset
    raster = written.assets["red"].extra_fields["raster:bands"][0]
    assert raster["offset"] == offset / 10_000


def test_catalog_is_searched(tmp_path):
    items = [
        write(tmp_path),
        write(tmp_path, item_id="later", datetime=NOON + dt.timedelta(days=5)),
    ]
    catalog = write_catalog(tmp_path, items)
    region = shapely.Point(*PLACE.centroid.coords[0]).buffer(0.001)
    found = search(
        catalog, collections=["sentinel-2-l2a"], region=region,
        start=dt.date(2023, 7, 1), end=dt.date(2023, 7, 12),
    )  # fmt: skip
    assert [item.id for item in found.items] == [items[0].id]
    tree = pystac.Catalog.from_file(str(catalog))
    assert [item.id for item in tree.get_items(recursive=True)] == [item.id for item in items]
    assert tree.get_child("sentinel-2-l2a").extent.temporal.intervals[0][0] == NOON
    for written in tree.get_items(recursive=True):
        assert written.get_root() is tree


def test_same_input_gives_the_same_bytes(tmp_path):
    def content(folder):
        return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    write(tmp_path / "a")
    write(tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_a_scene_is_replaced(tmp_path):
    write(tmp_path)
    second = write(tmp_path, bands={"red": RED[::-1]})
    assert sorted(second.assets) == ["red", "scl"]
    folder = tmp_path / "sentinel-2-l2a" / second.id
    assert {p.name for p in folder.iterdir()} == {"B04.tif", "SCL.tif", f"{second.id}.json"}


def test_interrupted_scene_is_not_there(tmp_path, monkeypatch):
    first = write(tmp_path)
    before = json.loads((tmp_path / "sentinel-2-l2a" / first.id / f"{first.id}.json").read_text())
    write_cog = cog.write_cog
    written = []

    def full_disk(path, layer):
        if written:
            raise OSError(28, "No space left on device")
        written.append(path)
        write_cog(path, layer)

    monkeypatch.setattr(cog, "write_cog", full_disk)
    for item_id in (first.id, "second"):
        written.clear()
        with pytest.raises(StoreError, match="No space left"):
            write(tmp_path, item_id=item_id)
    folders = list((tmp_path / "sentinel-2-l2a").iterdir())
    assert [folder.name for folder in folders] == [first.id]
    assert json.loads((folders[0] / f"{first.id}.json").read_text()) == before


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"bands": {"B04": RED}}, ValueError, "bands are coastal, blue.*; got B04"),
        ({"bands": {"red": RED[:500]}}, ValueError, r"red must be \(y, x\) of \(1100, 600\)"),
        ({"bands": {"red": RED.astype("i4")}}, TypeError, "red must be uint16, got int32"),
        ({"scl": SCL.astype("u2")}, TypeError, "scl must be uint8, got uint16"),
        ({"datetime": NOON.replace(tzinfo=None)}, ValueError, "must have a time zone"),
    ],
)
def test_refuses(tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        write(tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def test_empty_catalog(tmp_path):
    with pytest.raises(ValueError, match="at least one item"):
        write_catalog(tmp_path, [])


def test_has_the_shape_of_earth_search(item, external_data):
    """Each field is one that Earth Search has, with a value of the same type."""
    folder = external_data / "stac_fixtures" / "earthsearch-v1" / "sentinel-2-l2a"
    real = json.loads((folder / "S2B_24MUV_20250731_0_L2A.json").read_text())
    ours = item.to_dict(include_self_link=False, transform_hrefs=False)

    def numbers(value):
        return float if isinstance(value, int | float) else type(value)

    new = {"gsd", "proj:code"}  # later names of asset gsd and proj:epsg
    for name, value in ours["properties"].items():
        if name not in new | {"s2:dark_features_percentage"}:
            assert numbers(value) is numbers(real["properties"][name]), name
    for band, asset in ours["assets"].items():
        assert asset.keys() <= real["assets"][band].keys()
        bands = real["assets"][band]["raster:bands"][0]
        assert asset["raster:bands"][0].keys() <= bands.keys()
