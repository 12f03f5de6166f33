"""Smooth fields: B-splines as SciPy has them, and the same variance everywhere."""

import numpy as np
import pytest
from scipy.interpolate import BSpline

from cvlarray.kernels.lattice import add_interpolated, spline_weights


def interpolate(nodes, positions_y, positions_x):
    row, row_weights = spline_weights(positions_y)
    col, col_weights = spline_weights(positions_x)
    field = np.zeros((row.size, col.size), np.float32)
    add_interpolated(nodes, row, row_weights, col, col_weights, field)
    return field


def basis(positions, n_nodes):
    """Return the cubic B-splines (position, node), scaled to unit Euclidean norm."""
    splines = np.stack(
        [BSpline.basis_element(np.arange(k - 2, k + 3), extrapolate=False)(positions)
         for k in range(n_nodes)],
        axis=1,
    )  # fmt: skip
    splines = np.nan_to_num(splines)
    return splines / np.linalg.norm(splines, axis=1, keepdims=True)


def test_equals_scipys_splines():
    rng = np.random.default_rng(1)
    nodes = rng.normal(size=(14, 11)).astype(np.float32)
    y, x = np.linspace(1, 11.9, 57), np.linspace(1, 8.9, 43)
    expected = basis(y, 14) @ nodes @ basis(x, 11).T
    np.testing.assert_allclose(interpolate(nodes, y, x), expected, atol=3e-6)


def test_variance_is_one_between_nodes_too():
    rng = np.random.default_rng(2)
    y = x = np.linspace(1.0, 2.0, 9)
    draws = [interpolate(rng.normal(size=(5, 5)).astype(np.float32), y, x) for _ in range(20_000)]
    assert np.std(draws, axis=0) == pytest.approx(np.ones((9, 9)), abs=0.02)


def test_adds_to_what_is_there():
    nodes = np.ones((5, 5), np.float32)
    row, weights = spline_weights(np.array([1.5]))
    field = np.full((1, 1), 7, np.float32)
    add_interpolated(nodes, row, weights, row, weights, field)
    assert field[0, 0] == pytest.approx(7 + weights.sum() ** 2)
