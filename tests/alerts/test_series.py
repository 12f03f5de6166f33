"""The series of an alert, with a season and a drop that are known."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from cvlarray.alerts import AlertSeries, alert_series
from cvlarray.baseline import fit_baseline, predict

# odc-geo multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

GRID = GeoBox((12, 12), Affine(10, 0, 350_000, 0, -10, 8_560_000), "EPSG:32719")
TIMES = pd.date_range("2020-01-01", "2024-12-31", freq="10D")
START = dt.date(2024, 1, 1)
CHANGE = pd.Timestamp("2024-05-01")
INSIDE = np.s_[4:7, 5:9]


def season(times: pd.DatetimeIndex) -> np.ndarray:
    days = times.to_numpy().astype("datetime64[D]").astype(np.int64)
    return 7000 + 800 * np.cos(2 * np.pi * days / 365.2425)


@pytest.fixture
def features() -> xr.DataArray:
    rng = np.random.default_rng(0)
    values = np.empty((2, len(TIMES), 12, 12), np.int16)
    values[0] = season(TIMES)[:, None, None] + rng.normal(0, 100, values.shape[1:])
    values[1] = 300
    values[0, TIMES >= CHANGE, *INSIDE] = 2000
    coords = {**xr_coords(GRID), "time": TIMES, "feature": ["ndvi", "red"]}
    return xr.DataArray(values, dims=("feature", "time", "y", "x"), coords=coords)


@pytest.fixture
def baseline(features: xr.DataArray) -> xr.Dataset:
    return fit_baseline(features, history=slice("2020-01-01", "2023-12-31"))


@pytest.fixture
def alert() -> pd.Series:
    box = shapely.box(350_050, 8_560_000 - 70, 350_090, 8_560_000 - 40)
    return pd.Series(
        {
            "event_id": "20240505-abc",
            "geometry": gpd.GeoSeries([box], crs=32719).to_crs(4326).iloc[0],
            "first_detected": pd.Timestamp("2024-05-09"),
            "confirmed": pd.Timestamp("2024-06-08"),
        }
    )


def series_of(features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series) -> AlertSeries:
    return alert_series(
        features, baseline, alert, geobox=GRID, feature="ndvi", monitoring_start=START
    )


def test_the_curve_is_the_season_and_the_observations_leave_it(
    features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series
) -> None:
    series = series_of(features, baseline, alert)
    days = pd.DatetimeIndex(series.curve_dates)
    assert series.expected == pytest.approx(season(days) / 10_000, abs=0.02)
    is_before = series.dates < CHANGE.to_datetime64()
    assert series.observed[is_before] == pytest.approx(season(TIMES)[is_before] / 10_000, abs=0.02)
    assert series.observed[~is_before] == pytest.approx(0.2)


def test_the_band_is_three_deviations_and_never_below_the_noise_floor(
    features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series
) -> None:
    series = series_of(features, baseline, alert)  # sigma is 0.01, the floor of NDVI 0.02
    assert series.upper - series.lower == pytest.approx(6 * 0.02, abs=1e-5)
    baseline["sigma"] = baseline["sigma"] * 0 + 400
    series = series_of(features, baseline, alert)
    assert series.upper - series.expected == pytest.approx(3 * 0.04, abs=1e-5)


def test_it_says_whose_it_is(
    features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series
) -> None:
    series = series_of(features, baseline, alert)
    assert (series.event_id, series.feature) == ("20240505-abc", "ndvi")
    assert (series.first_detected, series.confirmed) == (dt.date(2024, 5, 9), dt.date(2024, 6, 8))
    assert series.monitoring_start == START
    assert series.dates.dtype == series.curve_dates.dtype == "datetime64[D]"
    assert series.curve_dates[0] == series.dates[0]
    assert series.curve_dates[-1] == series.dates[-1]


def test_dates_seen_by_less_than_half_of_the_pixels_are_left_out(
    features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series
) -> None:
    features.data[0, 3, *INSIDE] = -32768
    features.data[0, 5, 4:6, 5:9] = -32768  # two of three rows
    features.data[0, 7, 4, 5:9] = -32768  # one of three rows
    dates = series_of(features, baseline, alert).dates
    expected = np.delete(TIMES.to_numpy().astype("datetime64[D]"), [3, 5])
    assert (dates == expected).all()


def test_the_curve_is_the_median_of_the_pixels(
    features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series
) -> None:
    series = series_of(features, baseline, alert)
    curves = predict(baseline, series.curve_dates.astype("datetime64[ns]"))[0, :, *INSIDE]
    expected = np.median(curves.to_numpy(), axis=(1, 2)) / 10_000
    assert series.expected == pytest.approx(expected, abs=1e-6)


def test_without_a_model_there_is_no_curve(
    features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series
) -> None:
    series = series_of(features, baseline * np.float32("nan"), alert)
    assert np.isnan(series.expected).all()
    assert np.isnan(series.upper).all()


def test_chunks_do_not_matter(
    features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series
) -> None:
    eager = series_of(features, baseline, alert)
    lazy = series_of(features.chunk(time=7, y=5, x=5), baseline.chunk(y=5, x=5), alert)
    assert (eager.observed == lazy.observed).all()
    assert (eager.expected == lazy.expected).all()


def test_unknown_features_are_named(
    features: xr.DataArray, baseline: xr.Dataset, alert: pd.Series
) -> None:
    with pytest.raises(ValueError, match="one of ndvi, red, got nbr"):
        alert_series(features, baseline, alert, geobox=GRID, feature="nbr", monitoring_start=START)


def test_lengths_must_fit() -> None:
    days = np.array(["2024-01-01"], "datetime64[D]")
    values = np.zeros(2, np.float32)
    with pytest.raises(ValueError, match="observed must have one value per dates"):
        AlertSeries("a", "ndvi", days, values, days, values, values, values, START, START, START)
