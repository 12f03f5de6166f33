"""Correlated random fields at any place, a sum of octaves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.counter_random import NORMAL_QUANTILES, random_field
from cvlarray.kernels.lattice import add_interpolated, spline_weights
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.randomness import field_key

Octaves = Mapping[float, float]
"""Spacing of the nodes [m] -> weight; what is fine and what is coarse in a field."""


def smooth_field(
    seed: int, purpose: tuple[str | int, ...], octaves: Octaves, pixels: Pixels
) -> NDArray[np.float32]:
    """Return a window of a smooth Gaussian field.

    Parameters
    ----------
    seed, purpose
        What makes the field the one it is.
    octaves
        Its spectrum.
    pixels
        Where it is wanted.

    Returns
    -------
    (y, x) float32, standard normal at each point; neighbours are alike over about twice the
    spacing of an octave. The same at a place whatever the window.
    """
    field = np.zeros(pixels.shape, np.float32)
    total = np.sqrt(sum(weight**2 for weight in octaves.values()))
    for spacing, weight in octaves.items():
        key = field_key(seed, *purpose, round(spacing * 1000))
        row, row_weights = spline_weights(-pixels.y / spacing)
        col, col_weights = spline_weights(pixels.x / spacing)
        shape = int(row[-1] - row[0]) + 4, int(col[-1] - col[0]) + 4
        nodes = np.empty(shape, np.float32)
        random_field(int(row[0]), int(col[0]), key, NORMAL_QUANTILES, nodes)
        row_weights *= np.float32(weight / total)
        add_interpolated(nodes, row - row[0], row_weights, col - col[0], col_weights, field)
    return field
