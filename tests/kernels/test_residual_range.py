import numpy as np
import pytest

from cvlarray.kernels.harmonics import fit_robust
from cvlarray.kernels.residual_range import residual_range
from cvlarray.kernels.season import TimeAxis, design_matrix

NODATA = -32_768
DAYS = np.arange(16_000, 17_461, 5)
AXIS = TimeAxis.over(DAYS[0], DAYS[-1])
DESIGN = design_matrix(DAYS, AXIS)
SEASON = DESIGN.T @ np.array([5000, 100, 600, -300, 100, 50])


def observe(noise, missing=0.6, seed=1):
    series = SEASON[:, None] + noise
    series[np.random.default_rng(seed).random(series.shape) < missing] = NODATA
    return np.rint(series).astype(np.int16)


def range_of(series):
    fit = fit_robust(series, DAYS, AXIS, min_observations=7)
    return fit, residual_range(series, DAYS, fit.coefficients, fit.sigma, AXIS)


def test_equals_its_definition():
    rng = np.random.default_rng(0)
    series = observe(rng.gamma(2, 100, (DAYS.size, 300)))
    fit, found = range_of(series)
    residual = np.where(series == NODATA, np.nan, series - DESIGN.T @ fit.coefficients)
    for pixel in range(0, 300, 23):
        own = np.sort(residual[np.isfinite(residual[:, pixel]), pixel])
        n = own.size
        rank = max(int(np.rint(0.1 * n + 0.5)), 1)
        wider, weight = np.sqrt(n / (n - 6)), n / (n + 6)
        for ranked, gaussian, ours in ((own[rank - 1], -1, found.low), (own[-rank], 1, found.high)):
            expected = (
                weight * wider * ranked + (1 - weight) * gaussian * 1.28155 * fit.sigma[pixel]
            )
            assert ours[pixel] == pytest.approx(expected, abs=2e-3 * float(fit.sigma[pixel]))


def test_skewed_noise_has_a_lopsided_range():
    noise = np.random.default_rng(2).gamma(1, 150, (DAYS.size, 2_000))
    fit, found = range_of(observe(noise))
    low, high = np.median(found.low), np.median(found.high)
    assert high > 1.5 * -low
    shift = np.median(fit.coefficients[0]) - 5000  # the robust curve sits at the noise's bulk
    assert low == pytest.approx(np.quantile(noise, 0.1) - shift, abs=15)
    assert high == pytest.approx(np.quantile(noise, 0.9) - shift, abs=25)


@pytest.mark.parametrize("missing", [0.6, 0.93])
def test_four_fifths_of_new_observations_lie_within(missing):
    rng = np.random.default_rng(3)
    fit, found = range_of(observe(rng.normal(0, 200, (DAYS.size, 3_000)), missing))
    new = SEASON[:, None] + rng.normal(0, 200, (DAYS.size, 3_000))
    # Where dates are few the curve itself is uncertain: only the range is on trial.
    expected = DESIGN.T @ fit.coefficients if missing < 0.9 else SEASON[:, None]
    off = new - expected
    with np.errstate(invalid="ignore"):
        within = (off > found.low) & (off < found.high)
    assert within[:, np.isfinite(found.low)].mean() == pytest.approx(0.8, abs=0.04)


def test_clouds_hardly_widen_it():
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 200, (DAYS.size, 1_000))
    clean = range_of(observe(noise.copy()))[1]
    noise[rng.random(noise.shape) < 0.04] += 6_000
    cloudy = range_of(observe(noise))[1]
    assert np.median(cloudy.high / clean.high) < 1.3
    assert np.median(cloudy.low / clean.low) == pytest.approx(1, abs=0.1)


def test_split_of_pixels_missing_and_no_model():
    series = observe(np.random.default_rng(5).normal(0, 100, (DAYS.size, 600)))
    series[:, :2] = NODATA
    whole = range_of(series)[1]
    assert np.isnan(whole.low[:2]).all()
    parts = [range_of(part)[1] for part in np.split(series, [1, 300], axis=1)]
    for number, array in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[number] for part in parts]), array)
