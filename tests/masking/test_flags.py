import numpy as np
import pytest
import xarray as xr

from cvlarray.masking import OBSCURING, SclQuality, is_clear, is_clear_of
from cvlarray.names import QUALITY, QualityFlag


def test_attributes_name_every_bit_in_order():
    masks, meanings = QUALITY.attrs["flag_masks"], QUALITY.attrs["flag_meanings"].split()
    assert masks == [1, 2, 4, 8, 16, 32, 64, 128]
    assert [QualityFlag[name.upper()] for name in meanings] == masks


def test_water_alone_is_clear():
    every = xr.DataArray(np.arange(256, dtype=np.uint8), dims="x")
    clear = is_clear_of(every)
    assert np.flatnonzero(clear).tolist() == [0, QualityFlag.WATER]
    assert clear.name == "is_clear"
    assert int(OBSCURING) == 255 - QualityFlag.WATER


def test_chosen_flags_only():
    quality = xr.DataArray(np.array([1, 2, 4, 8, 128], np.uint8), dims="x")
    clear = is_clear_of(quality, QualityFlag.CLOUD | QualityFlag.FILL)
    assert clear.values.tolist() == [False, True, True, True, False]


def test_scl_flags_agree_with_the_clear_classes():
    scl = xr.DataArray(np.arange(256, dtype=np.uint8), dims="x", name="scl")
    quality = SclQuality()(xr.Dataset({"scl": scl}))
    xr.testing.assert_equal(is_clear_of(quality), is_clear(scl).rename("is_clear"))
    assert quality.attrs == QUALITY.attrs
    assert quality.dtype == np.uint8


def test_scl_by_reason():
    known = [0, 1, 3, 6, 7, 9, 10, 11, 99]
    cube = xr.Dataset({"scl": ("x", np.array(known, np.uint8))})
    expected = ["FILL", "SATURATED", "SHADOW", "WATER", "HAZE", "CLOUD", "CIRRUS", "SNOW", "FILL"]
    assert SclQuality()(cube).values.tolist() == [QualityFlag[name] for name in expected]


def test_stays_lazy(raise_if_dask_computes):
    scl = xr.DataArray(np.zeros((2, 4, 4), np.uint8), dims=("time", "y", "x"), name="scl")
    with raise_if_dask_computes():
        clear = is_clear_of(SclQuality()(scl.to_dataset().chunk(y=2)))
    assert clear.chunks == ((2,), (2, 2), (4,))
    assert not clear.any()


def test_decoded_flags_are_refused():
    quality = xr.DataArray(np.zeros(3, np.float32), dims="x")
    with pytest.raises(TypeError, match="uint8 flags, got float32; open it mask_and_scale=False"):
        is_clear_of(quality)


def test_missing_band():
    with pytest.raises(ValueError, match="needs the band scl, the cube has red; load it too"):
        SclQuality()(xr.Dataset({"red": ("x", np.zeros(2, np.int16))}))


def test_band_of_another_type():
    with pytest.raises(TypeError, match="scl must be uint8, got float32"):
        SclQuality()(xr.Dataset({"scl": ("x", np.zeros(2, np.float32))}))
