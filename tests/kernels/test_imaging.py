"""From states to DN, against plain NumPy and SciPy."""

import numpy as np
import pytest
from scipy import ndimage

from cvlarray.kernels.counter_random import NORMAL_QUANTILES
from cvlarray.kernels.imaging import (
    Effects,
    Errors,
    Fields,
    Looks,
    Veils,
    blur,
    quantise,
    reflect,
    veil,
)

RNG = np.random.default_rng(3)


def uniform(*shape, low=0.0, high=1.0):
    return RNG.uniform(low, high, shape).astype(np.float32)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_reflectance_of_states(factor):
    state = RNG.integers(0, 5, (12, 18)).astype(np.int32)
    looks = Looks(
        uniform(5, 3), uniform(5, 3, high=0.1), uniform(5, high=0.1), uniform(5, high=0.1)
    )
    fields = Fields(*(RNG.normal(size=(12, 18)).astype(np.float32) for _ in range(3)))
    image = np.empty((3, 12 // factor, 18 // factor), np.float32)
    reflect(state, looks, fields, factor, image)
    bright = 1 + looks.textures[state] * fields.crown + looks.tones[state] * fields.soil
    fine = looks.means[state] * np.maximum(bright, 0.15)[..., np.newaxis]
    fine += looks.vigours[state] * fields.stand[..., np.newaxis]
    expected = fine.reshape(12 // factor, factor, 18 // factor, factor, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(image, expected.transpose(2, 0, 1), rtol=2e-5)


def test_blur_is_a_convolution():
    image = uniform(20, 30)
    blurred = np.empty((18, 28), np.float32)
    blur(image, 0.17, blurred)
    line = np.array([0.17, 0.66, 0.17])
    expected = ndimage.convolve(image, np.outer(line, line))[1:-1, 1:-1]
    np.testing.assert_allclose(blurred, expected, rtol=1e-5)


def veils_of(**values):
    planes = dict.fromkeys(Veils._fields, 0.0) | {"brightness": 1.0} | values
    return Veils(**{name: np.full((2, 3), value, np.float32) for name, value in planes.items()})


EFFECTS = Effects(shade=0.8, cloud=0.6, thin=0.45, haze=0.5)


@pytest.mark.parametrize(
    ("veils", "expected"),
    [
        ({}, 0.2),
        ({"cloud": 1.0}, 0.6),
        ({"cloud": 1.0, "brightness": 1.2}, 0.72),
        ({"cloud": 0.25}, 0.2 + 0.25 * 0.4),
        ({"thin": 0.2}, 0.2 + 0.2 * 0.25),
        ({"shadow": 1.0}, 0.2 * 0.2),
        ({"haze": 0.1}, 0.2 + 0.05 * 0.8),
        ({"cloud": 1.0, "shadow": 1.0, "haze": 0.3, "thin": 0.4}, 0.6),
    ],
)
@pytest.mark.parametrize("ratio", [1, 2])
def test_the_sky_over_a_band(veils, expected, ratio):
    image = np.full((2 * ratio, 3 * ratio), 0.2, np.float32)
    veil(image, ratio, veils_of(**veils), EFFECTS)
    np.testing.assert_allclose(image, expected, rtol=1e-5)


def test_the_sky_is_where_it_is():
    veils = veils_of()
    veils.cloud[1, 2] = 1
    image = np.zeros((4, 6), np.float32)
    veil(image, 2, veils, EFFECTS)
    assert (image[2:, 4:] == np.float32(0.6)).all()
    assert image.sum() == pytest.approx(4 * 0.6)


def digitise(image, *, gain=1.0, offset=0.0, noise=0.0, scale=(1e-4, 0.0), place=(0, 0)):
    errors = Errors(*(np.full(len(image), value, np.float32) for value in (gain, offset, noise)))
    dn = np.empty(image.shape, np.uint16)
    quantise(image, place, np.array([1, 2], np.uint32), NORMAL_QUANTILES, errors, scale, dn)
    return dn


def test_dn_of_reflectance():
    image = np.array([[[0.05, 0.3, -0.02, 0.0, 7.0]]], np.float32)
    assert digitise(image).tolist() == [[[500, 3000, 1, 1, 65535]]]
    assert digitise(image, scale=(1e-4, 1000)).tolist() == [[[1500, 4000, 800, 1000, 65535]]]
    assert digitise(image, gain=1.1, offset=0.01)[0, 0, :2].tolist() == [650, 3400]


def test_noise_has_the_spread_asked_for_in_each_band():
    image = np.full((8, 300, 300), 0.3, np.float32)
    dn = digitise(image, noise=0.01).astype(float)
    assert dn.mean(axis=(1, 2)) == pytest.approx(np.full(8, 3000), abs=1.5)
    assert dn.std(axis=(1, 2)) == pytest.approx(np.full(8, 100), abs=1)
    correlation = np.corrcoef(dn.reshape(8, -1))
    assert np.abs(correlation - np.eye(8)).max() < 0.02


def test_noise_is_the_same_in_any_window():
    image = np.full((2, 40, 50), 0.3, np.float32)
    whole = digitise(image, noise=0.01, place=(-20, 5))
    part = digitise(image[:, :7, :9].copy(), noise=0.01, place=(-9, 22))
    np.testing.assert_array_equal(part, whole[:, 11:18, 17:26])
