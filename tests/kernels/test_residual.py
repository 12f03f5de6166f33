import numpy as np
import pytest

from cvlarray.kernels.harmonics import fit_robust, predict
from cvlarray.kernels.residual import (
    DateStatistics,
    judge,
    median_and_spread,
    standardise,
)
from cvlarray.kernels.season import TimeAxis

NODATA = -32_768
AXIS = TimeAxis.over(16_000, 17_095)
DAYS = np.arange(16_000, 17_095, 12)


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    season = 5000 + 800 * np.cos(2 * np.pi * DAYS / 365.2425)
    series = season[:, None, None] + rng.normal(0, 100, (DAYS.size, 20, 15))
    series[rng.random(series.shape) < 0.3] = NODATA
    return series.astype(np.int16)


@pytest.mark.parametrize("direction", [-1, 1])
def test_equals_observed_less_predicted(series, direction):
    fit = fit_robust(series, DAYS, AXIS)
    found = standardise(series, DAYS, *fit[:2], AXIS, direction=direction)
    expected = direction * (series - predict(fit.coefficients, DAYS, AXIS)) / fit.sigma
    is_missing = series == NODATA
    assert np.isnan(found[is_missing]).all()
    np.testing.assert_allclose(found[~is_missing], expected[~is_missing], rtol=1e-4, atol=1e-4)
    assert np.nanstd(found) == pytest.approx(1, rel=0.1)


def test_sigma_has_a_floor(series):
    fit = fit_robust(series, DAYS, AXIS)
    without = standardise(series, DAYS, *fit[:2], AXIS)
    floored = standardise(series, DAYS, *fit[:2], AXIS, sigma_floor=500)
    np.testing.assert_allclose(floored, without * fit.sigma / 500, rtol=1e-4, atol=1e-5)


def test_no_model_is_nan(series):
    coefficients = np.full((6, *series.shape[1:]), np.nan, np.float32)
    found = standardise(series, DAYS, coefficients, coefficients[0], AXIS)
    assert np.isnan(found).all()


def test_median_and_spread_of_a_date():
    residual = np.random.default_rng(0).normal(2, 3, (3, 40_000)).astype(np.float32)
    residual[1] = np.nan
    residual[2, 10:] = np.nan
    median, spread = median_and_spread(residual, min_count=11)
    np.testing.assert_allclose(median, [2, np.nan, np.nan], atol=0.1)
    np.testing.assert_allclose(spread, [3, np.nan, np.nan], rtol=0.05)


def judged(residual, offset=0.0, spread=1.0, sigma=1.0, directions=1, floors=0.0):
    """Return the joint residual of one date, and what is left of the residuals."""
    left = np.array(residual, np.float32)
    n_features = len(left)
    arrays = [np.full(n_features, one, np.float32) for one in (directions, floors, offset, spread)]
    sigmas = np.full(left.shape, sigma, np.float32)
    return judge(left, sigmas, *arrays[:2], DateStatistics(*arrays[2:])), left


def test_joint_residual_is_the_least():
    residual = [[3, 5, np.nan, 8, 8, 8], [4, 1, 9, 9, np.nan, 2]]
    joint, left = judged(residual)
    np.testing.assert_array_equal(joint, [3, 1, np.nan, 8, np.nan, 2])
    np.testing.assert_array_equal(left, residual)


def test_dates_are_shifted_and_narrowed():
    for offset, spread, expected in ((2, 2, 2), (2, 0.5, 4), (np.nan, 1, np.nan)):
        joint, left = judged([[6]], offset, spread)
        np.testing.assert_array_equal(joint, [expected])
        np.testing.assert_array_equal(left, [[6 - offset]])


def test_what_falls_is_turned_and_sigma_has_a_floor():
    joint, left = judged([[-60]], offset=1, directions=-1, sigma=10, floors=20)
    np.testing.assert_array_equal(joint, [2])
    np.testing.assert_array_equal(left, [[-40]])
