import numpy as np
import pytest

from cvlarray.kernels.fluctuation import (
    cusum_critical_value,
    monitor_cusum,
    monitor_mosum,
    mosum_critical_value,
)

N_HISTORY = 100


@pytest.fixture
def residual(strucchange):
    """Return the residuals of an ordinary fit to the first 100 dates."""
    series, design = strucchange.series, strucchange.design
    residual = np.empty_like(series)
    for pixel, column in enumerate(series.T):
        seen = np.flatnonzero(np.isfinite(column[:N_HISTORY]))
        fit = np.linalg.lstsq(design[:, seen].T, column[seen], rcond=None)[0]
        residual[:, pixel] = column - design.T @ fit
    return residual


def last(values):
    """Return the last value of each column that isn't missing."""
    return [column[np.isfinite(column)][-1] for column in values.T]


def assert_equal_to(monitoring, answer):
    process, boundary, n_history, sigma = answer
    np.testing.assert_allclose(last(monitoring.process), process, rtol=1e-9)
    np.testing.assert_allclose(last(monitoring.boundary), boundary, rtol=1e-6)
    np.testing.assert_array_equal(monitoring.n_history, n_history)
    np.testing.assert_allclose(monitoring.sigma, sigma, rtol=1e-9)


def test_cusum_equals_strucchange(residual, strucchange):
    monitoring = monitor_cusum(
        residual, N_HISTORY, n_coefficients=5, critical=cusum_critical_value(0.05)
    )
    assert_equal_to(monitoring, strucchange.answer("cusum"))


def test_mosum_equals_strucchange(residual, strucchange):
    critical = mosum_critical_value(0.05, 0.25)
    monitoring = monitor_mosum(
        residual, N_HISTORY, n_coefficients=5, critical=critical, window=0.25
    )
    assert_equal_to(monitoring, strucchange.answer("mosum"))


@pytest.mark.parametrize(
    ("significance", "critical"), [(0.01, 3.368214), (0.05, 2.795483), (0.1, 2.500278)]
)
def test_cusum_critical_values(significance, critical):
    assert cusum_critical_value(significance) == pytest.approx(critical, rel=1e-6)


def test_mosum_critical_values_are_interpolated():
    assert mosum_critical_value(0.01, 0.5) == pytest.approx(2.209, abs=1e-3)
    assert 1.902 < mosum_critical_value(0.03, 0.5) < 2.209


@pytest.mark.parametrize("window", [0.25, 0.5, 1.0])
def test_mosum_sums_what_lies_in_the_window(window):
    rng = np.random.default_rng(0)
    residual = rng.normal(size=(70, 3))
    residual[rng.random(residual.shape) < 0.3] = np.nan
    monitoring = monitor_mosum(residual, 40, n_coefficients=2, critical=1, window=window)
    for pixel, column in enumerate(residual.T):
        seen = column[np.isfinite(column)]
        size = int(window * monitoring.n_history[pixel])
        scale = monitoring.sigma[pixel] * np.sqrt(monitoring.n_history[pixel])
        expected = seen[-size:].sum() / scale
        assert last(monitoring.process)[pixel] == pytest.approx(expected)


def test_false_alarms_are_no_more_than_asked_for():
    series = np.random.default_rng(1).normal(size=(400, 1_000))
    residual = series - series[:100].mean(axis=0)
    cusum = monitor_cusum(residual, 100, n_coefficients=1, critical=cusum_critical_value(0.05))
    critical = mosum_critical_value(0.05, 0.25)
    mosum = monitor_mosum(residual, 100, n_coefficients=1, critical=critical, window=0.25)
    for monitoring in (cusum, mosum):
        alarms = (np.abs(monitoring.process) > monitoring.boundary).any(axis=0)
        assert alarms.mean() < 0.07


def test_history_too_short_for_the_fit():
    monitoring = monitor_cusum(np.ones((20, 1)), 3, n_coefficients=5, critical=2.8)
    assert np.isnan(monitoring.sigma).all()
    assert np.isnan(monitoring.process).all()


def test_significance_out_of_range():
    with pytest.raises(ValueError, match="probability between 0 and 1, got 0"):
        cusum_critical_value(0)
    with pytest.raises(ValueError, match=r"from 0.001 to 0.05, got 0.1"):
        mosum_critical_value(0.1, 0.25)
    with pytest.raises(ValueError, match=r"0.25, 0.5 or 1 of the history, got 0.3"):
        mosum_critical_value(0.05, 0.3)
