import numpy as np
import pytest

from cvlarray.kernels.harmonics import Prior, fit_robust
from cvlarray.kernels.online import downdate, residuals, state_of, update
from cvlarray.kernels.season import TimeAxis, design_matrix

NODATA = -32_768
AXIS = TimeAxis.over(16_000, 17_461)
DAYS = np.arange(16_000, 17_461, 5)
DESIGN = design_matrix(DAYS, AXIS)
N_HISTORY = 219
N_PIXELS = 700


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(3)
    truth = np.array([6000, 100, -900, 500, 150, 80])[:, None] * rng.normal(1, 0.2, (6, N_PIXELS))
    series = DESIGN.T @ truth + rng.normal(0, 250, (DAYS.size, N_PIXELS))
    series -= (rng.random(series.shape) < 0.04) * 4_000
    series[rng.random(series.shape) < 0.6] = NODATA
    return np.rint(series).astype(np.int16)


def state_from(series, days=DAYS[:N_HISTORY], axis=AXIS, prior=None):
    """Return the state of one feature or several, (time, pixel) each."""
    fits = [fit_robust(one, days, axis, prior=prior) for one in np.atleast_3d(series.T).T]
    coefficients, sigma, _ = (np.stack(arrays) for arrays in zip(*fits, strict=True))
    return state_of(np.atleast_3d(series.T).T, days, axis, coefficients, sigma)


@pytest.fixture
def state(series):
    return state_from(series[:N_HISTORY])


def add(state, observation, day, axis=AXIS, **kwargs):
    update(state, residuals(state, np.atleast_2d(observation), day, axis), day, axis, **kwargs)


def off(coefficients, other, sigma):
    return np.abs(DESIGN.T @ (coefficients.astype(np.float64) - other)) / sigma


def test_a_year_of_updates_is_close_to_a_refit(series, state):
    for day, observation in zip(DAYS[N_HISTORY:], series[N_HISTORY:], strict=True):
        add(state, observation, day)
    refit = fit_robust(series, DAYS, AXIS)
    apart = off(state.coefficients[0], refit.coefficients, refit.sigma)
    assert DAYS.size - N_HISTORY >= 73
    assert np.percentile(apart, 50) <= 0.07
    assert np.percentile(apart, 99) <= 0.25
    np.testing.assert_allclose(np.median(state.sigma / refit.sigma), 1, atol=0.05)


def weights_of(series, state):
    """Return the biweight's weights (time, pixel) of one feature by a way of its own."""
    fitted = design_matrix(DAYS[: len(series)], AXIS).T @ state.coefficients[0].astype(np.float64)
    residual = np.where(series == NODATA, np.nan, series - fitted)
    share = residual / (4.685 * state.sigma[0])
    return residual, np.nan_to_num(np.clip(1 - share**2, 0, None) ** 2)


@pytest.mark.parametrize("strength", [0, 5])
def test_update_equals_weighted_least_squares(series, state, strength):
    # One date more: the normal equations of all with the weights that were given to each.
    before = state.coefficients[0].astype(np.float64)
    day, observation = DAYS[N_HISTORY], series[N_HISTORY]
    design = DESIGN[:, : N_HISTORY + 1]
    residual, weights = weights_of(series[: N_HISTORY + 1], state)
    prior_strength = np.full((1, 6), strength, np.float32)
    add(state, observation, day, prior_strength=prior_strength)
    gram = np.einsum("it,jt,tp->pij", design, design, weights) + strength * np.eye(6)
    last = design[:, -1:] * (weights[-1] * np.nan_to_num(residual[-1]))
    expected = before + np.linalg.solve(gram, last.T[..., None])[..., 0].T
    np.testing.assert_allclose(state.coefficients[0], expected, atol=0.05)


@pytest.mark.parametrize("strengths", [(3, 3, 8), (0, 5, 5), (2, 0, 2)])
def test_each_feature_moves_as_its_own_prior_has_it(series, strengths):
    # Three times the same series: the same weights, so each must move as it would alone.
    prior_strength = np.repeat(np.array(strengths, np.float32)[:, None], 6, axis=1)
    together = state_from(np.stack([series[:N_HISTORY]] * 3))
    add(together, np.stack([series[N_HISTORY]] * 3), DAYS[N_HISTORY], prior_strength=prior_strength)
    for number in range(3):
        alone = state_from(series[:N_HISTORY])
        of_feature = prior_strength[[number]]
        add(alone, series[N_HISTORY], DAYS[N_HISTORY], prior_strength=of_feature)
        for of_all, of_one in (
            (together.coefficients, alone.coefficients),
            (together.sigma, alone.sigma),
        ):
            np.testing.assert_array_equal(of_all[number], of_one[0])


def test_features_share_the_least_weight(series):
    # The second feature has a cloud of its own; neither learns from that date.
    other = np.where(series == NODATA, NODATA, series // 2).astype(np.int16)
    both = np.stack([series[:N_HISTORY], other[:N_HISTORY]])
    state = state_from(both)
    before = [array.copy() for array in state]
    observation = np.stack([series[N_HISTORY], other[N_HISTORY]])
    seen = observation[0] != NODATA
    observation[1, seen] = 20_000
    add(state, observation, DAYS[N_HISTORY])
    for array, old in zip(state, before, strict=True):
        np.testing.assert_array_equal(array, old)
    assert state.moments.shape == (15, N_PIXELS)


def test_beyond_the_axis_time_stands_still(series):
    days, history = DAYS[:N_HISTORY], series[:N_HISTORY]
    axis = TimeAxis.over(days[0], days[-1])
    state = state_from(history, axis=axis)
    for day, observation in zip(DAYS[N_HISTORY:], series[N_HISTORY:], strict=True):
        add(state, observation, day, axis)
    refit = fit_robust(series, DAYS, axis)
    design = design_matrix(DAYS, axis)
    apart = design.T @ (state.coefficients[0].astype(np.float64) - refit.coefficients)
    apart = np.abs(apart) / refit.sigma
    assert np.percentile(apart, 50) <= 0.07
    assert np.percentile(apart, 99) <= 0.25


def test_prior_of_the_fit_keeps_its_strength(series):
    # Few dates: without the prior's share of the normal equations an update would throw them off.
    mean = np.array([6000, 0, -900, 500, 150, 80], np.float32)
    prior = Prior(mean, np.full(6, 8, np.float32), 250)
    sparse = series[:12]
    state = state_from(sparse, DAYS[:12], prior=prior)
    strengths = np.broadcast_to(prior.strength, (1, 6))
    for day, observation in zip(DAYS[12:30], series[12:30], strict=True):
        add(state, observation, day, prior_strength=strengths)
    refit = fit_robust(series[:30], DAYS[:30], AXIS, prior=prior)
    seen = (sparse != NODATA).sum(axis=0) >= 6
    apart = np.abs(state.coefficients[0] - refit.coefficients)[:, seen] / refit.sigma[seen]
    assert np.percentile(apart, 50) <= 0.07


def test_downdate_undoes_an_update(series, state):
    before = state.coefficients.copy()
    day, observation = DAYS[N_HISTORY], series[None, N_HISTORY]
    update(state, residuals(state, observation, day, AXIS), day, AXIS)
    moved = off(state.coefficients[0], before[0], state.sigma).max(axis=0)
    downdate(state, residuals(state, observation, day, AXIS), day, AXIS)
    back = off(state.coefficients[0], before[0], state.sigma).max(axis=0)
    assert np.median(moved[moved > 0]) > 0.01
    # Not to the bit: the weight is that of the residual now, and sigma has moved.
    assert np.percentile(back, 90) <= 0.01
    assert back.max() < 0.25 * moved.max()


def test_missing_and_gross_observations_change_nothing(state):
    before = [array.copy() for array in state]
    for value in (NODATA, 32_000, -20_000):
        add(state, np.full(N_PIXELS, value, np.int16), DAYS[-1])
    for array, old in zip(state, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_pixels_without_a_model_stay_without(series):
    sparse = series[:N_HISTORY].copy()
    sparse[:, :5] = NODATA
    state = state_from(sparse)
    add(state, np.full(N_PIXELS, 6_000, np.int16), DAYS[-1])
    assert np.isnan(state.coefficients[..., :5]).all()
    assert np.isfinite(state.coefficients[..., 5:]).all()
    assert np.isfinite(state.moments).all()


def test_any_split_of_the_pixels_gives_the_same_bits(series, state):
    add(state, series[-1], DAYS[-1])
    part = state_from(np.ascontiguousarray(series[:N_HISTORY, 100:371]))
    add(part, series[-1, 100:371].copy(), DAYS[-1])
    for one, other in zip(part, state, strict=True):
        np.testing.assert_array_equal(one, other[..., 100:371])
