"""PlanetScope: built Items of four and eight bands, read from files of several bands each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping

from cvlarray.cube import block_dataset, cube_variables, group_by_day, load_cube, read_block
from cvlarray.errors import ItemError
from cvlarray.grid import outline
from cvlarray.masking import UDM2_BANDS, Udm2Quality
from cvlarray.names import NODATA_DN, READ, UNREAD, QualityFlag
from cvlarray.sensors import Scene, read_item

FOUR = ("blue", "green", "red", "nir")
EIGHT = ("coastal", "blue", "green_i", "green", "yellow", "red", "rededge1", "nir")
SIZE = 96
LEFT = GeoBox((SIZE, SIZE), Affine(3, 0, 300_000, 0, -3, 8_600_001), "EPSG:32719")
RIGHT = GeoBox((SIZE, SIZE), Affine(3, 0, 300_000 + 3 * 60, 0, -3, 8_600_001), "EPSG:32719")
BOTH = GeoBox((SIZE, SIZE + 60), LEFT.affine, "EPSG:32719")
UDM2 = ("clear", "snow", "shadow", "haze_light", "haze_heavy", "cloud", "confidence", "unusable")


def write(path, layers, geobox, nodata=None) -> None:
    """Write a file of several bands, interleaved by pixel as Planet's are."""
    with rasterio.open(
        path, "w", driver="GTiff", width=geobox.shape[1], height=geobox.shape[0],
        count=len(layers), dtype=layers.dtype, crs="EPSG:32719", transform=geobox.affine,
        nodata=nodata, tiled=True, blockxsize=64, blockysize=64, interleave="pixel",
    ) as dataset:  # fmt: skip
        dataset.write(layers)


def write_scene(folder, name, geobox, bands, *, margin_px=0, cloud=None) -> dict[str, Any]:
    """Write a scene without data in its first columns; return its Item, keyed as an order's is."""
    folder.mkdir(exist_ok=True)
    numbers = 1000 * (1 + np.arange(len(bands)))[:, None, None]
    dn = (numbers + np.arange(SIZE)[:, None] + np.zeros(SIZE)).astype(np.uint16)
    mask = np.zeros((8, SIZE, SIZE), np.uint8)
    mask[0] = 1
    if cloud is not None:
        mask[0][cloud], mask[5][cloud] = 0, 1
    dn[..., :margin_px] = 0
    mask[..., :margin_px] = 0
    mask[7, :, :margin_px] = 1
    write(folder / f"{name}_SR.tif", dn, geobox, nodata=0)
    write(folder / f"{name}_udm2.tif", mask, geobox)
    return planet_item(folder, name, geobox, len(bands))


def planet_item(folder, name, geobox, n_bands) -> dict[str, Any]:
    """Return the Item of a scene whose files lie in a folder."""
    kind = f"ortho_analytic_{n_bands}b_sr"
    place = outline(geobox)
    files = {
        f"{name}_SR_file": (f"{name}_SR.tif", kind),
        f"{name}_mask": (f"{name}_udm2.tif", "ortho_udm2"),
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "PSScene",
        "geometry": mapping(place),
        "bbox": list(place.bounds),
        "properties": {
            "datetime": "2024-07-01T14:31:12.345Z",
            "platform": "SuperDove",
            "proj:epsg": 32719,
            "eo:cloud_cover": 3.0,
            "pl:strip_id": "7412345",
            "view:sun_azimuth": 40.5,
            "view:sun_elevation": 48.0,
        },
        "links": [],
        "assets": {
            key: {"href": str(folder / file), "pl:asset_type": kind}
            for key, (file, kind) in files.items()
        },
    }  # fmt: skip


def quality_of(items, geobox):
    """Return the block of all bands of some Items, and its quality."""
    scenes = [item if isinstance(item, Scene) else read_item(item) for item in items]
    days = group_by_day(scenes)
    variables = cube_variables(scenes, [*FOUR, *UDM2_BANDS])
    read = read_block(days, geobox, variables)
    block = block_dataset(read, days, geobox, variables)
    return block, Udm2Quality()(block)


@pytest.mark.parametrize(("bands", "sensor"), [(FOUR, "4-band"), (EIGHT, "8-band")])
def test_bands_are_read_by_their_number_in_the_file(tmp_path, bands, sensor):
    scene = read_item(write_scene(tmp_path, "20240701_143112_35_2518", LEFT, bands))
    assert scene.sensor == f"planetscope/{sensor}"
    assert (scene.family, scene.crs, scene.platform) == ("planetscope", "EPSG:32719", "superdove")
    assert (scene.sun_azimuth, scene.sun_elevation) == (40.5, 48.0)
    assert scene.acquisition == "7412345/20240701_143112_35_2518"
    assert {asset.resolution_m for asset in scene.assets.values()} == {3}
    cube = load_cube([scene], LEFT, bands=list(bands)).compute()
    for number, name in enumerate(bands, start=1):
        expected = 1000 * number + np.arange(SIZE)[:, None] + np.zeros(SIZE)
        np.testing.assert_array_equal(cube[name][0], expected)
        assert cube[name].dtype == np.int16


def test_mask_and_pixels_of_two_overlapping_scenes_stay_together(tmp_path):
    cloud = np.zeros((SIZE, SIZE), bool)
    cloud[20:40, 10:50] = True
    left = write_scene(tmp_path, "20240701_143112_35_2518", LEFT, EIGHT, margin_px=8, cloud=cloud)
    right = write_scene(tmp_path, "20240701_143114_35_2518", RIGHT, FOUR, margin_px=8)
    block, quality = quality_of([left, right], BOTH)
    flags = quality[0].to_numpy()
    expected = np.zeros(BOTH.shape, np.uint8)
    expected[20:40, 10:50] = QualityFlag.CLOUD
    expected[:, :8] = QualityFlag.FILL  # what only the left scene's margin covers
    np.testing.assert_array_equal(flags, expected)
    is_left = np.arange(SIZE + 60) < SIZE
    red = block["red"][0].to_numpy()
    # Red is the third band of four and the sixth of eight; the first scene wins.
    rows = np.arange(SIZE)[:, None]
    np.testing.assert_array_equal(red[:, 8:], np.where(is_left, 6000, 3000)[8:] + rows)
    assert (red[:, :8] == NODATA_DN).all()


def test_the_second_scene_fills_the_margin_of_the_first(tmp_path):
    first = write_scene(tmp_path, "20240701_143114_35_2518", RIGHT, FOUR, margin_px=30)
    second = write_scene(tmp_path, "20240701_143112_35_2518", LEFT, FOUR)
    block, quality = quality_of([first, second], BOTH)
    assert (quality == 0).all()
    assert (block["red"] != NODATA_DN).all()
    assert (block["read_status"] == READ).all()


def test_a_file_with_other_bands_is_unread(tmp_path):
    item = write_scene(tmp_path, "20240701_143112_35_2518", LEFT, FOUR)
    path = tmp_path / "20240701_143112_35_2518_SR.tif"
    write(path, np.ones((3, SIZE, SIZE), np.uint16), LEFT)
    scenes = [read_item(item)]
    block = read_block(group_by_day(scenes), LEFT, cube_variables(scenes, ["red"]))
    assert block.unread[0].reason == "has 3 bands, expected 4"
    assert (block.arrays["read_status"] == UNREAD).all()


def test_an_item_without_surface_reflectance_is_refused_by_name(tmp_path):
    item = write_scene(tmp_path, "20240701_143112_35_2518", LEFT, FOUR)
    for asset in item["assets"].values():
        if asset["pl:asset_type"] != "ortho_udm2":
            asset["pl:asset_type"] = "ortho_visual"
    with pytest.raises(ItemError, match="ortho_analytic_8b_sr"):
        read_item(item)
