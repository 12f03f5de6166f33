import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.baseline import fit_baseline, is_forest
from cvlarray.features import FEATURES, feature_cube
from cvlarray.masking import is_clear
from cvlarray.monitor import (
    Consecutive,
    measure_dates,
    monitor,
    reference_pixels,
    standardised_residual,
)
from cvlarray.names import DETECTION_VARIABLES, NODATA_DN
from tests import romania

HISTORY, MONITORING = slice("2016", "2018"), slice("2019", "2020")
CUT = pd.Timestamp("2019-07-01")


@pytest.fixture(scope="module")
def square():
    """Return features of a forest in which one corner is cut, and one date is hazy."""
    rng = np.random.default_rng(2)
    times = pd.date_range("2016-01-01", "2020-12-31", freq="10D")
    season = np.cos(2 * np.pi * times.dayofyear / 365.25).to_numpy()[:, None, None]
    ndvi = 7_500 - 800 * season + rng.normal(0, 200, (times.size, 40, 50))
    red = 400 + 50 * season + rng.normal(0, 40, (times.size, 40, 50))
    after = np.asarray(times >= CUT)
    ndvi[after, :8, :10] -= 3_000
    red[after, :8, :10] += 500
    haze = times.get_indexer([pd.Timestamp("2019-04-01")], method="nearest")[0]
    ndvi[haze] -= 2_500
    red[haze] += 600
    values = np.stack([ndvi, red])
    values[:, rng.random((times.size, 40, 50)) < 0.4] = NODATA_DN
    coords = {
        "feature": ["ndvi", "red"],
        "time": times,
        "y": np.arange(40.0)[::-1],
        "x": np.arange(50.0),
        "spatial_ref": 32719,
    }
    dims = ("feature", "time", "y", "x")
    return xr.DataArray(np.rint(values).astype(np.int16), coords, dims, name="features")


DEFAULT = Consecutive()


def detect(features, detector=DEFAULT):
    """Run the stages as a notebook would."""
    baseline = fit_baseline(features, history=HISTORY)
    forest = is_forest(baseline)
    watched = features.sel(time=MONITORING)
    dates = measure_dates(watched, baseline, forest)
    return monitor(watched, baseline, dates=dates, is_forest=forest, detector=detector)


def days_since_1970(date):
    return pd.Timestamp(date).to_datetime64().astype("datetime64[D]").astype(int)


def test_planted_clearing_comes_back(square):
    detections = detect(square)
    changed = detections["first_flagged"] >= 0
    assert changed[:8, :10].all()
    assert changed.sum() == 80
    first = detections["first_flagged"][:8, :10]
    assert (first >= days_since_1970(CUT)).all()
    assert (first <= days_since_1970(CUT) + 120).all()
    assert (detections["confirmed"][:8, :10] > first).all()
    assert (detections["interval_start"][:8, :10] < days_since_1970(CUT)).all()
    assert (detections["interval_end"][:8, :10] == first).all()
    assert (detections["confidence"][:8, :10] > 0.99).all()
    assert (detections["magnitude"][:8, :10] > 5).all()


def test_hazy_date_raises_nothing(square):
    hazy = detect(square, Consecutive(count=1))["first_flagged"]
    baseline = fit_baseline(square, history=HISTORY)
    alone = monitor(square.sel(time=MONITORING), baseline, detector=Consecutive(count=1))
    haze = days_since_1970(square.sel(time="2019-04-01", method="nearest")["time"].item())
    assert (hazy == haze).mean() < 0.02
    assert (alone["first_flagged"] == haze).mean() > 0.4


def test_forest_that_is_gone_is_no_measure_of_a_date(square):
    # Some is cut in spring and some in summer: then most of what was forest is gone.
    loss = xr.DataArray(np.array([-3_000, 500], np.int16), {"feature": ["ndvi", "red"]}, "feature")
    is_cut = [
        (square["time"] >= pd.Timestamp(day)) & (square["x"] >= low) & (square["x"] < high)
        for day, low, high in (("2019-03-01", 0, 17), ("2019-07-01", 17, 28))
    ]
    cut = square.where((square == NODATA_DN) | ~(is_cut[0] | is_cut[1]), square + loss)
    cut = cut.astype(np.int16)
    detections = detect(cut)
    changed = (detections["confirmed"] >= 0).isel(y=slice(8, None))
    assert changed[:, :28].mean() > 0.99
    assert changed[:, 28:].mean() < 0.01


def test_variables_are_those_declared(square):
    detections = detect(square)
    assert set(detections.data_vars) == {variable.name for variable in DETECTION_VARIABLES}
    for variable in DETECTION_VARIABLES:
        found = detections[variable.name]
        assert found.dims == ("y", "x")
        assert found.dtype == variable.dtype
        assert found.attrs == dict(variable.attrs)
    assert set(detections.coords) == {"y", "x", "spatial_ref"}


@settings(max_examples=5)
@given(y=st.integers(5, 40), x=st.integers(5, 50), feature=st.integers(1, 2))
def test_any_chunks_give_the_same_bits(square, y, x, feature):
    lazy = detect(square.chunk(feature=feature, time=-1, y=y, x=x))
    xr.testing.assert_identical(lazy.compute(scheduler="threads"), detect(square))


def test_stays_lazy(square, raise_if_dask_computes):
    with raise_if_dask_computes():
        lazy = detect(square.chunk(time=-1, y=20))
    assert lazy["confirmed"].chunks is not None


def test_same_graph_every_time(square):
    one, other = (detect(square.chunk(time=-1, y=20))["confirmed"] for _ in range(2))
    assert one.data.name == other.data.name


def test_blocks_with_the_tiles_dates_make_the_whole(square):
    baseline = fit_baseline(square, history=HISTORY)
    watched = square.sel(time=MONITORING)
    dates = measure_dates(watched, baseline, is_forest(baseline))
    whole = monitor(watched, baseline, dates=dates)
    halves = [
        monitor(watched.isel(x=part), baseline.isel(x=part), dates=dates)
        for part in (slice(0, 21), slice(21, None))
    ]
    xr.testing.assert_identical(xr.concat(halves, "x"), whole)


def test_dates_measured_on_few_pixels_are_those_of_all(square, monkeypatch):
    monkeypatch.setattr("cvlarray.monitor.dates.MAX_REFERENCE_PIXELS", 200)
    baseline = fit_baseline(square, history=HISTORY)
    forest = is_forest(baseline)
    watched = square.sel(time=MONITORING)
    some = reference_pixels(forest.sizes)
    few = watched.isel(some)
    assert few.sizes["y"] * few.sizes["x"] <= 200
    xr.testing.assert_identical(
        measure_dates(few, baseline.isel(some), forest.isel(some)),
        measure_dates(watched, baseline, forest),
    )


def test_outside_the_forest_nothing_is_raised(square):
    baseline = fit_baseline(square, history=HISTORY)
    forest = xr.zeros_like(is_forest(baseline))
    detections = monitor(square.sel(time=MONITORING), baseline, is_forest=forest)
    assert (detections["first_flagged"] == -1).all()
    assert (detections["n_clear"] > 20).all()


def test_residual_points_to_disturbance(square):
    baseline = fit_baseline(square, history=HISTORY)
    residual = standardised_residual(square, baseline)
    cut = residual.sel(time=slice(CUT, None)).isel(y=slice(0, 8), x=slice(0, 10))
    assert (cut.median(["time", "y", "x"]) > 5).all()
    np.testing.assert_array_equal(np.isnan(residual), square == NODATA_DN)


def test_features_in_another_order(square):
    baseline = fit_baseline(square, history=HISTORY)
    watched = square.sel(time=MONITORING)
    turned = monitor(watched.isel(feature=[1, 0]), baseline)
    xr.testing.assert_identical(turned, monitor(watched, baseline))


def test_wide_regions_are_measured_on_a_grid(square, monkeypatch):
    baseline = fit_baseline(square, history=HISTORY)
    forest = is_forest(baseline)
    watched = square.sel(time=MONITORING)
    whole = measure_dates(watched, baseline, forest)
    monkeypatch.setattr("cvlarray.monitor.dates.MAX_REFERENCE_PIXELS", 500)
    thinned = measure_dates(watched, baseline, forest)
    assert not thinned.identical(whole)
    np.testing.assert_allclose(thinned["date_offset"], whole["date_offset"], atol=0.5)


def test_time_in_chunks(square):
    baseline = fit_baseline(square, history=HISTORY)
    with pytest.raises(ValueError, match=r"time must be one chunk to monitor, got \d+; rechunk"):
        monitor(square.chunk(time=10), baseline)


def test_time_out_of_order(square):
    baseline = fit_baseline(square, history=HISTORY)
    with pytest.raises(ValueError, match=r"time must increase .*sortby"):
        monitor(square.isel(time=slice(None, None, -1)), baseline)


def test_dates_of_another_period(square):
    baseline = fit_baseline(square, history=HISTORY)
    dates = measure_dates(square.sel(time="2019"), baseline, is_forest(baseline))
    with pytest.raises(ValueError, match=r"dates must be those of features, got \d+ for \d+"):
        monitor(square.sel(time="2020"), baseline, dates=dates)


def test_baseline_of_other_features(square):
    baseline = fit_baseline(square.isel(feature=[0]), history=HISTORY)
    with pytest.raises(ValueError, match="the baseline has ndvi, but not red; fit it to them too"):
        monitor(square, baseline)


def test_feature_of_ones_own(square):
    baseline = fit_baseline(square, history=HISTORY)
    named = {"feature": ["greenness", "redness"]}
    mine = {"greenness": FEATURES["ndvi"], "redness": FEATURES["red"]}
    found = monitor(square.assign_coords(named), baseline.assign_coords(named), definitions=mine)
    xr.testing.assert_identical(found, monitor(square, baseline))
    with pytest.raises(ValueError, match="no feature is called greenness"):
        monitor(square.assign_coords(named), baseline.assign_coords(named))


# Real forest in Romania: the same defaults at 10 m and at 20 m, on one half and on the other.


@pytest.fixture(scope="module", params=[10, 20])
def romanian(request):
    cube = romania.load(request.param)
    features = feature_cube(cube, is_clear(cube["scl"]), ["ndvi", "red"])
    baseline = fit_baseline(features, history=romania.HISTORY)
    forest = is_forest(baseline)
    watched = features.sel(time=romania.MONITORING)
    dates = measure_dates(watched, baseline, forest)
    west = np.zeros(forest.shape, bool)
    west[:, : forest.shape[1] // 2] = True
    truth = romania.truth(cube)

    def score(detector=DEFAULT, within=None):
        found = monitor(watched, baseline, dates=dates, is_forest=forest, detector=detector)
        return romania.evaluate(found, truth, within)

    return request.param, truth, score, west


def test_truth_is_that_of_the_campaigns(romanian):
    resolution_m, truth, _, _ = romanian
    if resolution_m == 10:
        assert truth.campaign_a.sum() == 416
        assert truth.campaign_b.sum() == pytest.approx(267, abs=2)


def test_real_clearings_are_found_and_dated(romanian):
    *_, score, _ = romanian
    assert romania.meets(score()), score()


def test_threshold_chosen_in_the_west_holds_in_the_east(romanian):
    resolution_m, _, score, west = romanian
    thresholds = np.arange(1.5, 3.26, 0.25)
    fit = [one for one in thresholds if romania.meets(score(Consecutive(one), west))]
    if resolution_m == 10:  # what chose the default
        lower, upper = np.percentile(fit, [25, 75])
        assert lower <= DEFAULT.threshold <= upper
    assert DEFAULT.threshold in fit
    assert romania.meets(score(within=~west)), score(within=~west)


# A real series of Harmonised Landsat and Sentinel-2 (Sichuan), logged between two dates.


@pytest.fixture(scope="module")
def logged(external_data):
    files = sorted((external_data / "pyxccd_series").glob("7_logging_hls_w*.csv"))
    table = pd.concat([pd.read_csv(one) for one in files]).drop_duplicates("dates")
    table = table.sort_values("dates")
    names = {"Red": "red", "NIR": "nir", "SWIR1": "swir16", "SWIR2": "swir22"}
    times = pd.to_datetime(table["dates"] - 719_163, unit="D")
    coords = {"time": times.to_numpy(), "y": [0], "x": [0]}
    bands = {
        name: (("time", "y", "x"), table[key].to_numpy(np.int16)[:, None, None])
        for key, name in names.items()
    }
    cube = xr.Dataset(bands, coords)
    clear = cube["red"].copy(data=table["qa"].isin([0, 1]).to_numpy()[:, None, None])
    return cube, clear


@pytest.mark.external_data
@pytest.mark.parametrize(
    "names", [["ndvi", "red"], ["nbr", "red"], ["ndvi", "nbr", "ndmi"], ["nbr"], ["red", "swir16"]]
)
def test_logging_is_dated_to_the_day(logged, names):
    features = feature_cube(*logged, names)
    baseline = fit_baseline(features, history=slice("2020-01-01", "2022-12-31"))
    found = monitor(features.sel(time=slice("2023-01-01", None)), baseline).isel(y=0, x=0)
    dates = {
        name: np.datetime64(int(found[name]), "D").item().isoformat()
        for name in ("interval_start", "interval_end", "first_flagged", "confirmed")
    }
    assert dates["first_flagged"] == dates["interval_end"] == "2024-04-08"
    assert dates["interval_start"] == "2024-03-29"
    assert dates["confirmed"] == "2024-04-23"
    assert found["confidence"] > 0.99
