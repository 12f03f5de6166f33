"""A region on disk: Items that readers take, pixels that are those drawn, truth beside."""

import datetime as dt
import json

import geopandas as gpd
import numpy as np
import pystac
import pytest
import rasterio
import shapely

from cvlarray.catalog import search
from cvlarray.cube import load_cube
from cvlarray.masking import LandsatQuality, SclQuality
from cvlarray.names import NO_DATE, READ
from cvlarray.sensors import OffsetVerdict, check_boa_offset, newest_baseline, read_item
from cvlarray.simulate import (
    Acquisitions,
    Calendar,
    Landscape,
    changes_between,
    event_table,
    land_cover_of,
    landsat_cube,
    landsat_grid,
    sentinel1_cube,
    sentinel2_cube,
    simulate_region,
    tiles_of,
)

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
CALENDAR = Calendar(dt.date(2022, 1, 15), dt.date(2022, 2, 4))
BANDS = ["blue", "green", "red", "nir", "rededge1", "rededge2", "rededge3", "nir08", "swir16",
         "swir22", "scl"]  # fmt: skip


@pytest.fixture(scope="module")
def small():
    return Landscape.of_size(8, 200, start=dt.date(2020, 1, 1), end=dt.date(2022, 12, 31))


@pytest.fixture(scope="module")
def acquisitions():
    everything = Acquisitions.of(CALENDAR)
    return Acquisitions(
        everything.sentinel2, everything.sentinel1, everything.landsat,
        duplicate_share=0.5, tile_px=120, overlap_px=40,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(small, acquisitions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("region")
    told = []
    simulate_region(folder, small, acquisitions, on_scene=told.append)
    items = read_all(folder)
    assert sorted(told) == sorted(item.id for item in items)
    return folder


def read_all(folder, collection=None):
    tree = pystac.Catalog.from_file(str(folder / "catalog.json"))
    items = list(tree.get_items(recursive=True))
    return [item for item in items if collection in (None, item.collection_id)]


def test_every_item_is_read_as_a_scene(folder, acquisitions):
    scenes = [read_item(item) for item in read_all(folder)]
    assert {scene.sensor for scene in scenes} == {
        "sentinel-2-l2a/earth-search", "sentinel-1-rtc/planetary-computer", "landsat-c2-l2",
    }  # fmt: skip
    for family, passes in (
        ("sentinel-2", acquisitions.sentinel2), ("sentinel-1", acquisitions.sentinel1),
        ("landsat", acquisitions.landsat),
    ):  # fmt: skip
        found = {(scene.solar_day, scene.platform) for scene in scenes if scene.family == family}
        assert found == {(at.date, at.platform) for at in passes}
    radar = {scene.series for scene in scenes if scene.family == "sentinel-1"}
    assert radar == {"ascending-076", "descending-025"}


def test_items_are_found_by_a_search(folder, small):
    longitude, latitude = small.longitude_latitude
    found = search(
        folder / "catalog.json", collections=["sentinel-1-rtc", "landsat-c2-l2"],
        region=shapely.Point(longitude, latitude).buffer(0.001),
        start=CALENDAR.start, end=CALENDAR.end,
    )  # fmt: skip
    assert {item.collection_id for item in found.items} == {"sentinel-1-rtc", "landsat-c2-l2"}


def test_sentinel_2_loads_as_it_was_drawn(folder, small, acquisitions):
    """Duplicates and overlaps included; the first processing of a scene is the one drawn."""
    items = [item for item in read_all(folder, "sentinel-2-l2a") if item.id.endswith("_0_L2A")]
    loaded = load_cube(items, small.geobox, bands=BANDS)
    drawn = sentinel2_cube(
        small, acquisitions.sentinel2, bands=BANDS, tiles=tiles_of(small, 120, 40)
    )
    np.testing.assert_array_equal(loaded.time, drawn.time)
    for name in BANDS:
        np.testing.assert_array_equal(loaded[name], drawn[name], err_msg=name)
    assert (loaded.read_status == READ).all()


def test_radar_loads_as_it_was_drawn(folder, small, acquisitions):
    for state in ("ascending", "descending"):
        passes = [at for at in acquisitions.sentinel1 if at.orbit_state == state]
        items = [
            item for item in read_all(folder, "sentinel-1-rtc")
            if item.properties["sat:orbit_state"] == state
        ]  # fmt: skip
        loaded = load_cube(items, small.geobox, bands=["vv", "vh"])
        drawn = sentinel1_cube(small, passes)
        for name in ("vv", "vh"):
            np.testing.assert_array_equal(loaded[name], drawn[name], err_msg=name)


def test_landsat_loads_as_it_was_drawn(folder, small, acquisitions):
    grid = landsat_grid(small)
    items = read_all(folder, "landsat-c2-l2")
    loaded = load_cube(items, grid, bands=["coastal", "red", "nir08", "qa_pixel"])
    drawn = landsat_cube(small, acquisitions.landsat, geobox=grid)
    np.testing.assert_array_equal(loaded.qa_pixel, drawn.qa_pixel)
    for name in ("coastal", "red", "nir08"):
        np.testing.assert_allclose(loaded[name], drawn[name], atol=1)
    assert LandsatQuality()(loaded).shape == loaded.red.shape


def test_duplicates_are_reprocessed_and_the_newest_is_kept(folder):
    scenes = [read_item(item) for item in read_all(folder, "sentinel-2-l2a")]
    again = [scene for scene in scenes if scene.id.endswith("_1_L2A")]
    assert 0.2 < len(again) / (len(scenes) - len(again)) < 0.8
    kept = newest_baseline(scenes)
    assert len(kept) == len(scenes) - len(again)
    assert {scene.id for scene in again} <= {scene.id for scene in kept}


@pytest.mark.parametrize("collection", ["sentinel-2-l2a", "sentinel-2-c1-l2a"])
def test_offset_eras(tmp_path, small, collection):
    """Before and after 25 January 2022; all of it in one cube without a step."""
    every = Calendar(dt.date(2021, 7, 1), dt.date(2022, 9, 1)).sentinel2(every_days=30)
    passes = tuple(at for at in every if at.date.month in (7, 8))
    acquired = Acquisitions(sentinel2=passes, collection=collection, duplicate_share=0)
    simulate_region(tmp_path, small, acquired)
    items = read_all(tmp_path, collection)
    verdicts = set()
    for item in items:
        asset = read_item(item).assets["red"]
        is_new = item.properties["s2:processing_baseline"] >= "04.00"
        assert asset.offset_dn == (-1000 if is_new and "c1" in collection else 0)
        with (
            rasterio.open(asset.href) as red,
            rasterio.open(read_item(item).assets["scl"].href) as scl,
        ):
            classes = scl.read(1).repeat(2, axis=0).repeat(2, axis=1)
            verdicts.add(check_boa_offset(red.read(1)[classes == 4], asset.offset_dn))
    assert OffsetVerdict.AGREES in verdicts
    assert OffsetVerdict.CONTRADICTS not in verdicts
    loaded = load_cube(items, small.geobox, bands=BANDS)
    clear = (SclQuality()(loaded) == 0).to_numpy()
    drawn = sentinel2_cube(small, passes, bands=BANDS)
    difference = np.abs(loaded.red.astype(int) - drawn.red.astype(int)).to_numpy()
    assert difference[clear].max() <= 1


def test_truth_lies_beside_the_scenes(folder, small, acquisitions):
    truth = folder / "truth"
    events = gpd.read_parquet(truth / "events.parquet")
    assert events.crs == small.geobox.crs
    assert events.drop(columns="geometry").equals(event_table(small).drop(columns="geometry"))
    dates = {
        at.date for at in (*acquisitions.sentinel2, *acquisitions.sentinel1, *acquisitions.landsat)
    }
    assert {path.stem for path in (truth / "land_cover").iterdir()} == {str(date) for date in dates}
    date = max(dates)
    with rasterio.open(truth / "land_cover" / f"{date}.tif") as file:
        assert file.nodata == 255
        np.testing.assert_array_equal(file.read(1), land_cover_of(small, small.pixels, date))
    changes = changes_between(small, small.pixels, small.start, small.end)
    for name, values in changes._asdict().items():
        with rasterio.open(truth / "changes" / f"{name}.tif") as file:
            np.testing.assert_array_equal(file.read(1), values)
            assert file.nodata == (NO_DATE if name == "first_changed" else 255)
    described = json.loads((truth / "landscape.json").read_text())
    assert described["seed"] == 8
    assert described["switches"]["clouds"] is True
    assert described["land_cover_classes"]["mine_pit"] == 3


def test_cloud_truth_is_there_for_every_optical_scene(folder):
    optical = [*read_all(folder, "sentinel-2-l2a"), *read_all(folder, "landsat-c2-l2")]
    skies = {path.stem for path in (folder / "truth" / "sky").iterdir()}
    assert skies == {item.id for item in optical}
    for item in read_all(folder, "sentinel-2-l2a"):
        with (
            rasterio.open(folder / "truth" / "sky" / f"{item.id}.tif") as sky,
            rasterio.open(item.assets["scl"].get_absolute_href()) as scl,
        ):
            assert sky.transform == scl.transform
            is_cloud = sky.read(1) == 4
            np.testing.assert_array_equal(np.isin(scl.read(1), (7, 8, 9)), is_cloud)


def test_writing_again_gives_the_same_bytes(small, tmp_path):
    acquired = Acquisitions(sentinel2=CALENDAR.sentinel2()[:1], landsat=CALENDAR.landsat()[:1])
    for name, n_threads in (("a", 1), ("b", 3)):
        simulate_region(tmp_path / name, small, acquired, n_threads=n_threads)
    files = [
        path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()
    ]
    assert len(files) > 25
    for path in files:
        if path.name != "catalog.json":
            assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), (
                path
            )


def test_refuses_to_write_nothing(small, tmp_path):
    with pytest.raises(ValueError, match="at least one item"):
        simulate_region(tmp_path, small, Acquisitions())


@pytest.mark.parametrize(
    ("collection", "pattern"),
    [("sentinel-1-rtc", "*_053498_067DF2_rtc.json"), ("landsat-c2-l2", "LC09_*_20240417_*.json")],
)
def test_items_have_the_shape_of_planetary_computers(folder, external_data, collection, pattern):
    real, ours = (
        json.loads(next(root.glob(name)).read_text())
        for root, name in (
            (external_data / "stac_fixtures" / "planetarycomputer" / collection, pattern),
            (folder / collection, "*/*.json"),
        )
    )

    def kind(value):
        return float if isinstance(value, int | float) else type(value)

    for name, value in ours["properties"].items():
        if name in real["properties"]:
            assert kind(value) is kind(real["properties"][name]), name
        else:
            assert name == "proj:bbox"
    assert set(ours["assets"]) <= set(real["assets"])
    for band, asset in ours["assets"].items():
        theirs = real["assets"][band]
        assert asset.keys() <= theirs.keys()
        assert asset["raster:bands"][0].keys() <= theirs["raster:bands"][0].keys(), band
        assert asset["raster:bands"][0].get("nodata") == theirs["raster:bands"][0].get("nodata")
