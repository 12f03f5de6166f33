import numpy as np
import pytest
import xarray as xr

from cvlarray.normalize import date_statistics


@pytest.fixture
def residual():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (2, 4, 30, 30)).astype(np.float32)
    values[:, 1] += 5
    values[:, 2] *= 3
    coords = {"feature": ["ndvi", "red"], "time": np.arange(4)}
    return xr.DataArray(values, coords, ("feature", "time", "y", "x"))


@pytest.fixture
def reference():
    return xr.DataArray(np.ones((30, 30), bool), dims=("y", "x"))


def test_a_date_that_is_off_as_a_whole(residual, reference):
    dates = date_statistics(residual, reference)
    np.testing.assert_allclose(dates["date_offset"][0], [0, 5, 0, 0], atol=0.45)
    np.testing.assert_allclose(dates["date_spread"][0], [1, 1, 3, 1], rtol=0.15)
    assert dates["date_offset"].dims == ("feature", "time")


def test_clearings_hardly_count(residual, reference):
    cut = residual.copy()
    cut[:, :, :3] = 20
    before, after = date_statistics(residual, reference), date_statistics(cut, reference)
    assert abs(after["date_offset"] - before["date_offset"]).max() < 0.6


def test_only_the_reference_counts(residual, reference):
    reference[:15] = False
    garbage = residual.copy()
    garbage[:, :, :15] = 1e6
    xr.testing.assert_identical(
        date_statistics(garbage, reference), date_statistics(residual, reference)
    )


def test_dates_with_few_pixels_cant_be_judged(residual, reference):
    residual[:, 3].data.reshape(2, -1)[:, 29:] = np.nan
    dates = date_statistics(residual, reference)
    assert np.isnan(dates["date_offset"][:, 3]).all()
    fewer = date_statistics(residual, reference, min_pixels=10)
    assert np.isfinite(fewer["date_offset"][:, 3]).all()
    assert np.isnan(date_statistics(residual, reference, min_share=0.99)["date_offset"][:, 3]).all()


def test_no_reference_at_all(residual, reference):
    assert np.isnan(date_statistics(residual, ~reference)["date_offset"]).all()


@pytest.mark.parametrize("chunks", [{"y": 7, "x": 11}, {"feature": 1, "time": 2, "x": 30}])
def test_stays_lazy_and_the_same(residual, reference, chunks, raise_if_dask_computes):
    with raise_if_dask_computes():
        lazy = date_statistics(residual.chunk(chunks), reference.chunk(y=13))
    xr.testing.assert_identical(lazy.compute(), date_statistics(residual, reference))
