"""Speckle over dates, ratio and decibels: simulated, and on real OPERA backscatter."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr

from cvlarray.radar import filter_speckle, to_decibels, with_ratio

LOOKS, N_DATES, SIDE = 4.4, 12, 160


def series(n_dates=N_DATES, seed=0) -> xr.DataArray:
    """Return gamma-distributed power around a mean that differs from date to date."""
    random = np.random.default_rng(seed)
    means = np.linspace(0.05, 0.2, n_dates)[:, None, None]
    power = means * random.gamma(LOOKS, 1 / LOOKS, (n_dates, SIDE, SIDE))
    return xr.DataArray(power.astype(np.float32), dims=("time", "y", "x"), name="vh")


def looks(power) -> float:
    """Return the equivalent number of looks of even ground."""
    values = np.asarray(power, float)
    return float(values.mean() ** 2 / values.var())


@pytest.mark.parametrize("n_dates", [1, 5, 12])
def test_looks_grow_as_the_paper_says_and_the_mean_stays(n_dates):
    power = series(n_dates)
    filtered = filter_speckle(power, window_px=7)
    n_pixels = 49
    for before, after in zip(power, filtered, strict=True):
        expected = LOOKS * n_pixels * n_dates / (n_pixels + n_dates - 1)
        assert looks(after[10:-10, 10:-10]) == pytest.approx(expected, rel=0.15)
        assert float(after.mean()) == pytest.approx(float(before.mean()), rel=0.01)


def test_a_change_stays_on_its_date():
    power = series()
    power[8:, 40:80, 40:80] *= 0.4
    filtered = filter_speckle(power)
    inner = filtered[:, 48:72, 48:72].mean(("y", "x")) / np.linspace(0.05, 0.2, N_DATES)
    np.testing.assert_allclose(inner[:8], 1, atol=0.12)
    np.testing.assert_allclose(inner[8:], 0.4, atol=0.06)


def test_chunks_never_matter_and_missing_stays_missing(raise_if_dask_computes):
    power = series(4)
    power[1, 20:40, 30:60] = np.nan
    whole = filter_speckle(power)
    with raise_if_dask_computes():
        lazy = filter_speckle(power.chunk(y=50, x=70))
    xr.testing.assert_allclose(lazy.compute(), whole, rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(whole), np.isnan(power))


def test_what_is_refused():
    with pytest.raises(ValueError, match="odd and 3 or more, got 4"):
        filter_speckle(series(2), window_px=4)
    with pytest.raises(ValueError, match="time must be one chunk"):
        filter_speckle(series(4).chunk(time=2))
    with pytest.raises(ValueError, match="lacks vh"):
        with_ratio(xr.Dataset({"vv": series(1)}))


def test_decibels_of_power_and_of_nothing():
    power = xr.DataArray(np.array([1.0, 0.1, 0.0, -0.01, np.nan], np.float32))
    np.testing.assert_allclose(to_decibels(power), [0, -10, np.nan, np.nan, np.nan], atol=1e-5)
    assert to_decibels(power).attrs["units"] == "dB"


def test_ratio_is_of_power():
    cube = with_ratio(xr.Dataset({"vv": series(2), "vh": series(2) / 5}))
    np.testing.assert_allclose(cube["vh_vv"], 0.2, rtol=1e-6)
    assert list(cube.data_vars) == ["vv", "vh", "vh_vv"]


def test_real_tropical_forest_gets_smoother(external_data):
    """Ten dates of OPERA RTC over Papua New Guinea, raw speckle."""
    paths = sorted((external_data / "opera_s1/png_T009-019294-IW2_raw_vh").glob("*.tif"))
    layers = []
    for path in paths:
        with rasterio.open(path) as dataset:
            layers.append(dataset.read(1))
    power = xr.DataArray(np.stack(layers), dims=("time", "y", "x"))
    filtered = filter_speckle(power)
    local = [
        float(np.nanmedian(one.rolling(y=5, x=5).mean() ** 2 / one.rolling(y=5, x=5).var()))
        for one in (power[0], filtered[0])
    ]
    assert local[1] > 1.5 * local[0]  # of which texture of the ground takes its part
    assert float(filtered.mean()) == pytest.approx(float(power.mean()), rel=0.02)
