"""A block read a band at a time is the block read at once, and files beside it stay shut."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from cvlarray.cube import block, cube_variables, geofile, group_by_day, read_bands, read_block
from cvlarray.cube.raster import read_asset
from cvlarray.sensors import read_item

from .conftest import NORTH, WEST, grid

pytestmark = [
    # odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]

BANDS = ["red", "nir", "swir16", "scl"]
LEFT, RIGHT = grid(64, 64), grid(64, 64, left=WEST + 32 * 10)
AREA = grid(60, 96, top=NORTH - 20)


def path_of(item, band):
    return Path(item.get_assets()[band].get_absolute_href())


def both_ways(items):
    """Return the block at once, and the last of each band with what was unread."""
    scenes = [read_item(item) for item in items]
    days, variables = group_by_day(scenes), cube_variables(scenes, BANDS)
    arrays, unread, n_parts = {}, (), 0
    for part in read_bands(days, AREA, variables):
        ((name, values),) = part.arrays.items()
        arrays[name], unread, n_parts = values.copy(), part.unread, n_parts + 1
    return read_block(days, AREA, variables), arrays, unread, n_parts


@pytest.fixture
def three_scenes(make_scene):
    return [
        make_scene(LEFT, day="2023-07-01"),
        make_scene(RIGHT, day="2023-07-01"),
        make_scene(RIGHT, day="2023-07-06"),
    ]


def test_bands_are_those_of_the_block(three_scenes):
    whole, arrays, unread, n_parts = both_ways(three_scenes)
    assert n_parts == len(BANDS) + 1
    assert not unread
    assert list(arrays) == list(whole.arrays)
    for name, values in whole.arrays.items():
        np.testing.assert_array_equal(arrays[name], values, err_msg=name)


@pytest.mark.parametrize("band", BANDS)
def test_a_broken_file_takes_its_scene_out_of_bands_that_came_before(
    three_scenes, band, monkeypatch
):
    monkeypatch.setattr(geofile.time, "sleep", lambda _: None)
    os.truncate(path_of(three_scenes[1], band), 900)
    whole, arrays, unread, _ = both_ways(three_scenes)
    assert [(asset.scene_id, asset.band) for asset in unread] == [(three_scenes[1].id, band)]
    assert (arrays["read_status"][0] == 2).any()
    for name, values in whole.arrays.items():
        np.testing.assert_array_equal(arrays[name], values, err_msg=name)


def test_a_file_that_comes_round_is_read(three_scenes, monkeypatch):
    """What fails the first time may not the second: then nothing is missing."""
    expected, *_ = both_ways(three_scenes)
    failures = iter([None] * 5 + [block.ReadError("503")])

    def flaky(*args):
        error = next(failures, None)
        if error is not None:
            raise error
        return read_asset(*args)

    scenes = [read_item(item) for item in three_scenes]
    parts = read_bands(group_by_day(scenes), AREA, cube_variables(scenes, BANDS), flaky)
    found = {name: values.copy() for part in parts for name, values in part.arrays.items()}
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_a_file_beside_the_block_is_not_opened(make_scene, monkeypatch):
    item = make_scene(LEFT)
    opened = []
    open_file = rasterio.open
    monkeypatch.setattr(rasterio, "open", lambda path: opened.append(path) or open_file(path))
    scenes = [read_item(item)]
    days, variables = group_by_day(scenes), cube_variables(scenes, BANDS)
    beside = grid(64, 64, left=WEST + 64 * 10)
    assert (read_block(days, beside, variables).arrays["read_status"] == 0).all()
    assert not opened
    read_block(days, grid(64, 64, left=WEST + 63 * 10), variables)
    assert len(opened) == len(BANDS)


def test_a_grid_that_contradicts_the_footprint_is_not_believed(make_scene, monkeypatch):
    """The Item says that its files lie 50 km off; its footprint, and the files, don't."""
    monkeypatch.setattr(geofile.time, "sleep", lambda _: None)
    item = make_scene(LEFT)
    for asset in item.assets.values():
        if "proj:transform" in asset.extra_fields:
            asset.extra_fields["proj:transform"][2] += 50_000
    scenes = [read_item(item)]
    found = read_block(group_by_day(scenes), LEFT, cube_variables(scenes, BANDS))
    assert {asset.band for asset in found.unread} == set(BANDS)
    assert (found.arrays["read_status"] == 2).all()
