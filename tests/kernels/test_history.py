import numpy as np
import pytest

from cvlarray.kernels.history import (
    recursive_cusum,
    recursive_cusum_critical_value,
    stable_start,
)
from cvlarray.kernels.recursive import recursive_residuals

CONSTANT = np.ones((1, 80))


@pytest.mark.parametrize(("significance", "critical"), [(0.01, 1.143), (0.05, 0.948), (0.1, 0.850)])
def test_critical_values_are_those_of_brown_durbin_and_evans(significance, critical):
    assert recursive_cusum_critical_value(significance) == pytest.approx(critical, abs=1e-3)


def test_false_alarms_are_as_many_as_asked_for():
    series = np.random.default_rng(0).normal(size=(80, 2_000))
    share = (stable_start(series, CONSTANT) > 0).mean()
    assert 0.02 < share < 0.06  # asymptotically 0.05, and below it for short series


def test_break_in_the_history_is_found():
    rng = np.random.default_rng(1)
    series = rng.normal(size=(80, 50))
    series[:30] += 6
    series[rng.random(series.shape) < 0.2] = np.nan
    start = stable_start(series, CONSTANT)
    assert (start <= 30).all()
    assert (start > 10).all()


def test_constant_and_empty_histories_are_stable():
    series = np.stack([np.full(80, 3.0), np.full(80, np.nan)], axis=1)
    assert stable_start(series, CONSTANT).tolist() == [0, 0]


def test_process_equals_strucchange(strucchange):
    # There the design held the constant twice, so that one more observation starts the fit.
    residuals = recursive_residuals(
        strucchange.series[::-1, :1], strucchange.design[:, ::-1], n_initial=6
    )
    process = recursive_cusum(residuals[np.isfinite(residuals)])
    np.testing.assert_allclose(process, strucchange.answer("efp"), atol=1e-12)


def test_start_equals_strucchange(strucchange):
    start = stable_start(strucchange.series, strucchange.design, n_initial=6)
    n_before = [
        np.isfinite(column[:first]).sum()
        for column, first in zip(strucchange.series.T, start, strict=True)
    ]
    np.testing.assert_array_equal(np.add(n_before, 1), strucchange.answer("roc_history"))


def test_significance_out_of_range():
    with pytest.raises(ValueError, match="between 0 and 1, got 1"):
        recursive_cusum_critical_value(1)
