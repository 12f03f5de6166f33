import numpy as np
import pytest

from cvlarray.kernels.harmonics import HarmonicFit, Prior, fit_robust
from cvlarray.kernels.prior import estimate_prior
from cvlarray.kernels.season import TimeAxis, design_matrix
from tests.kernels.twin import NODATA, robust_twin

AXIS = TimeAxis.over(16_000, 17_095)
DAYS = np.arange(16_000, 17_096, 5)
DESIGN = design_matrix(DAYS, AXIS)
MEAN = np.array([6000, 0, -900, 500, 150, 80])
BETWEEN = np.array([400, 120, 150, 120, 60, 60])
NOISE = 250


def region(n_pixels, seed=0):
    """Return true curves and clean series of a region's pixels."""
    rng = np.random.default_rng(seed)
    truth = MEAN[:, None] + BETWEEN[:, None] * rng.normal(size=(6, n_pixels))
    series = DESIGN.T @ truth + rng.normal(0, NOISE, (DAYS.size, n_pixels))
    return DESIGN.T @ truth, np.rint(series).astype(np.int16)


def keep(series, n_valid, seed=1, season=None):
    """Return series with so many valid dates a pixel, within a season if one is given."""
    rng = np.random.default_rng(seed)
    order = rng.random(series.shape)
    if season is not None:
        order[~season] = 2
    rank = order.argsort(axis=0).argsort(axis=0)
    return np.where(rank < n_valid, series, NODATA).astype(np.int16)


def error(coefficients, curve):
    return np.sqrt(np.mean((DESIGN.T @ coefficients.astype(np.float64) - curve) ** 2))


@pytest.fixture(scope="module")
def prior():
    series = keep(region(4_000)[1], 70)
    series[100:, :800] = 2_000  # forest that was cleared
    return estimate_prior(fit_robust(series, DAYS, AXIS), DAYS, AXIS)


def test_prior_is_what_the_pixels_have_in_common(prior):
    np.testing.assert_allclose(prior.mean[2:], MEAN[2:], atol=60)
    assert prior.mean[0] == pytest.approx(MEAN[0], abs=250)
    assert prior.sigma == pytest.approx(NOISE, rel=0.15)
    np.testing.assert_allclose(np.sqrt(NOISE**2 / prior.strength[2:]), BETWEEN[2:], rtol=0.5)


@pytest.mark.parametrize("n_valid", [6, 8, 12, 30])
def test_few_observations_do_better_with_the_prior(prior, n_valid):
    curve, series = region(3_000, seed=5)
    seen = keep(series, n_valid)
    with_prior = fit_robust(seen, DAYS, AXIS, prior=prior, min_observations=1)
    alone = error(np.repeat(prior.mean[:, None], 3_000, axis=1), curve)
    assert error(with_prior.coefficients, curve) < alone
    if n_valid == 8:
        free = fit_robust(seen, DAYS, AXIS, min_observations=6)
        assert error(with_prior.coefficients, curve) <= 0.45 * error(free.coefficients, curve)


def test_many_observations_overrule_the_prior():
    curve, series = region(500)
    wrong = Prior((MEAN + 500).astype(np.float32), np.ones(6, np.float32), 100.0)
    drawn, free = fit_robust(series, DAYS, AXIS, prior=wrong), fit_robust(series, DAYS, AXIS)
    assert error(drawn.coefficients, curve) < error(free.coefficients, curve) + 20
    np.testing.assert_allclose(drawn.sigma, free.sigma, rtol=0.1)


def test_dry_season_alone_says_little_about_the_wet_one(prior):
    curve, series = region(2_000, seed=9)
    dry = np.cos(2 * np.pi * DAYS / 365.2425) < -0.4
    seen = keep(series, 25, season=dry)
    fit = fit_robust(seen, DAYS, AXIS, prior=prior)
    off = (DESIGN.T @ fit.coefficients - curve)[~dry]
    assert np.sqrt(np.mean(off**2)) < NOISE
    free = fit_robust(seen, DAYS, AXIS)
    assert np.sqrt(np.mean((DESIGN.T @ free.coefficients - curve)[~dry] ** 2)) > 3 * NOISE


def test_ridge_equals_its_normal_equations():
    series = keep(region(2_000)[1], 40)
    prior = Prior(MEAN.astype(np.float32), np.array([0.5, 3, 2, 2, 10, 10], np.float32), 250.0)
    fit = fit_robust(series, DAYS, AXIS, prior=prior)
    coefficients, _ = robust_twin(series, DESIGN, MEAN, prior.strength)
    off = np.abs(DESIGN.T @ fit.coefficients.astype(np.float64) - DESIGN.T @ coefficients)
    assert np.percentile(off, 99) <= 0.03


def test_no_observation_is_the_prior(prior):
    empty = np.full((DAYS.size, 3), NODATA, np.int16)
    fit = fit_robust(empty, DAYS, AXIS, prior=prior, min_observations=0)
    np.testing.assert_allclose(fit.coefficients[:, 0], prior.mean, rtol=1e-4, atol=0.01)
    np.testing.assert_allclose(fit.sigma, prior.sigma, rtol=1e-6)


def test_region_without_a_fit():
    nothing = HarmonicFit(
        np.full((6, 4), np.nan, np.float32), np.full(4, np.nan, np.float32), np.zeros(4, np.uint16)
    )
    with pytest.raises(ValueError, match="at least one fitted pixel with residuals, got none"):
        estimate_prior(nothing, DAYS, AXIS)
