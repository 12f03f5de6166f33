"""Sightings of a watched period: the detections' history, whole or in steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cvlarray.baseline import fit_baseline
from cvlarray.kernels.sightings import CONFIRMED
from cvlarray.monitor import Sightings, detections, start, update
from cvlarray.names import NODATA_DN


@pytest.fixture(scope="module")
def features() -> xr.DataArray:
    """Return a forest with a cut corner and a third of it under cloud."""
    rng = np.random.default_rng(4)
    times = pd.date_range("2016-01-04", "2020-06-30", freq="12D")
    season = np.cos(2 * np.pi * times.dayofyear / 365.25).to_numpy()[:, None, None]
    ndvi = 7_500 - 800 * season + rng.normal(0, 200, (times.size, 9, 11))
    ndvi[np.asarray(times >= "2019-06-01"), :4, :5] -= 3_000
    ndvi[rng.random(ndvi.shape) < 0.3] = NODATA_DN
    coords = {"feature": ["ndvi"], "time": times, "y": np.arange(9.0)[::-1], "x": np.arange(11.0)}
    values = np.rint(ndvi).astype(np.int16)[None]
    return xr.DataArray(values, coords, ("feature", "time", "y", "x"), name="features")


@pytest.fixture(scope="module")
def season(features: xr.DataArray) -> xr.Dataset:
    return fit_baseline(features.sel(time=slice("2016-01-01", "2018-12-31")))


def test_confirmed_ones_are_the_detections(features: xr.DataArray, season: xr.Dataset) -> None:
    sightings = Sightings()
    watched = features.sel(time=slice("2019-01-01", None))
    state = update(start(season), watched, sightings=sightings)
    found = detections(state)
    last = {}
    for row in sightings.table[sightings.table["status"] == CONFIRMED]:
        last[int(row["pixel"])] = row
    confirmed = np.flatnonzero(found["confirmed"].to_numpy().ravel() >= 0)
    assert len(confirmed) >= 20
    assert sorted(last) == confirmed.tolist()
    for name in ("first_flagged", "interval_start"):
        expected = found[name].to_numpy().ravel()[confirmed]
        assert [last[pixel][name] for pixel in confirmed] == expected.tolist()


def test_they_are_the_same_in_steps(features: xr.DataArray, season: xr.Dataset) -> None:
    watched = features.sel(time=slice("2019-01-01", None))
    whole, steps = Sightings(), Sightings()
    update(start(season), watched, sightings=whole)
    state = start(season)
    for part in (slice(0, 7), slice(7, 8), slice(8, None)):
        state = update(state, watched.isel(time=part), sightings=steps)
    np.testing.assert_array_equal(whole.table, steps.table)


def test_lazy_inputs_are_refused(features: xr.DataArray, season: xr.Dataset) -> None:
    lazy = features.sel(time=slice("2019-01-01", None)).chunk(y=3)
    with pytest.raises(ValueError, match="in memory only"):
        update(start(season), lazy, sightings=Sightings())
    with pytest.raises(ValueError, match="at least 1"):
        Sightings(0)
