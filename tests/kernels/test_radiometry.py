import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.kernels.radiometry import GAIN_PRIOR, OFFSET_PRIOR_DN, robust_line

GAINS, OFFSETS = st.floats(0.94, 1.06), st.floats(-100, 100)


def forest(seed, centre=800, spread=120, n_pixels=20_000):
    return np.random.default_rng([seed, 1]).normal(centre, spread, n_pixels)


@settings(max_examples=20)
@given(GAINS, OFFSETS)
def test_without_noise_the_line_is_exact(gain, offset):
    expected = forest(1)
    line = robust_line(expected, gain * expected + offset, np.zeros(expected.size))
    assert line.gain == pytest.approx(gain, abs=1e-6)
    assert line.offset_dn == pytest.approx(offset, abs=1e-3)


@settings(max_examples=20)
@given(st.integers(0, 999), GAINS, OFFSETS)
def test_clearings_and_missed_clouds_dont_count(seed, gain, offset):
    random = np.random.default_rng(seed)
    true = forest(seed)
    observed = gain * true + offset + random.normal(0, 30, true.size)
    changed = random.random(true.size) < 0.25
    observed[changed] += random.uniform(150, 3000, np.count_nonzero(changed))
    line = robust_line(true, observed, np.zeros(true.size))
    corrected = (gain * true + offset - line.offset_dn) / line.gain
    assert np.abs(corrected / true - 1).max() < 0.02
    assert np.percentile(np.abs(corrected / true - 1), 95) < 0.008


def test_errors_of_the_expectation_dont_shrink_the_gain():
    random = np.random.default_rng(0)
    true, error = forest(0, n_pixels=60_000), 60.0
    expected = true + random.normal(0, error, true.size)
    observed = 1.05 * true + random.normal(0, 20, true.size)
    naive = robust_line(expected, observed, np.zeros(true.size))
    # Least squares shrink the slope by var(true) / (var(true) + var(error)) = 0.8.
    assert naive.gain < 0.9
    line = robust_line(expected, observed, np.full(true.size, error))
    assert line.gain == pytest.approx(1.05, abs=0.01)


def test_standard_error_is_that_of_repetition():
    lines = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        true = random.normal(800, 60, 4_000)
        observed = true + random.normal(0, 30, true.size)
        lines.append(robust_line(true, observed, np.zeros(true.size)))
    # The prior is wide against the error here, so the gains scatter by it.
    scatter = np.std([line.gain for line in lines])
    assert np.median([line.gain_error for line in lines]) == pytest.approx(scatter, rel=0.35)
    assert sum(line.is_sure for line in lines) <= 1


def test_neighbours_that_err_alike_make_less_sure():
    random = np.random.default_rng(0)
    true = np.repeat(forest(0, n_pixels=80), 100)
    alone = true + random.normal(0, 40, true.size)
    alike = true + np.repeat(random.normal(0, 40, true.size // 100), 100)
    errors = [robust_line(true, one, np.zeros(true.size)).gain_error for one in (alone, alike)]
    assert errors[1] > 3 * errors[0]
    assert not robust_line(true, alike, np.zeros(true.size)).is_sure


def test_equal_pixels_split_by_the_prior():
    line = robust_line(np.full(5_000, 400.0), np.full(5_000, 440.0), np.zeros(5_000))
    assert line.gain * 400 + line.offset_dn == pytest.approx(440)
    # A gain takes 400 × 0.03 DN usually, an offset 50: they share the 40 DN by the squares of that.
    share = (400 * GAIN_PRIOR) ** 2 / ((400 * GAIN_PRIOR) ** 2 + OFFSET_PRIOR_DN**2)
    assert line.gain - 1 == pytest.approx(40 * share / 400)
    assert np.isinf(line.gain_error)


def test_as_expected():
    expected = forest(3)
    line = robust_line(expected, expected.copy(), np.zeros(expected.size))
    assert (line.gain, line.offset_dn, line.deviation, line.is_sure) == (1, 0, 0, False)
