import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.masking import drop_specks, grow_flags
from cvlarray.names import QUALITY, QualityFlag

CLOUD, SHADOW, HAZE, FILL = (
    QualityFlag.CLOUD,
    QualityFlag.SHADOW,
    QualityFlag.HAZE,
    QualityFlag.FILL,
)


def speckled(seed, shape=(2, 37, 41)):
    random = np.random.default_rng(seed)
    flags = random.choice([0, 0, 0, CLOUD, SHADOW, CLOUD | HAZE, FILL], shape).astype(np.uint8)
    return xr.DataArray(flags, dims=("time", "y", "x"), name="quality")


@settings(max_examples=20)
@given(
    seed=st.integers(0, 99),
    amount=st.integers(1, 12),
    chunk_y=st.integers(6, 37),
    chunk_x=st.integers(6, 41),
    change=st.sampled_from([grow_flags, drop_specks]),
)
def test_same_for_any_chunks(seed, amount, chunk_y, chunk_x, change):
    quality = speckled(seed)
    whole = change(quality, amount)
    chunked = quality.chunk(time=1, y=chunk_y, x=chunk_x)
    lazy = change(chunked, amount)
    assert lazy.chunks == chunked.chunks
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), whole)


def test_a_long_cloud_across_many_chunks_is_no_speck():
    quality = xr.DataArray(np.zeros((1, 6, 60), np.uint8), dims=("time", "y", "x"))
    quality[0, 2, 5:25] = CLOUD
    quality[0, 2, 40:49] = CLOUD
    kept = drop_specks(quality.chunk(x=4, y=3), 10)
    assert kept[0, 2].values.nonzero()[0].tolist() == list(range(5, 25))


def test_each_flag_spreads_alone():
    quality = xr.DataArray(np.zeros((5, 9), np.uint8), dims=("y", "x"))
    quality[2, 2], quality[2, 6], quality[2, 5] = CLOUD, SHADOW, FILL
    grown = grow_flags(quality, 2)
    assert grown[2].values.tolist() == [1, 1, 1, 1, 3, 128, 2, 2, 2]
    assert grown.attrs == QUALITY.attrs
    only_cloud = grow_flags(quality, 2, CLOUD)
    assert only_cloud[2].values.tolist() == [1, 1, 1, 1, 1, 128, 2, 0, 0]


def test_specks_keep_their_other_flags():
    quality = xr.DataArray(np.array([[CLOUD | HAZE, 0, CLOUD, CLOUD]], np.uint8), dims=("y", "x"))
    assert drop_specks(quality, 2).values.tolist() == [[HAZE, 0, CLOUD, CLOUD]]


def test_stays_lazy(raise_if_dask_computes):
    quality = speckled(1).chunk(y=10)
    with raise_if_dask_computes():
        shaped = drop_specks(grow_flags(quality, 3), 5)
    assert dask.is_dask_collection(shaped)


def test_what_is_refused():
    quality = speckled(1)
    with pytest.raises(ValueError, match="radius_px must be 0 to 254, got 255"):
        grow_flags(quality, 255)
    with pytest.raises(ValueError, match="min_px must be at least 1, got 0"):
        drop_specks(quality, 0)
    with pytest.raises(ValueError, match="FILL means no observation"):
        grow_flags(quality, 1, CLOUD | FILL)
