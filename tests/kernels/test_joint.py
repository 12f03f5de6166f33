import numpy as np
import pytest
from scipy.stats import chi2

from cvlarray.kernels.harmonics import fit_robust
from cvlarray.kernels.joint import fit_joint
from cvlarray.kernels.season import TimeAxis, design_matrix
from tests.kernels.twin import NODATA, least_squares

DAYS = np.sort(np.random.default_rng(7).choice(np.arange(16_000, 17_096), 120, replace=False))
AXIS = TimeAxis.over(16_000, 17_095)
DESIGN = design_matrix(DAYS, AXIS)
NOISE = np.array([60, 100, 180])
TRUTH = np.array([3000, 100, 300, 200, 100, 50])


def observe(n_pixels, seed=0, clouds=0.06, missing=0.6):
    """Return series (band, time, pixel) and where clouds are; they stand out in one band alone."""
    rng = np.random.default_rng(seed)
    seasons = DESIGN.T @ (TRUTH[:, None] * rng.normal(1, 0.2, (3, 6, n_pixels)))
    series = seasons + NOISE[:, None, None] * rng.normal(size=seasons.shape)
    is_cloud = rng.random(series.shape[1:]) < clouds
    series[0] += is_cloud * 3_000
    series[1:] += is_cloud * 200
    series[:, rng.random(series.shape[1:]) < missing] = NODATA
    return np.rint(series).astype(np.int16), seasons


def joint_twin(series):
    """Return the schedule's coefficients (band, coefficient, pixel) in plain float64 NumPy."""
    n_bands = len(series)
    is_valid = (series != NODATA).all(axis=0)
    masked = np.where(is_valid, series, NODATA)
    n_valid = is_valid.sum(axis=0)
    rank = n_valid // 2 + 1
    factor = np.sqrt(n_valid / (n_valid - 6)) / np.sqrt(chi2.ppf((rank - 0.5) / n_valid, 1))
    weights = 1.0
    coefficients = np.stack([least_squares(one, DESIGN) for one in masked])
    gram = np.einsum("it,jt,tp->pij", DESIGN, DESIGN, is_valid, optimize=True)
    for tuning, is_huber in ((1.345, True), (1.345, True), (4.685, False)):
        squares = 0
        for one, model in zip(masked, coefficients, strict=True):
            size = np.where(is_valid, np.abs(one - DESIGN.T @ model), np.inf)
            ranked = np.sort(size, axis=0)[rank - 1, np.arange(size.shape[1])]
            squares = squares + (size / (factor * ranked)) ** 2
        limit = chi2.isf(chi2.sf(tuning**2, 1), n_bands)
        if is_huber:
            residual = np.where(is_valid, masked - DESIGN.T @ coefficients, 0)
            share = np.clip(1.5 - np.sqrt(squares / limit), 0, 1).sum(axis=0) / n_valid
            gradient = DESIGN @ (residual * huber(squares / limit)) / share
            step = np.linalg.solve(gram, np.moveaxis(gradient, 1, 2)[..., None])[..., 0]
            coefficients = coefficients + np.moveaxis(step, 2, 1)
        else:
            weights = tukey(squares / limit)
            coefficients = np.stack([least_squares(one, DESIGN, weights) for one in masked])
    return coefficients


def huber(share):
    return 1 / np.sqrt(np.maximum(share, 1))


def tukey(share):
    return np.clip(1 - share, 0, None) ** 2


def test_equals_its_schedule_in_float64():
    series, _ = observe(1_500)
    fit = fit_joint(series, DAYS, AXIS)
    for ours, twin in zip(fit.coefficients, joint_twin(series), strict=True):
        off = np.abs(DESIGN.T @ ours.astype(np.float64) - DESIGN.T @ twin)
        assert np.percentile(off, 99) <= 0.02


def test_one_band_is_the_robust_fit():
    series = observe(500)[0][1]
    alone, joint = fit_robust(series, DAYS, AXIS), fit_joint(series[None], DAYS, AXIS)
    np.testing.assert_allclose(joint.coefficients[0], alone.coefficients, atol=0.02)
    np.testing.assert_allclose(joint.sigma[0], alone.sigma, rtol=1e-3)
    np.testing.assert_array_equal(joint.n_valid, alone.n_valid)


def test_a_cloud_that_shows_in_one_band_counts_in_none():
    series, seasons = observe(3_000, clouds=0.15)

    def bias(coefficients):
        return abs(np.mean(DESIGN.T @ coefficients.astype(np.float64) - seasons[2]))

    joint = fit_joint(series, DAYS, AXIS).coefficients[2]
    assert bias(joint) < 0.4 * bias(fit_robust(series[2], DAYS, AXIS).coefficients)


def test_missing_in_one_band_is_missing_in_all():
    series, _ = observe(100)
    holes = series.copy()
    holes[1, 10:30] = NODATA
    everywhere = series.copy()
    everywhere[:, 10:30] = NODATA
    for one, other in zip(
        fit_joint(holes, DAYS, AXIS), fit_joint(everywhere, DAYS, AXIS), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_any_split_of_the_pixels_gives_the_same_bits():
    series, _ = observe(600)
    series[:, :, 7] = NODATA
    whole = fit_joint(series, DAYS, AXIS)
    assert np.isnan(whole.coefficients[..., 7]).all()
    for cuts in ([1], [255, 257, 500]):
        parts = [fit_joint(part, DAYS, AXIS) for part in np.split(series, cuts, axis=2)]
        for one, *others in zip(whole, *parts, strict=True):
            np.testing.assert_array_equal(one, np.concatenate(others, axis=-1))


def test_shape_is_that_of_the_pixels():
    series, _ = observe(60)
    fit = fit_joint(series.reshape(3, 120, 4, 15), DAYS, AXIS, harmonic_order=1)
    assert fit.coefficients.shape == (3, 4, 4, 15)
    assert fit.sigma.shape == (3, 4, 15)
    assert fit.n_valid.shape == (4, 15)


def test_wrong_dates():
    with pytest.raises(ValueError, match="one of 119 days a row, got"):
        fit_joint(observe(3)[0], DAYS[1:], AXIS)
