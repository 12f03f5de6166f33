"""Departures from the usual backscatter: of steps, under rain, in any chunks, on real data."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cvlarray.radar import radar_departure
from cvlarray.radar.departure import CHANNELS
from tests.radar.opera import BURSTS, RAINY, read_burst

N_DATES, SIDE, LOOKS = 16, 200, 50
UNTIL = "2022-05-01"


def series(rain_db=(), seed=0) -> xr.Dataset:
    """Return even forest, with dates ten days apart on which all of it lies higher."""
    random = np.random.default_rng(seed)
    level = np.zeros(N_DATES)
    for date, decibels in rain_db:
        level[date] = decibels
    power = {
        name: 10 ** ((mean + level[:, None, None]) / 10)
        * random.gamma(LOOKS, 1 / LOOKS, (N_DATES, SIDE, SIDE))
        for name, mean in (("vv", -7.7), ("vh", -13.3))
    }
    time = np.datetime64("2022-01-01", "ns") + np.arange(N_DATES) * np.timedelta64(10, "D")
    layers = {name: (("time", "y", "x"), one.astype(np.float32)) for name, one in power.items()}
    return xr.Dataset(layers, {"time": time})


def test_a_step_is_found_at_its_size_and_rain_is_not():
    """All forest lies 3 dB higher on a date of the history and on one afterwards."""
    cube = series(rain_db=[(4, 3.0), (14, 3.0)])
    cube["vh"][14:, 90:120, 90:120] *= 10**-0.4
    cube["vv"][14:, 90:120, 90:120] *= 10**-0.1
    found = radar_departure(cube, until=UNTIL).sel(time=slice("2022-05-15", None))
    assert list(found.data_vars) == list(CHANNELS)
    inside = found.isel(y=slice(92, 118), x=slice(92, 118)).mean(("y", "x"))
    np.testing.assert_allclose(inside["vh_departure"], -4, atol=0.15)
    np.testing.assert_allclose(inside["vv_departure"], -1, atol=0.15)
    np.testing.assert_allclose(inside["vh_vv_departure"], -3, atol=0.15)
    outside = found.isel(y=slice(10, 60)).mean(("y", "x"))
    np.testing.assert_allclose(outside["vh_departure"], 0, atol=0.1)
    np.testing.assert_allclose(outside["vh_usual"], -13.3, atol=0.2)


def test_chunks_never_matter(raise_if_dask_computes):
    cube = series()
    cube["vv"][13, 50:80, :60] = np.nan
    whole = radar_departure(cube, until=UNTIL)
    with raise_if_dask_computes():
        lazy = radar_departure(cube.chunk(time=5, y=150, x=140), until=UNTIL)
    xr.testing.assert_allclose(lazy.compute(), whole, rtol=0, atol=1e-4)
    assert np.isnan(whole["vv_departure"][1, 50:80, :60]).all()
    assert np.isnan(whole["vh_vv_departure"][1, 50:80, :60]).all()
    assert np.isfinite(whole["vh_departure"]).all()


def test_a_pixel_with_too_short_a_history_has_none():
    cube = series()
    cube["vh"][:7, 5, 5] = np.nan
    found = radar_departure(cube, until=UNTIL)
    assert np.isnan(found["vh_departure"][:, 5, 5]).all()
    assert np.isfinite(found["vh_departure"][:, 5, 6]).all()


def test_what_is_refused():
    cube = series()
    with pytest.raises(ValueError, match="lacks vh"):
        radar_departure(cube[["vv"]], until=UNTIL)
    with pytest.raises(ValueError, match="6 dates before 2022-02-01"):
        radar_departure(cube, until="2022-02-01")
    with pytest.raises(ValueError, match="dates of two orbits don't mix"):
        radar_departure(xr.concat([cube, cube], "time"), until=UNTIL)
    orbits = np.where(np.arange(N_DATES) % 2, "ascending", "descending")
    with pytest.raises(ValueError, match="sat:orbit_state has ascending, descending"):
        radar_departure(cube.assign_coords({"sat:orbit_state": ("time", orbits)}), until=UNTIL)


@pytest.mark.parametrize("burst", BURSTS)
def test_real_rain_is_taken_off(external_data, burst):
    """Median VH lies higher on two days, in a burst by up to 4 dB; a sixth of it is left."""
    cube = read_burst(external_data / "opera_s1" / "california_T137" / burst)
    raw = 10 * np.log10(cube["vh"])
    before = raw.sel(time=slice(None, "2021-12-31")).median("time")
    rise = (raw - before).median(("y", "x")).sel(time=list(RAINY))
    found = radar_departure(cube, until="2022-01-01")["vh_departure"]
    left = found.median(("y", "x")).sel(time=list(RAINY))
    assert rise.max() > 1
    assert (np.abs(left) < 0.05 + rise / 6).all()
