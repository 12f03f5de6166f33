"""Laws that hold for whatever is fitted, and series that have little to fit."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.kernels.coverage import observation_coverage
from cvlarray.kernels.harmonics import Prior, fit_ols, fit_robust, predict
from cvlarray.kernels.online import residuals, state_of, update
from cvlarray.kernels.residual_range import residual_range
from cvlarray.kernels.season import TimeAxis, design_matrix
from cvlarray.kernels.standard_error import standard_error

NODATA = -32_768
FIRST, LAST = (int(np.datetime64(day, "D").astype(int)) for day in ("2019-01-01", "2021-12-31"))
AXIS = TimeAxis.over(FIRST, LAST)
PRIOR = Prior(
    np.array([3000, 50, 400, 200, 80, 40], np.float32),
    np.array([0.3, 2, 1, 1, 4, 4], np.float32),
    120.0,
)
FITS = (
    fit_ols,
    fit_robust,
    partial(fit_robust, prior=PRIOR, min_observations=1),
    partial(fit_robust, harmonic_order=1, min_observations=4),
    partial(fit_robust, harmonic_order=3, min_observations=8),
)
FIT_NAMES = ("ols", "robust", "prior", "order 1", "order 3")
any_fit = pytest.mark.parametrize("fit", FITS, ids=FIT_NAMES)
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=6)


def draw(seed, n_pixels=300):
    """Return days and series (time, pixel) with any number of dates, gaps, noise and outliers."""
    rng = np.random.default_rng(seed)
    n_dates = int(rng.integers(12, 90))
    days = np.sort(rng.choice(np.arange(FIRST, LAST + 1), n_dates, replace=False))
    level = np.array([3000, 100, 500, 300, 100, 50])[:, None]
    series = design_matrix(days, AXIS).T @ (level * rng.normal(1, 0.3, (6, n_pixels)))
    series += rng.normal(0, rng.uniform(5, 300), series.shape)
    series[rng.random(series.shape) < 0.05] += rng.normal(0, 3_000)
    series[rng.random(series.shape) < rng.uniform(0, 0.97)] = NODATA
    return days, np.rint(series).astype(np.int16)


def same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@any_fit
@few
@given(seed=seeds, cuts=st.lists(st.integers(1, 299), max_size=5), n_threads=st.integers(1, 4))
def test_chunks_and_threads_give_the_same_bits(fit, seed, cuts, n_threads):
    days, series = draw(seed)
    parts = np.split(series, sorted(cuts), axis=1)
    with ThreadPoolExecutor(n_threads) as pool:
        fits = list(pool.map(lambda part: fit(part, days, AXIS), parts))
    same(fit(series, days, AXIS), [np.concatenate(one, axis=-1) for one in zip(*fits, strict=True)])


@any_fit
@few
@given(seed=seeds)
def test_order_of_dates_changes_nothing(fit, seed):
    days, series = draw(seed)
    order = np.random.default_rng(seed).permutation(days.size)
    straight, mixed = fit(series, days, AXIS), fit(series[order], days[order], AXIS)
    # Fewer can lie so that rounding decides which are outliers.
    is_sure = straight.n_valid > 3 * len(straight.coefficients)
    for one, other in zip(straight, mixed, strict=True):
        np.testing.assert_allclose(one[..., is_sure], other[..., is_sure], rtol=2e-3, atol=0.5)


@any_fit
@few
@given(seed=seeds, n_empty=st.integers(1, 9))
def test_dates_without_observations_change_nothing(fit, seed, n_empty):
    days, series = draw(seed)
    empty = np.full((n_empty, series.shape[1]), NODATA, np.int16)
    longer = np.concatenate([series, empty])
    found = fit(longer, np.concatenate([days, np.arange(FIRST, FIRST + n_empty)]), AXIS)
    same(fit(series, days, AXIS), found)


@pytest.mark.parametrize("with_prior", [False, True])
@few
@given(seed=seeds, shift=st.integers(-6_000, 9_000), scale=st.sampled_from([2, 3]))
def test_shift_moves_the_level_alone_and_scale_scales(with_prior, seed, shift, scale):
    days, series = draw(seed)
    series = np.clip(series, -8_000, 8_000).astype(np.int16) * (series != NODATA)
    is_valid = np.random.default_rng(seed).random(series.shape) < 0.5

    def fitted(values, prior):
        masked = np.where(is_valid, values, NODATA).astype(np.int16)
        return fit_robust(masked, days, AXIS, prior=prior, min_observations=6)

    level = np.array([shift, 0, 0, 0, 0, 0], np.float32)
    prior = PRIOR if with_prior else None
    before = fitted(series, prior)
    shifted = fitted(series + shift, prior and prior._replace(mean=prior.mean + level))
    scaled_prior = prior and prior._replace(mean=prior.mean * scale, sigma=prior.sigma * scale)
    scaled = fitted(series * scale, scaled_prior)
    sure = before.n_valid > 16
    moved = before.coefficients + level[:, None]
    np.testing.assert_allclose(shifted.coefficients[:, sure], moved[:, sure], atol=0.5)
    np.testing.assert_allclose(shifted.sigma[sure], before.sigma[sure], rtol=2e-3)
    grown = scale * before.coefficients
    np.testing.assert_allclose(scaled.coefficients[:, sure], grown[:, sure], rtol=1e-3, atol=1)
    np.testing.assert_allclose(scaled.sigma[sure], scale * before.sigma[sure], rtol=2e-3)


def test_leap_days_are_days_of_the_season():
    # A season that peaks on the same phase in leap and common years, seen on 29 February too.
    days = np.arange(FIRST, LAST + 1, 7)
    days = np.union1d(days, [int(np.datetime64("2020-02-29", "D").astype(int))])
    season = 3000 + 800 * np.cos(2 * np.pi * (days - FIRST) / 365.2425)
    fit = fit_ols(np.rint(season[:, None]).astype(np.int16), days, AXIS)
    around = np.array(["2020-02-28", "2020-02-29", "2020-03-01"], "datetime64[D]").astype(int)
    expected = 3000 + 800 * np.cos(2 * np.pi * (around - FIRST) / 365.2425)
    np.testing.assert_allclose(predict(fit.coefficients, around, AXIS)[:, 0], expected, atol=1)


def poor_series(n_dates):
    """Return series that have little or nothing to fit, by name."""
    series = {name: np.full(n_dates, NODATA) for name in ("masked", "one date", "two dates")}
    series["one date"][5] = 3_000
    series["two dates"][[5, 40]] = 3_000, 3_400
    series |= {f"constant {value}": np.full(n_dates, value) for value in (0, 4_000, 32_767, -1)}
    series["saturated now and then"] = np.where(np.arange(n_dates) % 5, 3_000, 32_767)
    series["two values in turn"] = np.where(np.arange(n_dates) % 2, -32_767, 32_767)
    series["constant, then one cloud"] = np.where(np.arange(n_dates) == 30, 12_000, 3_000)
    return {name: values.astype(np.int16) for name, values in series.items()}


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["free", "prior"])
def test_poor_series_are_finite_or_have_no_model(prior):
    days = np.linspace(FIRST, LAST, 80).astype(int)
    series = np.stack(list(poor_series(80).values()), axis=1)
    fit = fit_robust(series, days, AXIS, prior=prior, min_observations=1 if prior else 6)
    n_valid = [0, 1, 2, *[80] * 7]
    assert fit.n_valid.tolist() == n_valid
    assert observation_coverage(series, days).n_valid.tolist() == n_valid
    has_model = np.array([n >= (1 if prior else 6) for n in n_valid])
    state = state_of(series[None], days, AXIS, fit.coefficients[None], fit.sigma[None])
    error = standard_error(state.moments, fit.sigma, days[:4], AXIS, prior.strength if prior else 0)
    low, high = residual_range(series, days, fit.coefficients, fit.sigma, AXIS)
    observation = np.full((1, series.shape[1]), 3_100, np.int16)
    residual = residuals(state, observation, float(days[-1]), AXIS)
    update(state, residual, float(days[-1]), AXIS, prior.strength[None] if prior else None)
    for array in (fit.coefficients, fit.sigma, error, low, high, state.coefficients, state.sigma):
        assert np.isfinite(array[..., has_model]).all()
        assert np.isnan(array[..., ~has_model]).all()
    assert (low <= high)[has_model].all()


def test_constant_series_is_exactly_its_value():
    days = np.linspace(FIRST, LAST, 80).astype(int)
    chosen = {name: one for name, one in poor_series(80).items() if name.startswith("constant ")}
    fit = fit_robust(np.stack(list(chosen.values()), axis=1), days, AXIS)
    np.testing.assert_array_equal(fit.coefficients[0], [0, 4_000, 32_767, -1])
    assert not fit.coefficients[1:].any()
    assert not fit.sigma.any()
