"""The bits as real Items describe them."""

import json

import numpy as np
import pytest
import xarray as xr

from cvlarray.masking import LandsatQuality, is_clear_of
from cvlarray.names import QualityFlag

ITEMS = [
    "earthsearch-v1/landsat-c2-l2/LC08_L2SP_033032_20231008_02_T1.json",
    "planetarycomputer/landsat-c2-l2/LC09_L2SP_089090_20240417_02_T1.json",
]
MEANINGS = {
    "dilated_cloud": QualityFlag.CLOUD,
    "cloud": QualityFlag.CLOUD,
    "cirrus": QualityFlag.CIRRUS,
    "cloud_shadow": QualityFlag.SHADOW,
    "snow": QualityFlag.SNOW,
    "water": QualityFlag.WATER,
    "fill": QualityFlag.FILL,
    "clear": QualityFlag(0),
}


def flags_of(qa_pixel, qa_radsat=None):
    cube = {"qa_pixel": ("x", np.atleast_1d(np.asarray(qa_pixel, np.uint16)))}
    if qa_radsat is not None:
        cube["qa_radsat"] = ("x", np.atleast_1d(np.asarray(qa_radsat, np.uint16)))
    return LandsatQuality()(xr.Dataset(cube)).values.tolist()


@pytest.mark.parametrize("item", ITEMS)
def test_each_bit_as_the_item_says(external_data, item):
    assets = json.loads((external_data / "stac_fixtures" / item).read_text())["assets"]
    fields = {one["name"]: one for one in assets["qa_pixel"]["classification:bitfields"]}
    for name, flag in MEANINGS.items():
        assert fields[name]["length"] == 1
        assert flags_of(1 << fields[name]["offset"]) == [flag], name
    confidence = fields["cloud_confidence"]["offset"]
    assert flags_of([level << confidence for level in (1, 2, 3)]) == [0, QualityFlag.HAZE, 0]


@pytest.mark.parametrize("item", ITEMS)
def test_saturation_as_the_item_says(external_data, item):
    assets = json.loads((external_data / "stac_fixtures" / item).read_text())["assets"]
    for field in assets["qa_radsat"]["classification:bitfields"]:
        flag = {"occlusion": QualityFlag.FILL, "band9": 0}.get(field["name"], QualityFlag.SATURATED)
        assert flags_of(64, 1 << field["offset"]) == [flag], field["name"]


@pytest.mark.parametrize(
    ("value", "is_clear"),
    [
        (21824, True),  # the values that USGS lists as clear, water, cloud, shadow and snow
        (21952, True),
        (22280, False),
        (23888, False),
        (30048, False),
        (54596, False),
        (1, False),
    ],
)
def test_values_that_the_guide_lists(value, is_clear):
    cube = xr.Dataset({"qa_pixel": ("x", np.array([value], np.uint16))})
    assert bool(is_clear_of(LandsatQuality()(cube))[0]) == is_clear


def test_fill_stands_alone():
    assert flags_of(0b1010_1011, 0b11) == [QualityFlag.FILL]
    assert flags_of(0b1000_1000, 1 << 11) == [QualityFlag.FILL]


def test_flags_add_up():
    expected = QualityFlag.CLOUD | QualityFlag.WATER | QualityFlag.SATURATED
    assert flags_of(0b1000_1000, 1) == [expected]
