"""A file's values become canonical ones in place, and equal the sensors' own rule."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cvlarray.cube import cube_variables, group_by_day, read_block
from cvlarray.names import NODATA_DN
from cvlarray.sensors import Asset, Quantity, Scene, read_item, to_dn

from .conftest import grid

pytestmark = [
    # odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]

SHAPE = (3, 4)
PLACE = grid(*SHAPE)


@pytest.fixture(scope="module")
def template(make_scene):
    return read_item(make_scene(grid(64, 64)))


def read(template, path, values, **asset):
    """Write values as a file and read it as a scene of one band."""
    with rasterio.open(
        path, "w", driver="GTiff", height=SHAPE[0], width=SHAPE[1], count=1, dtype=values.dtype,
        crs="EPSG:32719", transform=PLACE.affine,
    ) as file:  # fmt: skip
        file.write(values, 1)
    fields = {
        "band": "red", "href": str(path), "quantity": Quantity.REFLECTANCE, "dtype": "uint16",
        "nodata": 0.0, "scale": 1.0, "offset_dn": 0, "resolution_m": 10.0,
    }  # fmt: skip
    given_asset = Asset(**{**fields, **asset})
    scene: Scene = replace(template, assets={given_asset.band: given_asset})
    variables = cube_variables([scene], [given_asset.band])
    block = read_block(group_by_day([scene]), PLACE, variables)
    assert not block.unread
    return block.arrays[given_asset.band][0], given_asset


@settings(max_examples=60)
@given(
    values=st.sampled_from([np.uint16, np.int16, np.uint8]).flatmap(
        lambda dtype: hnp.arrays(dtype, SHAPE)
    ),
    offset_dn=st.sampled_from([0, -1000, -32767, 500]),
    nodata=st.sampled_from([None, 0.0, 7.0, 32767.0, 65535.0]),
    scale=st.sampled_from([1.0, 0.275]),
)
@example(np.full(SHAPE, 65535, np.uint16), -1000, 0.0, 1.0)
@example(np.full(SHAPE, 32767, np.uint16), -1000, 0.0, 1.0)
@example(np.full(SHAPE, 40000, np.uint16), -10000, 32767.0, 1.0)
@example(np.full(SHAPE, -32768, np.int16), 0, None, 1.0)
def test_reflectance(template, tmp_path_factory, values, offset_dn, nodata, scale):
    path = tmp_path_factory.mktemp("values") / "B04.tif"
    found, asset = read(template, path, values, nodata=nodata, offset_dn=offset_dn, scale=scale)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, to_dn(values, asset))
    missing = found == NODATA_DN
    np.testing.assert_array_equal(missing, values == nodata if nodata is not None else False)


def test_classes_keep_their_codes(template, tmp_path):
    values = np.arange(12, dtype=np.uint8).reshape(SHAPE)
    found, _ = read(
        template, tmp_path / "a.tif", values, band="scl", quantity=Quantity.CLASSES, dtype="uint8"
    )
    np.testing.assert_array_equal(found, values)


def test_class_nodata_becomes_the_fill(template, tmp_path):
    values = np.array([[255, 4, 5, 6]] * 3, np.uint8)
    found, _ = read(
        template, tmp_path / "a.tif", values,
        band="scl", quantity=Quantity.CLASSES, dtype="uint8", nodata=255.0,
    )  # fmt: skip
    np.testing.assert_array_equal(found, np.where(values == 255, 0, values))


def test_bit_flags_keep_all_their_bits(template, tmp_path):
    values = np.array([[1, 21824, 55052, 65535]] * 3, np.uint16)
    found, _ = read(
        template, tmp_path / "a.tif", values,
        band="qa_pixel", quantity=Quantity.CLASSES, nodata=1.0,
    )  # fmt: skip
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, values)


def test_power_is_float_with_nan(template, tmp_path):
    values = np.array([[0.0, 0.01, -32768, np.nan]] * 3, np.float32)
    found, _ = read(
        template, tmp_path / "a.tif", values,
        band="vv", quantity=Quantity.POWER, dtype="float32", nodata=-32768.0,
    )  # fmt: skip
    expected = np.array([[np.nan, 0.01, np.nan, np.nan]] * 3, np.float32)
    np.testing.assert_array_equal(found, expected)


def test_amplitude_has_no_place_in_a_cube(template, tmp_path):
    with pytest.raises(ValueError, match="calibrate and terrain-correct it first"):
        read(template, tmp_path / "a.tif", np.ones(SHAPE, np.uint16), quantity=Quantity.AMPLITUDE)
