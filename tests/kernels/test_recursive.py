import numpy as np
import pytest

from cvlarray.kernels.recursive import recursive_residuals


@pytest.fixture
def design():
    days = np.linspace(0, 3, 60)
    angle = 2 * np.pi * days
    return np.stack([np.ones(60), days, np.cos(angle), np.sin(angle)])


@pytest.fixture
def series(design):
    rng = np.random.default_rng(4)
    series = design.T @ rng.normal(0, 3, (4, 5)) + rng.normal(0, 1, (60, 5))
    series[rng.random(series.shape) < 0.3] = np.nan
    return series


def refitted(series, design, n_initial):
    """Return recursive residuals by their definition: a new fit before each observation."""
    seen = np.flatnonzero(np.isfinite(series))
    residuals = np.full(series.size, np.nan)
    for n in range(n_initial, seen.size):
        past, x = design[:, seen[:n]], design[:, seen[n]]
        inverse = np.linalg.inv(past @ past.T)
        error = series[seen[n]] - x @ inverse @ past @ series[seen[:n]]
        residuals[seen[n]] = error / np.sqrt(1 + x @ inverse @ x)
    return residuals


@pytest.mark.parametrize("n_initial", [4, 9])
def test_equals_the_definition(series, design, n_initial):
    found = recursive_residuals(series, design, n_initial=n_initial)
    expected = np.stack([refitted(one, design, n_initial) for one in series.T], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_squares_add_up_to_those_of_the_whole_fit(series, design):
    residuals = recursive_residuals(series, design)
    for pixel, column in enumerate(series.T):
        seen = np.isfinite(column)
        rest = np.linalg.lstsq(design[:, seen].T, column[seen], rcond=None)[1]
        assert np.nansum(residuals[:, pixel] ** 2) == pytest.approx(rest[0])


def test_equals_strucchange(strucchange):
    found = recursive_residuals(strucchange.series, strucchange.design)
    np.testing.assert_allclose(found, strucchange.answer("rr"), atol=1e-9)


def test_too_few_initial_observations(series, design):
    with pytest.raises(ValueError, match="at least the 4 coefficients, got 3"):
        recursive_residuals(series, design, n_initial=3)


def test_design_of_other_dates(series, design):
    with pytest.raises(ValueError, match="column for each of 60 dates, got 59"):
        recursive_residuals(series, design[:, 1:])
