"""What is drawn, read back from the artists; pictures are looked at by people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.dates import date2num, num2date
from matplotlib.figure import Figure

from cvlarray.baseline import fit_baseline, predict
from cvlarray.monitor import monitor, start, update
from cvlarray.names import NODATA_DN
from cvlarray.plots import explore_pixel, plot_map, plot_pixel

CUT = pd.Timestamp("2019-07-01")
PLACE = {"y": 1, "x": 2}


@pytest.fixture(scope="module")
def forest():
    """Return features, baseline and detections of a forest of which the left half is cut."""
    rng = np.random.default_rng(3)
    times = pd.date_range("2016-01-01", "2020-06-30", freq="10D")
    season = np.cos(2 * np.pi * times.dayofyear / 365.25).to_numpy()[:, None, None]
    ndvi = 7_500 - 800 * season + rng.normal(0, 200, (times.size, 6, 8))
    ndvi[np.asarray(times >= CUT), :, :4] -= 3_000
    ndvi[rng.random(ndvi.shape) < 0.3] = NODATA_DN
    coords = {
        "feature": ["ndvi"],
        "time": times,
        "y": 100.0 - 10 * np.arange(6),
        "x": 10.0 * np.arange(8),
    }
    dims = ("feature", "time", "y", "x")
    features = xr.DataArray(np.rint(ndvi).astype(np.int16)[None], coords, dims, name="features")
    baseline = fit_baseline(features, history=slice("2016-01-01", "2018-12-31"))
    found = monitor(features.sel(time=slice("2019-01-01", None)), baseline)
    return features, baseline, found


def artists(axes):
    observed, flagged = axes.collections[-2:]
    (curve, *dates) = axes.lines
    return observed, flagged, curve, dates


def test_observations_are_all_there_and_flagged_by_the_band(forest):
    features, baseline, found = forest
    pixel = features.sel(feature="ndvi").isel(PLACE)
    observed, flagged, *_ = artists(plot_pixel(pixel, baseline, found))
    drawn = np.concatenate([observed.get_offsets(), flagged.get_offsets()])
    seen = pixel[pixel != NODATA_DN]
    expected = np.stack([date2num(seen["time"].to_numpy()), seen.to_numpy() / 1e4], axis=1)
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(expected, axis=0))
    after = num2date(flagged.get_offsets()[:, 0])
    n_cut = int((seen["time"] >= CUT).sum())
    assert sum(one.replace(tzinfo=None) >= CUT for one in after) == n_cut > 15
    assert len(after) < n_cut + 6


def test_curve_and_band_are_the_season(forest):
    features, baseline, found = forest
    pixel = features.sel(feature="ndvi").isel(PLACE)
    axes = plot_pixel(pixel, baseline, found, half_width=3)
    *_, curve, _ = artists(axes)
    times = pd.DatetimeIndex(curve.get_xdata())
    expected = predict(baseline, times).isel(PLACE | {"feature": 0}) / 1e4
    np.testing.assert_allclose(curve.get_ydata(), expected, rtol=1e-6)
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    sigma = max(float(baseline["sigma"].isel(PLACE | {"feature": 0})), 200) / 1e4
    assert edges.max() == pytest.approx(float(expected.max()) + 3 * sigma, rel=1e-5)
    assert edges.min() == pytest.approx(float(expected.min()) - 3 * sigma, rel=1e-5)


def test_dates_of_the_change(forest):
    features, baseline, found = forest
    axes = plot_pixel(features.sel(feature="ndvi").isel(PLACE), baseline, found)
    *_, dates = artists(axes)
    expected = [found[name].isel(PLACE).item() for name in ("first_flagged", "confirmed")]
    assert [line.get_xdata()[0] for line in dates] == expected
    interval = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    begin, end = (found[n].isel(PLACE).item() for n in ("interval_start", "interval_end"))
    assert (interval.x0, interval.x1) == pytest.approx((begin, end))


def test_where_nothing_changed_there_are_no_dates(forest):
    features, baseline, found = forest
    axes = plot_pixel(features.sel(feature="ndvi").isel(y=1, x=6), baseline, found)
    assert len(axes.lines) == 1
    assert not axes.patches


def test_a_state_is_a_season_too_and_axes_of_ones_own(forest):
    features, baseline, _ = forest
    state = update(start(baseline), features.sel(time=slice("2019-01-01", None)))
    axes = Figure().subplots()
    assert plot_pixel(features.sel(feature="ndvi").isel(PLACE), state, axes=axes) is axes


def test_more_than_a_pixel(forest):
    with pytest.raises(ValueError, match=r"one feature, got .*choose with features\.sel"):
        plot_pixel(forest[0], forest[1])


def drawn(axes):
    (image,) = axes.images
    return image, np.ma.filled(image.get_array().astype(float), np.nan)


@pytest.mark.parametrize("name", ["n_valid", "sigma"])
def test_maps_of_a_baseline(forest, name):
    variable = forest[1][name].isel(feature=0)
    axes = plot_map(variable)
    image, values = drawn(axes)
    np.testing.assert_allclose(values, variable)
    assert image.get_extent() == [-5, 75, 45, 105]
    label = axes.figure.axes[1].get_ylabel().replace("\n", " ")
    assert label.startswith(variable.attrs["long_name"])
    assert ("[1e-4]" in label) == (name == "sigma")


@pytest.mark.parametrize("name", ["magnitude", "confidence"])
def test_maps_of_detections_leave_out_what_did_not_change(forest, name):
    _, values = drawn(plot_map(forest[2][name].chunk(y=2)))
    np.testing.assert_allclose(values, forest[2][name])
    assert np.isnan(values[:, 4:]).mean() > 0.9


def test_dates_stored_and_decoded_are_the_same_map(forest):
    stored = forest[2]["first_flagged"]
    decoded = xr.decode_cf(
        stored.assign_attrs(_FillValue=np.int32(-1)).to_dataset(), decode_coords=False
    )["first_flagged"]
    (_, one), (_, other) = (drawn(plot_map(variable)) for variable in (stored, decoded))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, np.where(stored >= 0, stored, np.nan))


def test_nothing_to_draw_is_a_grey_map(forest):
    image, values = drawn(plot_map(forest[2]["magnitude"] * np.nan))
    assert np.isnan(values).all()
    assert image.cmap.get_bad()[:3] == pytest.approx((0.925, 0.925, 0.925), abs=0.01)


def test_more_than_a_map(forest):
    with pytest.raises(ValueError, match=r"draws \(y, x\), got .*baseline\.sigma\.sel"):
        plot_map(forest[1]["sigma"])


def test_an_interactive_plot_holds_the_same_observations_and_dates(forest):
    hv = pytest.importorskip("holoviews", reason="pip install 'cvlarray[interactive]'")
    features, baseline, found = forest
    pixel = features.sel(feature="ndvi").isel(PLACE)
    overlay = explore_pixel(pixel, baseline, found)
    points = overlay.traverse(lambda one: one.dframe(), [hv.Scatter])
    drawn = pd.concat(points).sort_values("time")
    seen = pixel[pixel != NODATA_DN]
    np.testing.assert_array_equal(drawn["time"].to_numpy(), seen["time"].to_numpy())
    np.testing.assert_allclose(drawn["value"], seen.to_numpy() / 1e4)
    expected = predict(baseline.isel(y=[1], x=[2]), seen["time"].to_numpy()).squeeze() / 1e4
    np.testing.assert_allclose(drawn["expected"], expected, rtol=1e-5)
    n_flagged = len(overlay.traverse(lambda one: one, [hv.Scatter])[1])
    _, flagged, *_ = artists(plot_pixel(pixel, baseline, found))
    assert n_flagged == len(flagged.get_offsets())
    lines = overlay.traverse(lambda one: one.data, [hv.VLine])
    days = [int(found[name].isel(PLACE)) for name in ("first_flagged", "confirmed")]
    assert [int(day.value // 86_400_000_000_000) for day in lines] == days
