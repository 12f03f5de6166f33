import numpy as np
import pytest

from cvlarray.kernels.harmonics import Prior, fit_robust
from cvlarray.kernels.online import state_of
from cvlarray.kernels.season import TimeAxis, design_matrix
from cvlarray.kernels.standard_error import standard_error

NODATA = -32_768
DAYS = np.arange(16_000, 17_095, 8)
AXIS = TimeAxis.over(DAYS[0], DAYS[-1])
DESIGN = design_matrix(DAYS, AXIS)
NOISE = 200
LATER = [16_003, 16_400, 17_090]


def observe(truth, n_valid, seed=0):
    """Return series (time, pixel) with so many dates each, within eight months of the year."""
    rng = np.random.default_rng(seed)
    series = DESIGN.T @ truth + rng.normal(0, NOISE, (DAYS.size, truth.shape[1]))
    order = rng.random(series.shape)
    order[np.cos(2 * np.pi * DAYS / 365.2425) > 0.5] = 2
    series[order.argsort(axis=0).argsort(axis=0) >= n_valid] = NODATA
    return np.rint(series).astype(np.int16)


def errors(series, prior=None):
    """Return coefficients and standard errors (time, pixel) at `LATER`."""
    fit = fit_robust(series, DAYS, AXIS, prior=prior, min_observations=6)
    state = state_of(series[None], DAYS, AXIS, fit.coefficients[None], fit.sigma[None])
    strength = 0 if prior is None else prior.strength
    return fit, state, standard_error(state.moments, fit.sigma, LATER, AXIS, strength)


def test_equals_the_formula():
    series = observe(np.full((6, 300), 500.0), 40)
    fit, _, found = errors(series)
    residual = np.where(series == NODATA, np.nan, series - DESIGN.T @ fit.coefficients)
    weights = np.nan_to_num(np.clip(1 - (residual / (4.685 * fit.sigma)) ** 2, 0, None) ** 2)
    gram = np.einsum("it,jt,tp->pij", DESIGN, DESIGN, weights)
    basis = design_matrix(LATER, AXIS)
    variance = np.einsum("it,pij,jt->tp", basis, np.linalg.inv(gram), basis)
    np.testing.assert_allclose(found, fit.sigma * np.sqrt(variance), rtol=2e-3)


def test_predictions_scatter_by_it():
    truth = np.array([5000, 100, 600, -300, 100, 50.0])[:, None].repeat(4_000, axis=1)
    fit, _, found = errors(observe(truth, 45))
    basis = design_matrix(LATER, AXIS)
    off = basis.T @ (fit.coefficients - truth)
    assert np.std(off / found, axis=1) == pytest.approx(1, abs=0.12)


def test_with_a_prior_it_is_the_posterior_deviation():
    rng = np.random.default_rng(1)
    mean, between = np.array([5000, 0, 600, -300, 100, 50]), np.array([300, 80, 150, 150, 60, 60])
    truth = mean[:, None] + between[:, None] * rng.normal(size=(6, 4_000))
    strength = (NOISE / between.astype(np.float32)) ** 2
    prior = Prior(mean.astype(np.float32), strength, NOISE)
    fit, _, found = errors(observe(truth, 9), prior)
    off = design_matrix(LATER, AXIS).T @ (fit.coefficients - truth)
    assert np.std(off / found, axis=1) == pytest.approx(1, abs=0.2)


def test_more_dates_and_seasons_seen_make_it_smaller():
    truth = np.full((6, 200), 500.0)
    few, many = (np.median(errors(observe(truth, n))[2], axis=1) for n in (20, 80))
    assert (many < 0.7 * few).all()
    # Day 16_400 lies in the months never seen, day 17_090 among those that were.
    assert few[1] > 2 * few[2]


def test_what_the_dates_cant_tell_is_infinite_and_no_model_nan():
    moments = np.zeros((15, 2, 3), np.float32)
    sigma = np.array([[1, 1, np.nan]] * 2, np.float32)
    found = standard_error(moments, sigma, LATER, AXIS)
    assert found.shape == (3, 2, 3)
    assert np.isinf(found[..., :2]).all()
    assert np.isnan(found[..., 2]).all()
