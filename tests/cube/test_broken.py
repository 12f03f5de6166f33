"""Broken files lose nothing else, and are never silent."""

import math
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from cvlarray.cube import (
    cube_variables,
    geofile,
    group_by_day,
    load_cube,
    read_block,
    stackstac_loader,
)
from cvlarray.cube.raster import read_asset
from cvlarray.names import NODATA_DN
from cvlarray.sensors import read_item

from .conftest import NORTH, WEST, grid

pytestmark = [
    # odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]

PLACE = grid(64, 64)
BANDS = ["red", "nir", "scl"]


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Don't wait between tries, but count the waits."""
    waited = []
    monkeypatch.setattr(geofile.time, "sleep", waited.append)
    return waited


def path_of(item, band):
    return Path(item.get_assets()[band].get_absolute_href())


def rewrite(path, **changes):
    """Write a raster anew with another profile."""
    with rasterio.open(path) as file:
        profile = {**file.profile, "driver": "GTiff", **changes}
        values = file.read(1)
    path.unlink()
    with rasterio.open(path, "w", **profile) as file:
        for band in range(1, file.count + 1):
            file.write(values.astype(profile["dtype"]), band)


def truncate(path):
    os.truncate(path, path.stat().st_size * 2 // 3)


def write_text(text):
    def damage(path):
        path.write_text(text)

    return damage


def shifted(path):
    rewrite(path, transform=Affine(10, 0, WEST + 10, 0, -10, NORTH))


DAMAGES = {
    "missing": (Path.unlink, "No such file"),
    "truncated": (truncate, ""),
    "empty": (write_text(""), ""),
    "HTML": (write_text("<html><body>403 Forbidden: your token has expired"), "not recognized"),
    "three bands": (lambda path: rewrite(path, count=3), "has 3 bands, expected 1"),
    "NaN geotransform": (
        lambda path: rewrite(path, transform=Affine(math.nan, 0, math.nan, 0, -10, NORTH)),
        "",
    ),
    "no geotransform": (lambda path: rewrite(path, transform=Affine.identity()), ""),
    "no CRS": (lambda path: rewrite(path, crs=None), "has no CRS"),
    "another place": (shifted, "the catalogue says"),
    "another zone": (lambda path: rewrite(path, crs="EPSG:32718"), "is in EPSG:32718"),
    "another format": (lambda path: rewrite(path, driver="PNG"), "is PNG, expected a GeoTIFF"),
}


def read(items, area=PLACE, loader=read_asset, bands=BANDS):
    scenes = [read_item(item) for item in items]
    days = group_by_day(scenes)
    return read_block(days, area, cube_variables(scenes, bands), loader)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("loader", [read_asset, stackstac_loader.read_asset])
@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_broken_file_is_unread(make_scene, damage, reason, loader):
    item = make_scene(PLACE, day="2023-07-06")
    other_day = make_scene(PLACE, day="2023-07-11")
    intact = read([other_day])
    damage(path_of(item, "nir"))

    block = read([item, other_day], loader=loader)

    assert [(asset.scene_id, asset.band) for asset in block.unread] == [(item.id, "nir")]
    assert block.unread[0].href == str(path_of(item, "nir"))
    assert reason in block.unread[0].reason
    assert "\n" not in block.unread[0].reason
    assert (block.arrays["read_status"][0] == 2).all()
    assert (block.arrays["red"][0] == NODATA_DN).all()
    assert (block.arrays["nir"][0] == NODATA_DN).all()
    assert (block.arrays["scl"][0] == 0).all()
    for name, values in intact.arrays.items():
        np.testing.assert_array_equal(block.arrays[name][1:], values)


def test_is_tried_again(make_scene, waits, monkeypatch):
    item = make_scene(PLACE)
    expected = read([item])
    failures = iter([rasterio.RasterioIOError("503"), rasterio.RasterioIOError("503")])
    open_file = rasterio.open

    def flaky(path):
        for failure in failures:
            raise failure
        return open_file(path)

    monkeypatch.setattr(rasterio, "open", flaky)
    with geofile.noting_retries() as retried:
        block = read([item])

    assert waits == list(geofile.RETRY_AFTER_S)
    assert {Path(href).name for href in retried} == {path_of(item, "red").name}
    assert not block.unread
    np.testing.assert_array_equal(block.arrays["red"], expected.arrays["red"])


def test_gives_up_after_three_tries(make_scene, monkeypatch):
    item = make_scene(PLACE)
    path_of(item, "red").unlink()
    opened = Counter()
    open_file = rasterio.open
    monkeypatch.setattr(rasterio, "open", lambda path: opened.update([path]) or open_file(path))
    read([item])
    assert opened[str(path_of(item, "red"))] == 3
    assert opened[str(path_of(item, "nir"))] == 1


def test_half_read_file_leaves_nothing(make_scene):
    """The upper tile of a truncated file can be read, the lower can't."""
    place = grid(1024, 512)
    item = make_scene(place, nodata=0)
    truncate(path_of(item, "nir"))
    block = read([item], place)
    assert [asset.band for asset in block.unread] == ["nir"]
    assert (block.arrays["nir"] == NODATA_DN).all()
    assert (block.arrays["red"] == NODATA_DN).all()


def test_second_scene_fills_in(make_scene):
    broken, intact = make_scene(PLACE), make_scene(PLACE)
    expected = read([intact])
    path_of(broken, "red").unlink()

    for order in ([broken, intact], [intact, broken]):
        block = read(order)
        assert [asset.scene_id for asset in block.unread] == [broken.id]
        for band in BANDS:
            np.testing.assert_array_equal(block.arrays[band], expected.arrays[band])
        # what the intact scene has no data for, the broken one might have had
        missing = np.any([expected.arrays[b] == (0 if b == "scl" else NODATA_DN) for b in BANDS], 0)
        np.testing.assert_array_equal(block.arrays["read_status"], np.where(missing, 2, 1))


def test_status_two_ends_with_the_footprint(make_scene):
    left = make_scene(grid(64, 64))
    path_of(left, "red").unlink()
    area = grid(64, 128)
    status = read([left], area).arrays["read_status"][0]
    assert (status[:, :63] == 2).all()
    assert (status[:, 66:] == 0).all()


def test_broken_scene_elsewhere_is_nobodys_business(make_scene):
    item = make_scene(PLACE)
    path_of(item, "red").unlink()
    block = read([item], grid(64, 64, left=WEST + 3000))
    assert not block.unread
    assert (block.arrays["read_status"] == 0).all()


def test_item_without_the_asset(make_scene):
    item, whole = make_scene(PLACE, day="2023-07-06"), make_scene(PLACE, day="2023-07-11")
    del item.assets["red"]
    block = read([item, whole])
    assert [(a.scene_id, a.band, a.reason) for a in block.unread] == [
        (item.id, "red", "the Item has no such asset")
    ]
    assert (block.arrays["read_status"][0] == 2).all()
    assert (block.arrays["read_status"][1] == 1).all()


def test_lazy_cube_warns_and_marks(make_scene, caplog):
    item = make_scene(PLACE)
    path_of(item, "nir").unlink()
    cube = load_cube([item], PLACE, bands=BANDS).compute()
    assert (cube.read_status == 2).all()
    assert f"unread: {item.id} nir" in caplog.text


def test_secrets_stay_out_of_the_reason():
    error = OSError("HTTP 403 for https://host/B04.tif?sig=SECRET&se=2024 'x'")
    assert "SECRET" not in geofile.reason(error)
    assert "https://host/B04.tif?..." in geofile.reason(error)


@pytest.mark.parametrize("nodata", [None, 65535])
def test_band_with_another_or_no_nodata(make_scene, nodata):
    """Without one in the file, the profile's 0 holds; with one, the file's own does."""
    item = make_scene(PLACE)
    rewrite(path_of(item, "red"), nodata=nodata)
    with rasterio.open(path_of(item, "red")) as file:
        dn = file.read(1).astype(int)
    del item.assets["red"].extra_fields["raster:bands"]
    block = read([item])
    expected = np.where(dn == (0 if nodata is None else nodata), NODATA_DN, dn)
    np.testing.assert_array_equal(block.arrays["red"][0], expected)
    assert (dn == 0).any()


def test_stackstac_names_its_extra(make_scene, monkeypatch):
    monkeypatch.setitem(sys.modules, "stackstac", None)
    with pytest.raises(ImportError, match=r"pip install 'cvlarray\[stackstac\]'"):
        read([make_scene(PLACE)], loader=stackstac_loader.read_asset)
