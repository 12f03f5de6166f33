"""Smooth random fields: normals on the nodes of a lattice, cubic B-splines between them.

Weights are divided by their Euclidean norm, so the field has mean 0 and variance 1 at every point
and not just at the nodes: a share of it lies above a threshold as the normal distribution says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit


def spline_weights(
    positions: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return which nodes surround positions, and what each of the four contributes.

    Parameters
    ----------
    positions
        (n,) in units of the lattice's spacing.

    Returns
    -------
    First node (n,) int64, and weights (4, n) float32 of unit Euclidean norm.
    """
    node = np.floor(positions)
    t = positions - node
    weights = np.stack([
        (1 - t) ** 3,
        3 * t**3 - 6 * t**2 + 4,
        -3 * t**3 + 3 * t**2 + 3 * t + 1,
        t**3,
    ])  # fmt: skip
    weights /= np.sqrt((weights**2).sum(axis=0))
    return node.astype(np.int64) - 1, weights.astype(np.float32)


@jit
def add_interpolated(
    nodes: NDArray[np.float32],
    rows: NDArray[np.int64],
    row_weights: NDArray[np.float32],
    cols: NDArray[np.int64],
    col_weights: NDArray[np.float32],
    field: NDArray[np.float32],
) -> None:
    """Add an interpolated lattice to a field.

    Parameters
    ----------
    nodes
        (node row, node column) values.
    rows, cols
        First of the four nodes of each pixel row (y) and column (x), as indices into ``nodes``.
    row_weights, col_weights
        (4, y) and (4, x), from `spline_weights`.
    field
        (y, x) float32, added to.
    """
    line = np.empty(nodes.shape[1], np.float32)
    for r in range(field.shape[0]):
        j = rows[r]
        a, b, c, d = row_weights[0, r], row_weights[1, r], row_weights[2, r], row_weights[3, r]
        for n in range(line.size):
            line[n] = (
                a * nodes[j, n] + b * nodes[j + 1, n] + c * nodes[j + 2, n] + d * nodes[j + 3, n]
            )
        for i in range(field.shape[1]):
            k = cols[i]
            field[r, i] += (
                line[k] * col_weights[0, i]
                + line[k + 1] * col_weights[1, i]
                + line[k + 2] * col_weights[2, i]
                + line[k + 3] * col_weights[3, i]
            )
