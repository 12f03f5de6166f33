import numpy as np
import pytest
import xarray as xr

from cvlarray.masking import CLEAR_SCL_CLASSES, is_clear


@pytest.fixture
def scl():
    classes = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    return xr.DataArray(classes, dims=("time", "y", "x"), name="scl")


def test_clear_classes(scl):
    assert set(np.flatnonzero(is_clear(scl).to_numpy())) == CLEAR_SCL_CLASSES == {4, 5, 6}


def test_other_classes(scl):
    clear = is_clear(scl, clear_classes={4, 7})
    assert np.flatnonzero(clear.to_numpy()).tolist() == [4, 7]
    assert clear.dtype == bool


def test_stays_lazy(scl, raise_if_dask_computes):
    with raise_if_dask_computes():
        lazy = is_clear(scl.chunk(y=1))
    xr.testing.assert_identical(lazy.compute(), is_clear(scl))


def test_float_classes(scl):
    with pytest.raises(TypeError, match="must be uint8 classes, got float64"):
        is_clear(scl.astype(float))


def test_no_data_cant_be_clear(scl):
    with pytest.raises(ValueError, match=r"from 1 to 255, got \[0, 300\]"):
        is_clear(scl, clear_classes=[4, 300, 0])
