"""The state that goes on from date to date: however a period is cut into runs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.baseline import fit_baseline, is_forest, predict
from cvlarray.monitor import (
    Bayesian,
    Consecutive,
    Cusum,
    Ewma,
    Mosum,
    detections,
    measure_dates,
    monitor,
    start,
    update,
)
from cvlarray.names import NODATA_DN, STATE_VARIABLES

HISTORY = slice("2016-01-01", "2018-12-31")
DETECTORS = [Consecutive(), Ewma(), Cusum(), Mosum(), Bayesian()]


@pytest.fixture(scope="module")
def features():
    """Return a forest with a cut corner, a passing cloud and a hazy date."""
    rng = np.random.default_rng(4)
    times = pd.date_range("2016-01-04", "2020-06-30", freq="12D")
    season = np.cos(2 * np.pi * times.dayofyear / 365.25).to_numpy()[:, None, None]
    shape = (times.size, 14, 18)
    ndvi = 7_500 - 800 * season + rng.normal(0, 200, shape)
    red = 400 + 50 * season + rng.normal(0, 40, shape)
    cut = np.asarray(times >= "2019-06-01")
    ndvi[cut, :5, :6] -= 3_000
    red[cut, :5, :6] += 500
    cloudy = rng.random(shape) < 0.05
    ndvi[cloudy] -= 4_000
    red[cloudy] += 1_500
    ndvi[100] -= 1_500
    red[100] += 300
    values = np.stack([ndvi, red])
    values[:, rng.random(shape) < 0.3] = NODATA_DN
    coords = {
        "feature": ["ndvi", "red"],
        "time": times,
        "y": np.arange(14.0)[::-1],
        "x": np.arange(18.0),
        "spatial_ref": 32719,
    }
    dims = ("feature", "time", "y", "x")
    return xr.DataArray(np.rint(values).astype(np.int16), coords, dims, name="features")


@pytest.fixture(scope="module")
def baseline(features):
    return fit_baseline(features, history=HISTORY)


@pytest.fixture(scope="module")
def watched(features):
    return features.sel(time=slice("2019-01-01", None))


def in_steps(watched, state, ends, detector, max_pixels=None):
    """Watch period by period, each as its own run would: measure the dates, then go on."""
    for first, last in zip([0, *ends], [*ends, watched.sizes["time"]], strict=True):
        part = watched.isel(time=slice(first, last))
        dates = measure_dates(part, state, detector=detector)
        state = update(state, part, dates=dates, detector=detector)
    return state


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda one: type(one).__name__)
@settings(max_examples=6)
@given(data=st.data())
def test_any_split_of_the_dates_gives_the_same_bits(watched, baseline, detector, data):
    n_dates = watched.sizes["time"]
    ends = sorted(data.draw(st.sets(st.integers(0, n_dates), max_size=6)))
    begun = start(baseline, is_forest=is_forest(baseline), detector=detector)
    once = in_steps(watched, begun, [], detector)
    parts = in_steps(watched, begun, ends, detector)
    xr.testing.assert_identical(parts, once)
    assert (detections(once)["first_flagged"] >= 0).sum() >= 25


def test_one_go_is_the_state_told(watched, baseline):
    forest = is_forest(baseline)
    dates = measure_dates(watched, baseline, forest)
    once = monitor(watched, baseline, dates=dates, is_forest=forest)
    days = in_steps(watched, start(baseline, is_forest=forest), range(1, 30), Consecutive())
    xr.testing.assert_identical(detections(days), once)


@settings(max_examples=3)
@given(y=st.integers(3, 14), x=st.integers(3, 18))
def test_any_chunks_give_the_same_bits(watched, baseline, y, x):
    lazy = start(baseline.chunk(y=y, x=x), is_forest=is_forest(baseline))
    lazy = in_steps(watched.chunk(time=-1, y=y, x=x), lazy, [7], Consecutive())
    eager = in_steps(watched, start(baseline, is_forest=is_forest(baseline)), [7], Consecutive())
    xr.testing.assert_identical(lazy.compute(scheduler="threads"), eager)


def test_stays_lazy(watched, baseline, raise_if_dask_computes):
    with raise_if_dask_computes():
        state = start(baseline.chunk(y=7))
        dates = measure_dates(watched.chunk(time=-1, y=7), state)
        found = detections(update(state, watched.chunk(time=-1, y=7), dates=dates))
    assert found["confirmed"].chunks is not None


def test_variables_are_those_declared(watched, baseline):
    for state in (start(baseline), update(start(baseline), watched)):
        assert set(state.data_vars) == {variable.name for variable in STATE_VARIABLES}
        for variable in STATE_VARIABLES:
            found = state[variable.name]
            assert found.dims == variable.dims
            assert found.dtype == variable.dtype
            assert found.attrs == dict(variable.attrs)


def test_six_features_take_at_most_450_bytes(features, baseline):
    names = {"feature": ["ndvi", "nbr", "ndmi", "red", "swir16", "swir22"]}
    six = xr.concat([features.isel(feature=[0, 1])] * 3, "feature").assign_coords(names)
    state = start(fit_baseline(six, history=HISTORY))
    n_bytes = sum(one.nbytes for one in state.data_vars.values())
    assert n_bytes / (14 * 18) <= 450


def test_the_season_goes_on_learning(features, baseline, watched):
    # The forest is a little greener from 2019 on: the season follows, but not where it was cut.
    greener = watched.copy()
    greener[0] = xr.where(watched[0] == NODATA_DN, NODATA_DN, watched[0] + 150)
    state = update(start(baseline), greener)
    last = [pd.Timestamp("2020-06-20")]
    before, after = (predict(one, last).isel(time=0)[0] for one in (baseline, state))
    is_cut = detections(state)["first_flagged"] >= 0
    rise = (after - before).where(~is_cut)
    assert 60 < float(rise.median()) < 160
    frozen = (after - before).where(is_cut)[:5, :6]
    assert float(abs(frozen).median()) < 60


def test_nothing_is_learnt_while_a_change_is_pending(baseline, watched):
    state = start(baseline)
    states = [state := update(state, watched.isel(time=[n])) for n in range(30)]
    for before, after in pairwise(states):
        is_pending = (after["alarm_first"] >= 0).to_numpy()
        for name in ("coefficients", "sigma", "moments"):
            old, new = (one[name].to_numpy()[..., is_pending] for one in (before, after))
            np.testing.assert_array_equal(old, new)


def test_dates_the_state_holds_are_refused(watched, baseline):
    state = update(start(baseline), watched.isel(time=slice(0, 5)))
    with pytest.raises(ValueError, match=r"holds the dates up to 2019-\d\d-\d\d, got 2019.*replay"):
        update(state, watched.isel(time=slice(3, 8)))


def test_another_detector_is_refused(watched, baseline):
    with pytest.raises(ValueError, match=r"started with Consecutive\(.*got Ewma\("):
        update(start(baseline), watched, detector=Ewma())


def test_other_features_are_refused(watched, baseline):
    with pytest.raises(ValueError, match="the state watches ndvi, red, got ndvi; give the same"):
        update(start(baseline), watched.isel(feature=[0]))


def test_time_in_chunks(watched, baseline):
    with pytest.raises(ValueError, match=r"time must be one chunk to monitor, got \d+; rechunk"):
        update(start(baseline), watched.chunk(time=10))


def test_rising_water_and_green_up_raise_nothing(watched, baseline):
    flooded, green = watched.copy(), watched.copy()
    is_seen = watched != NODATA_DN
    shift = xr.DataArray([-5_000, -350], dims="feature")  # both fall
    flooded = (watched + shift).where(is_seen, NODATA_DN).astype(np.int16)
    shift = xr.DataArray([1_500, -200], dims="feature")
    green = (watched + shift).where(is_seen, NODATA_DN).astype(np.int16)
    for changed in (flooded, green):
        found = monitor(changed, baseline)
        outside = found["first_flagged"].where(~is_cut_corner(found), -1)
        assert (outside >= 0).mean() < 0.01


def test_direction_is_where_the_first_feature_went(watched, baseline):
    found = monitor(watched, baseline)
    is_found = found["first_flagged"] >= 0
    np.testing.assert_array_equal(found["direction"], np.where(is_found, -1, 0))


def is_cut_corner(found):
    corner = xr.zeros_like(found["first_flagged"], dtype=bool)
    corner[:5, :6] = True
    return corner
