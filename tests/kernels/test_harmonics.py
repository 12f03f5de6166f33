from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.kernels.harmonics import fit_ols, fit_robust, predict
from cvlarray.kernels.season import TimeAxis, design_matrix
from tests.kernels.twin import NODATA, least_squares, robust_twin

AXIS = TimeAxis.over(16_000, 17_095)
N_DATES = 120
DAYS = np.sort(np.random.default_rng(7).choice(np.arange(16_000, 17_096), N_DATES, replace=False))
DESIGN = design_matrix(DAYS, AXIS)


def simulate(n_pixels, seed=0, missing=0.6, outliers=0.06, noise=100.0):
    """Return series (time, pixel) int16 of known seasons, with gaps and clouds that got through."""
    rng = np.random.default_rng(seed)
    truth = np.array([3000, 100, 300, 200, 100, 50])[:, None] * rng.normal(1, 0.3, (6, n_pixels))
    series = DESIGN.T @ truth + rng.normal(0, noise, (N_DATES, n_pixels))
    series += (rng.random(series.shape) < outliers) * rng.normal(1500, 1000, series.shape)
    series[rng.random(series.shape) < missing] = NODATA
    return np.rint(series).astype(np.int16)


def curve(coefficients):
    return DESIGN.T @ coefficients.astype(np.float64)


def test_ols_equals_normal_equations():
    series = simulate(20_000)
    fit = fit_ols(series, DAYS, AXIS)
    assert np.abs(curve(fit.coefficients) - curve(least_squares(series, DESIGN))).max() <= 0.05


def test_ols_sigma_is_the_residual_standard_error():
    series = simulate(300)
    fit = fit_ols(series, DAYS, AXIS)
    residual = np.where(series == NODATA, np.nan, series - curve(least_squares(series, DESIGN)))
    expected = np.sqrt(np.nansum(residual**2, axis=0) / (fit.n_valid - 6.0))
    np.testing.assert_allclose(fit.sigma, expected, rtol=1e-4)


def test_robust_equals_its_schedule_in_float64():
    series = simulate(4_000)
    fit = fit_robust(series, DAYS, AXIS)
    coefficients, sigma = robust_twin(series, DESIGN)
    off = np.abs(curve(fit.coefficients) - curve(coefficients))
    assert np.percentile(off, 99) <= 0.01
    np.testing.assert_allclose(fit.sigma, sigma, rtol=3e-3)


def test_robust_is_close_to_a_converged_tukey_fit():
    series = simulate(150)
    fit = fit_robust(series, DAYS, AXIS)
    off = []
    for pixel in range(series.shape[1]):
        seen = series[:, pixel] != NODATA
        model = sm.RLM(
            series[seen, pixel].astype(float), DESIGN.T[seen], M=sm.robust.norms.TukeyBiweight()
        )
        converged = DESIGN.T @ model.fit(maxiter=200).params
        off.append(np.abs(curve(fit.coefficients[:, pixel]) - converged) / fit.sigma[pixel])
    assert np.percentile(off, 50) <= 0.1


def test_outliers_hardly_move_the_robust_curve():
    clean = simulate(2_000, outliers=0)
    dirty = simulate(2_000, outliers=0.06)
    truth = curve(least_squares(clean, DESIGN))

    def error(fit):
        return np.sqrt(np.mean((curve(fit(dirty, DAYS, AXIS).coefficients) - truth) ** 2))

    assert error(fit_robust) < 0.25 * error(fit_ols)


def test_sigma_is_unbiased_in_short_series():
    series = simulate(5_000, missing=0.8, outliers=0)
    assert np.nanmean(fit_robust(series, DAYS, AXIS).sigma) == pytest.approx(100, rel=0.04)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_other_orders(order):
    series = simulate(200, outliers=0)
    fit = fit_ols(series, DAYS, AXIS, harmonic_order=order, min_observations=2 + 2 * order)
    design = design_matrix(DAYS, AXIS, harmonic_order=order)
    for pixel in (0, 99, 199):
        seen = series[:, pixel] != NODATA
        expected = np.linalg.lstsq(design.T[seen], series[seen, pixel].astype(float), rcond=None)[0]
        np.testing.assert_allclose(fit.coefficients[:, pixel], expected, atol=0.05)


@pytest.mark.parametrize("fit", [fit_ols, fit_robust])
class TestAnyFit:
    def test_any_split_of_the_pixels_gives_the_same_bits(self, fit):
        series = simulate(1_000)
        whole = fit(series, DAYS, AXIS)
        for cuts in ([1], [255, 257], [3, 500, 999]):
            parts = [fit(part, DAYS, AXIS) for part in np.split(series, cuts, axis=1)]
            joined = [np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)]
            for one, other in zip(whole, joined, strict=True):
                np.testing.assert_array_equal(one, other)

    def test_threads_give_the_same_bits(self, fit):
        series = simulate(1_024)
        whole = fit(series, DAYS, AXIS)
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(fit, part, DAYS, AXIS) for part in np.split(series, 8, axis=1)]
            joined = np.concatenate([job.result().coefficients for job in jobs], axis=-1)
        np.testing.assert_array_equal(whole.coefficients, joined)

    def test_shape_is_that_of_the_pixels(self, fit):
        series = simulate(60)
        cube = fit(series.reshape(N_DATES, 3, 20), DAYS, AXIS)
        assert cube.coefficients.shape == (6, 3, 20)
        assert cube.sigma.shape == cube.n_valid.shape == (3, 20)
        flat = fit(series, DAYS, AXIS)
        np.testing.assert_array_equal(cube.coefficients.reshape(6, -1), flat.coefficients)

    def test_order_of_dates_changes_nothing(self, fit):
        series = simulate(300)
        order = np.random.default_rng(3).permutation(N_DATES)
        straight, mixed = fit(series, DAYS, AXIS), fit(series[order], DAYS[order], AXIS)
        np.testing.assert_allclose(mixed.coefficients, straight.coefficients, atol=0.02)

    @settings(max_examples=10)
    @given(shift=st.integers(-9_000, 9_000))
    def test_shift_moves_the_level_alone(self, fit, shift):
        series = simulate(100)
        moved = np.where(series == NODATA, series, series + np.int16(shift)).astype(np.int16)
        before, after = fit(series, DAYS, AXIS), fit(moved, DAYS, AXIS)
        expected = before.coefficients.copy()
        expected[0] += shift
        np.testing.assert_allclose(after.coefficients, expected, atol=0.02)
        np.testing.assert_allclose(after.sigma, before.sigma, rtol=1e-3)

    def test_scale_scales(self, fit):
        series = simulate(100)
        tripled = np.where(series == NODATA, series, 3 * series).astype(np.int16)
        before, after = fit(series, DAYS, AXIS), fit(tripled, DAYS, AXIS)
        np.testing.assert_allclose(after.coefficients, 3 * before.coefficients, atol=0.05)
        np.testing.assert_allclose(after.sigma, 3 * before.sigma, rtol=1e-3)

    def test_missing_dates_change_nothing(self, fit):
        series = simulate(300)
        empty = np.full((5, 300), NODATA, np.int16)
        more = np.concatenate([series, empty])
        days = np.concatenate([DAYS, [16_001, 16_500, 16_900, 17_001, 17_003]])
        for one, other in zip(fit(series, DAYS, AXIS), fit(more, days, AXIS), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_too_few_observations_are_nan(self, fit):
        series = np.full((N_DATES, 4), NODATA, np.int16)
        series[:1, 1], series[:11, 2], series[:12, 3] = 500, 500, 500
        result = fit(series, DAYS, AXIS, min_observations=12)
        assert result.n_valid.tolist() == [0, 1, 11, 12]
        assert np.isnan(result.coefficients[:, :3]).all()
        assert np.isnan(result.sigma[:3]).all()
        assert np.isfinite(result.coefficients[:, 3]).all()

    @pytest.mark.parametrize("value", [0, 4_321, 32_767, -32_767])
    def test_constant_series(self, fit, value):
        series = np.full((N_DATES, 2), value, np.int16)
        result = fit(series, DAYS, AXIS)
        np.testing.assert_array_equal(result.coefficients[:, 0], [value, 0, 0, 0, 0, 0])
        assert result.sigma[0] == 0

    def test_saturated_observations_do_no_harm(self, fit):
        series = simulate(50, outliers=0)
        series[::9] = 32_767
        assert np.isfinite(fit(series, DAYS, AXIS).coefficients).all()

    def test_one_season_only_stays_finite(self, fit):
        series = simulate(100, missing=0, outliers=0)
        series[np.cos(2 * np.pi * DAYS / 365.2425) < 0.9] = NODATA
        result = fit(series, DAYS, AXIS)
        observed = series != NODATA
        off = np.abs(curve(result.coefficients) - series)[observed]
        assert np.isfinite(result.coefficients).all()
        assert np.percentile(off, 99) < 600

    def test_wrong_dtype(self, fit):
        with pytest.raises(TypeError, match=r"takes int16 series .* got float32"):
            fit(np.zeros((N_DATES, 3), np.float32), DAYS, AXIS)

    def test_wrong_dates(self, fit):
        with pytest.raises(ValueError, match="one of 119 days a row, got"):
            fit(simulate(3), DAYS[1:], AXIS)

    def test_minimum_below_the_coefficients(self, fit):
        with pytest.raises(ValueError, match="at least the model's 6 coefficients, got 5"):
            fit(simulate(3), DAYS, AXIS, min_observations=5)


def test_masked_values_never_matter():
    # The int16 that stands for missing is the only one the kernel may treat so.
    series = simulate(200)
    garbage = series.copy()
    is_valid = series != NODATA
    fit = fit_robust(series, DAYS, AXIS)
    garbage[~is_valid] = np.random.default_rng(5).integers(-30_000, 30_000, (~is_valid).sum())
    masked = np.where(is_valid, garbage, NODATA).astype(np.int16)
    np.testing.assert_array_equal(fit_robust(masked, DAYS, AXIS).coefficients, fit.coefficients)
    assert not np.array_equal(fit_robust(garbage, DAYS, AXIS).coefficients, fit.coefficients)


def test_prediction_is_the_curve():
    coefficients = simulate(6, missing=0).astype(np.float32)[:6].reshape(6, 2, 3)
    predicted = predict(coefficients, DAYS, AXIS)
    expected = np.einsum("kt,kyx->tyx", DESIGN, coefficients.astype(np.float64))
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=0.01)


def test_prediction_of_no_model_is_nan():
    assert np.isnan(predict(np.full((6, 2), np.nan, np.float32), DAYS, AXIS)).all()
