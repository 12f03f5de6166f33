import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.baseline import (
    fit_baseline,
    fit_baseline_jointly,
    is_forest,
    observation_coverage,
    observed_range,
    predict,
    prediction_error,
    regional_prior,
    stable_history,
    strata_prior,
)
from cvlarray.kernels.harmonics import fit_robust
from cvlarray.kernels.joint import fit_joint
from cvlarray.kernels.season import TimeAxis
from cvlarray.names import BASELINE_VARIABLES, NODATA_DN

TIMES = pd.date_range("2016-01-03", "2018-12-30", freq="12D")
HEIGHT, WIDTH = 9, 14


def seasonal(level=6_000, amplitude=1_500, noise=150, seed=0):
    """Return features (feature, time, y, x) with a known season and gaps."""
    rng = np.random.default_rng(seed)
    season = level + amplitude * np.sin(2 * np.pi * (TIMES.dayofyear - 100) / 365.25)
    shape = (2, TIMES.size, HEIGHT, WIDTH)
    values = season.to_numpy()[:, None, None] + rng.normal(0, noise, shape)
    values[1] /= 10
    values[rng.random(shape) < 0.3] = NODATA_DN
    coords = {
        "feature": ["ndvi", "red"],
        "time": TIMES,
        "y": np.arange(HEIGHT)[::-1] * 10.0,
        "x": np.arange(WIDTH) * 10.0,
        "spatial_ref": 32719,
    }
    dims = ("feature", "time", "y", "x")
    return xr.DataArray(values.astype(np.int16), coords, dims, name="features")


@pytest.fixture
def features():
    return seasonal()


def test_is_the_kernel_with_names(features):
    baseline = fit_baseline(features)
    days = TIMES.to_numpy().astype("datetime64[D]").astype(int)
    axis = TimeAxis.over(days[0], days[-1])
    for name in ("ndvi", "red"):
        fit = fit_robust(features.sel(feature=name).to_numpy(), days, axis, min_observations=12)
        one = baseline.sel(feature=name)
        np.testing.assert_array_equal(one["coefficients"], fit.coefficients)
        np.testing.assert_array_equal(one["sigma"], fit.sigma)
        np.testing.assert_array_equal(one["n_valid"], fit.n_valid)
    assert baseline.attrs == {
        "time_origin": axis.origin_days,
        "time_span_days": axis.span_days,
        "harmonic_order": 2,
    }


def test_variables_are_those_declared(features):
    baseline = fit_baseline(features)
    assert set(baseline.data_vars) == {variable.name for variable in BASELINE_VARIABLES}
    for variable in BASELINE_VARIABLES:
        found = baseline[variable.name]
        assert found.dims == variable.dims
        assert found.dtype == variable.dtype
        assert found.attrs == dict(variable.attrs)
    assert baseline["coefficient"].to_numpy().tolist()[:3] == ["level", "trend", "cosine_1"]
    assert {"y", "x", "spatial_ref"} <= set(baseline.coords)


@settings(max_examples=8)
@given(y=st.integers(1, HEIGHT), x=st.integers(1, WIDTH), feature=st.integers(1, 2))
def test_any_chunks_give_the_same_bits(y, x, feature):
    features = seasonal()
    eager = fit_baseline(features)
    lazy = fit_baseline(features.chunk(feature=feature, time=-1, y=y, x=x))
    xr.testing.assert_identical(lazy.compute(scheduler="threads"), eager)


def test_stays_lazy(features, raise_if_dask_computes):
    with raise_if_dask_computes():
        baseline = fit_baseline(features.chunk(y=3))
        expected = predict(baseline, TIMES[:4])
        forest = is_forest(baseline)
    eager = fit_baseline(features)
    xr.testing.assert_identical(expected.compute(), predict(eager, TIMES[:4]))
    xr.testing.assert_identical(forest.compute(), is_forest(eager))


def test_same_graph_every_time(features):
    names = [fit_baseline(features.chunk(y=3))["sigma"].data.name for _ in range(2)]
    assert names[0] == names[1]
    assert fit_baseline(features.chunk(y=3))["sigma"].data.name.startswith("getitem")


def test_history_limits_dates_and_trend(features):
    history = slice("2016-02-01", "2018-02-01")
    baseline = fit_baseline(features, history=history)
    assert baseline["n_valid"].max() <= 61
    days = [np.datetime64(day, "D").astype(int) for day in ("2016-02-01", "2018-02-01")]
    assert baseline.attrs["time_origin"] == np.mean(days)
    assert baseline.attrs["time_span_days"] == np.diff(days)[0]


def test_history_of_whole_years_reaches_to_their_ends(features):
    years = fit_baseline(features, history=slice("2016", "2017"))
    days = fit_baseline(features, history=slice("2016-01-01", "2017-12-31"))
    xr.testing.assert_identical(years, days)


def test_prediction_fits_the_observations(features):
    expected = predict(fit_baseline(features), features["time"])
    off = (features - expected).where(features != NODATA_DN)
    assert float(abs(off.sel(feature="ndvi")).median()) < 120
    assert expected.dims == features.dims
    assert expected["time"].equals(features["time"])


def test_prediction_beyond_the_history_holds_the_trend():
    rising = seasonal(amplitude=0, noise=0)
    slope = xr.DataArray(np.arange(TIMES.size) * 10, dims="time")
    rising = xr.where(rising == NODATA_DN, rising, rising + slope).astype(np.int16)
    rising = rising.transpose("feature", "time", "y", "x")
    baseline = fit_baseline(rising)
    at_end, later = predict(baseline, [TIMES[-1], TIMES[-1] + pd.DateOffset(years=4)]).transpose(
        "time", ...
    )
    np.testing.assert_allclose(at_end, later, atol=25)


def test_too_few_observations_are_nan(features):
    features[0, :, 0, 0] = NODATA_DN
    features[0, :11, 0, 0] = 5_000
    baseline = fit_baseline(features).isel(feature=0, y=0, x=0)
    assert np.isnan(baseline["coefficients"]).all()
    assert np.isnan(baseline["sigma"])
    assert baseline["n_valid"] == 11
    relaxed = fit_baseline(features, min_observations=11).isel(feature=0, y=0, x=0)
    assert relaxed["coefficients"][0] == pytest.approx(5_000)


def test_time_in_chunks(features):
    with pytest.raises(
        ValueError, match=r"time must be one chunk to fit a baseline, got 2; .*chunk\(time=-1\)"
    ):
        fit_baseline(features.chunk(time=50))


def test_no_history(features):
    with pytest.raises(ValueError, match="at least two dates, got 0"):
        fit_baseline(features, history=slice("1990", "1991"))


def test_float_features(features):
    with pytest.raises(TypeError, match=r"takes int16 features .* got float64"):
        fit_baseline(features.astype(float))


def test_forest_is_green_and_steady():
    forest, field = seasonal(level=7_000, amplitude=1_500), seasonal(noise=2_000)
    water = seasonal(level=500, amplitude=0)
    assert is_forest(fit_baseline(forest)).all()
    assert not is_forest(fit_baseline(field)).any()
    assert not is_forest(fit_baseline(water)).any()


def test_no_model_is_no_forest(features):
    assert not is_forest(fit_baseline(features, min_observations=500)).any()


def test_forest_by_another_index(features):
    named = features.assign_coords(feature=["nbr", "red"])
    assert is_forest(fit_baseline(named)).all()


def test_forest_needs_a_vegetation_index(features):
    with pytest.raises(
        ValueError, match="needs the feature ndvi or nbr or ndmi, the baseline has red; add it"
    ):
        is_forest(fit_baseline(features.sel(feature=["red"])))


def test_prior_helps_pixels_seldom_seen(features):
    whole = fit_baseline(features)
    sparse = features.copy()
    sparse[:, 8:, :5] = NODATA_DN
    baseline = fit_baseline(sparse)
    prior = regional_prior(baseline, is_forest(baseline), TIMES)
    drawn = fit_baseline(sparse, prior=prior)
    assert np.isnan(baseline["sigma"][:, :5]).all()
    assert np.isfinite(drawn["coefficients"]).all()
    assert np.isfinite(drawn["sigma"]).all()
    off = predict(drawn, TIMES) - predict(whole, TIMES)
    assert abs(off.sel(feature="ndvi")[:, :, :5]).max() < 250
    assert abs(off.sel(feature="ndvi")[:, :, 5:]).max() < 250


def test_prior_stays_lazy(features, raise_if_dask_computes):
    with raise_if_dask_computes():
        baseline = fit_baseline(features.chunk(y=4, feature=1))
        prior = regional_prior(baseline, is_forest(baseline), TIMES)
        lazy = fit_baseline(features.chunk(y=4), prior=prior)
    eager = fit_baseline(features)
    prior = regional_prior(eager, is_forest(eager), TIMES)
    xr.testing.assert_identical(lazy.compute(), fit_baseline(features, prior=prior))


def test_each_stratum_is_drawn_to_its_own_prior(features):
    baseline = fit_baseline(features)
    strata = xr.zeros_like(is_forest(baseline), np.int16)
    strata[:, ::2], strata[0] = 7, 3
    values, never = (0, 7), xr.full_like(features, -32768)
    everywhere = xr.ones_like(strata, bool)
    prior = strata_prior(baseline, everywhere, strata, values, TIMES)
    drawn = fit_baseline(never, prior=prior, strata=strata, min_observations=0)
    for value in values:
        of_stratum = baseline["coefficients"].where(strata == value)
        found = drawn["coefficients"].where(strata == value)
        np.testing.assert_allclose(
            found.mean(["y", "x"]), of_stratum.median(["y", "x"]), rtol=1e-3, atol=0.05
        )
    assert np.isnan(drawn["coefficients"].where(strata == 3)).all()
    chunked = fit_baseline(features.chunk(y=3, x=5), prior=prior, strata=strata.chunk(y=3, x=5))
    xr.testing.assert_identical(
        chunked.compute(), fit_baseline(features, prior=prior, strata=strata)
    )


def test_strata_and_their_prior_go_together(features):
    baseline = fit_baseline(features)
    strata = xr.zeros_like(is_forest(baseline), np.int16)
    prior = regional_prior(baseline, xr.ones_like(strata, bool), TIMES)
    with pytest.raises(ValueError, match="go together"):
        fit_baseline(features, prior=prior, strata=strata)


def test_prior_of_no_forest(features):
    baseline = fit_baseline(features)
    with pytest.raises(ValueError, match="at least one fitted pixel with residuals, got none"):
        regional_prior(baseline, xr.zeros_like(is_forest(baseline)), TIMES)


def test_history_begins_after_its_last_break(features):
    half = TIMES.size // 2
    broken = features.copy()
    broken[0, :half, :4] = xr.where(
        broken[0, :half, :4] == NODATA_DN, NODATA_DN, broken[0, :half, :4] - 3_000
    )
    kept = stable_history(broken)
    assert kept.dtype == np.int16
    assert kept.dims == features.dims
    assert (kept[:, :15, :4] == NODATA_DN).all()
    assert float((kept[:, 15 : half - 12, :4] == NODATA_DN).mean()) > 0.8
    seen = broken != NODATA_DN
    assert float((kept == broken)[:, half:].where(seen[:, half:]).mean()) > 0.98
    assert float((kept == broken)[:, :, 4:].where(seen[:, :, 4:]).mean()) > 0.98


def test_the_last_year_of_a_history_is_never_cut(features):
    """Half a season says nothing of the other half."""
    broken = features.copy()
    fell = pd.DatetimeIndex(TIMES) < "2018-08-01"
    broken[0, fell, :4] = xr.where(
        broken[0, fell, :4] == NODATA_DN, NODATA_DN, broken[0, fell, :4] - 3_000
    )
    kept, seen = stable_history(broken)[:, :, :4], broken[:, :, :4] != NODATA_DN
    year = slice("2018-01-05", None)
    xr.testing.assert_equal(kept.sel(time=year), broken[:, :, :4].sel(time=year))
    earlier = (kept == broken[:, :, :4]).sel(time=slice(None, "2017-11-30"))
    assert float(earlier.where(seen).mean()) < 0.1


def test_history_stays_lazy(features, raise_if_dask_computes):
    with raise_if_dask_computes():
        lazy = stable_history(features.chunk(y=4, x=5))
    xr.testing.assert_identical(lazy.compute(), stable_history(features))


def test_history_out_of_order(features):
    with pytest.raises(ValueError, match="time must increase"):
        stable_history(features.isel(time=slice(None, None, -1)))


def certainty(features, baseline):
    """Return all that says how sure a season is, as one dataset."""
    error = prediction_error(baseline, TIMES[:3])
    covered = observation_coverage(features).rename(n_valid="n_seen")
    return xr.merge(
        [error, observed_range(features, baseline), covered], join="exact", compat="no_conflicts"
    )


def test_certainty_in_any_chunks_and_lazily(features, raise_if_dask_computes):
    eager = certainty(features, fit_baseline(features))
    lazy_features = features.chunk(y=4, x=5)
    with raise_if_dask_computes():
        lazy = certainty(lazy_features, fit_baseline(lazy_features))
    xr.testing.assert_identical(lazy.compute(scheduler="threads"), eager)


def test_range_error_and_coverage_tell_how_sure_a_season_is(features):
    features[0, 12:, 0, 0] = NODATA_DN  # the first months only
    baseline = fit_baseline(features, min_observations=8)
    found = certainty(features, baseline).isel(feature=0)
    within = (found.residual_low < 0) & (found.residual_high > 0)
    assert within.all()
    spread = found.residual_high - found.residual_low
    assert float(spread.isel(y=slice(1, None)).median()) == pytest.approx(2 * 1.28 * 150, rel=0.1)
    assert found.span_days[0, 0] <= 11 * 12
    assert found.season_coverage[0, 0] < 0.5
    assert (found.season_coverage[1:] == 1).all()
    seen = baseline["n_valid"].isel(feature=0)
    np.testing.assert_array_equal(found.n_seen, seen)
    # Of n observations and six coefficients, on average σ·√(6/n) along the curve.
    typical = baseline["sigma"].isel(feature=0) * np.sqrt(6 / seen)
    ratio = (found.prediction_error.mean("time") / typical).isel(y=slice(1, None))
    assert 0.9 < float(ratio.median()) < 2.5


def test_joint_baseline_is_the_joint_kernel_in_any_chunks(features, raise_if_dask_computes):
    eager = fit_baseline_jointly(features)
    with raise_if_dask_computes():
        lazy = fit_baseline_jointly(features.chunk(y=4, x=5))
    xr.testing.assert_identical(lazy.compute(scheduler="threads"), eager)
    days = TIMES.to_numpy().astype("datetime64[D]").astype(int)
    axis = TimeAxis.over(days[0], days[-1])
    fit = fit_joint(features.to_numpy(), days, axis, min_observations=12)
    np.testing.assert_array_equal(eager["coefficients"], fit.coefficients)
    seen = (features != NODATA_DN).all("feature").sum("time")
    assert (eager["n_valid"] == seen).all()
