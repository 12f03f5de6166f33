"""A river that wanders keeps the geometry and the laws of the model."""

import numpy as np
import pytest

from cvlarray.kernels.meander import curvature, migrate, resample


def lengths(line):
    return np.hypot(*np.diff(line, axis=0).T)


def sine(n=300, amplitude=60.0, wavelength=1400.0):
    x = np.linspace(0, 9000, n)
    return np.column_stack([x, amplitude * np.sin(2 * np.pi * x / wavelength)])


def test_resampled_points_are_evenly_spaced_on_the_line():
    rng = np.random.default_rng(0)
    line = np.column_stack([np.sort(rng.uniform(0, 1000, 40)), np.zeros(40)])
    line[[0, -1], 0] = 0, 1000
    even = resample(line, 7.0)
    np.testing.assert_allclose(lengths(even), 1000 / 143, rtol=1e-9)
    np.testing.assert_array_equal(even[[0, -1]], line[[0, -1]])
    assert (even[:, 1] == 0).all()


@pytest.mark.parametrize("turn", [1, -1])
def test_curvature_of_a_circle(turn):
    angle = turn * np.linspace(0, 2, 50)
    circle = 250 * np.column_stack([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(curvature(circle)[1:-1], turn / 250, rtol=1e-3)


def test_bends_grow_and_move_downstream():
    start = sine()
    line, loops, _ = migrate(start, 100.0, 15.0, 120.0, 40)
    middle = line[np.abs(line[:, 0] - 4500) < 1500]
    assert np.abs(middle[:, 1]).max() > 1.5 * 60
    assert not loops

    def phase(points):
        waves = np.exp(-2j * np.pi * points[:, 0] / 1400)
        return np.angle((points[:, 1] * waves).sum())

    # A crest that has moved by d downstream has its phase turned back by d in wavelengths.
    moved = (phase(start[np.abs(start[:, 0] - 4500) < 1400]) - phase(middle)) % (2 * np.pi)
    assert 0 < moved < np.pi


def test_straight_rivers_stay_straight():
    line, loops, _ = migrate(sine(amplitude=0), 100.0, 15.0, 120.0, 100)
    assert np.abs(line[:, 1]).max() < 1e-9
    assert not loops


def test_necks_are_cut_off():
    line, loops, steps = migrate(sine(), 100.0, 15.0, 120.0, 300)
    assert len(loops) == len(steps) > 3
    assert steps == sorted(steps)
    for loop in loops:
        neck = np.hypot(*(loop[-1] - loop[0]))
        assert neck < 140 < 0.3 * lengths(loop).sum()
    # Nothing is left that is nearer than a channel and a half across, but far along.
    gap = np.hypot(*(line[:, np.newaxis] - line[np.newaxis]).transpose(2, 0, 1))
    far = np.abs(np.subtract.outer(np.arange(len(line)), np.arange(len(line)))) >= 30
    assert gap[far].min() > 70


def test_ends_stay():
    start = sine()
    line, _, _ = migrate(start, 100.0, 15.0, 120.0, 200)
    np.testing.assert_array_equal(line[[0, -1]], start[[0, -1]])
