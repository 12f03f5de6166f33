import numpy as np
import pytest

from cvlarray.kernels.harmonics import fit_robust
from cvlarray.kernels.online import downdate, state_of, update
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


@pytest.fixture
def state(series):
    history, days = series[:N_HISTORY], DAYS[:N_HISTORY]
    return state_of(history, days, AXIS, fit_robust(history, days, AXIS))


def off(coefficients, other, sigma):
    return np.abs(DESIGN.T @ (coefficients.astype(np.float64) - other)) / sigma


def test_a_year_of_updates_is_close_to_a_refit(series, state):
    for day, observation in zip(DAYS[N_HISTORY:], series[N_HISTORY:], strict=True):
        update(state, observation, day, AXIS)
    refit = fit_robust(series, DAYS, AXIS)
    apart = off(state.coefficients, refit.coefficients, refit.sigma)
    assert DAYS.size - N_HISTORY >= 73
    assert np.percentile(apart, 50) <= 0.07
    assert np.percentile(apart, 99) <= 0.25
    np.testing.assert_allclose(np.median(state.sigma / refit.sigma), 1, atol=0.05)


def test_update_equals_weighted_least_squares(series, state):
    # One date more: the normal equations of all with the weights that were given to each.
    before = state.coefficients.astype(np.float64)
    history, day, observation = series[:N_HISTORY], DAYS[N_HISTORY], series[N_HISTORY]
    sigma = state.sigma.copy()
    update(state, observation, day, AXIS)
    design = DESIGN[:, : N_HISTORY + 1]
    residual = np.where(
        series[: N_HISTORY + 1] == NODATA, np.nan, series[: N_HISTORY + 1] - design.T @ before
    )
    weights = np.nan_to_num(np.clip(1 - (residual / (4.685 * sigma)) ** 2, 0, None) ** 2)
    gram = np.einsum("it,jt,tp->pij", design, design, weights)
    last = design[:, -1:] * (weights[-1] * np.nan_to_num(residual[-1]))
    expected = before + np.linalg.solve(gram, last.T[..., None])[..., 0].T
    assert np.isfinite(history).all()
    np.testing.assert_allclose(state.coefficients, expected, atol=0.05)


def test_downdate_undoes_an_update(series, state):
    before = state.coefficients.copy()
    update(state, series[N_HISTORY], DAYS[N_HISTORY], AXIS)
    moved = off(state.coefficients, before, state.sigma).max(axis=0)
    downdate(state, series[N_HISTORY], DAYS[N_HISTORY], AXIS)
    back = off(state.coefficients, before, state.sigma).max(axis=0)
    assert np.median(moved[moved > 0]) > 0.01
    # Not to the bit: the weight is that of the residual now, and sigma has moved.
    assert np.percentile(back, 90) <= 0.01
    assert back.max() < 0.25 * moved.max()


def test_missing_and_gross_observations_change_nothing(state):
    before = [array.copy() for array in state]
    for value in (NODATA, 32_000, -20_000):
        update(state, np.full(N_PIXELS, value, np.int16), DAYS[-1], AXIS)
    for array, old in zip(state, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_pixels_without_a_model_stay_without(series):
    sparse = series.copy()
    sparse[:, :5] = NODATA
    history, days = sparse[:N_HISTORY], DAYS[:N_HISTORY]
    state = state_of(history, days, AXIS, fit_robust(history, days, AXIS))
    update(state, np.full(N_PIXELS, 6_000, np.int16), DAYS[-1], AXIS)
    assert np.isnan(state.coefficients[:, :5]).all()
    assert np.isfinite(state.coefficients[:, 5:]).all()


def test_any_split_of_the_pixels_gives_the_same_bits(series, state):
    update(state, series[-1], DAYS[-1], AXIS)
    history, days = series[:N_HISTORY, 100:371], DAYS[:N_HISTORY]
    part = state_of(history, days, AXIS, fit_robust(history, days, AXIS))
    update(part, series[-1, 100:371].copy(), DAYS[-1], AXIS)
    for one, other in zip(part, state, strict=True):
        np.testing.assert_array_equal(one, other[..., 100:371])


def test_day_beyond_the_axis(state):
    with pytest.raises(ValueError, match="reaches from day 16000 to 17461, got 17500; refit"):
        update(state, np.zeros(N_PIXELS, np.int16), 17_500, AXIS)
