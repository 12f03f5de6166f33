"""Connected components of pixels given as a list, for masks that are mostly empty."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.accelerate import jit

__all__ = ["label_pixels"]

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]


@jit
def label_pixels(
    rows: IntArray, cols: IntArray, values: KeyArray, max_step: int, is_eight: bool
) -> KeyArray:
    """Label the connected components of pixels whose values differ little from neighbour to next.

    Parameters
    ----------
    rows, cols
        (n,) places of the pixels, ordered by row and then column, each once.
    values
        (n,) such as dates.
    max_step
        Neighbours whose values differ by more aren't connected to each other; 0: only equal ones.
    is_eight
        Whether pixels that touch in a corner are neighbours.

    Returns
    -------
    (n,) labels 0, 1, ..., in the order of each component's first pixel.
    """
    parent = np.arange(len(rows))
    reach = 1 if is_eight else 0
    above = 0  # the first pixel of the row above that isn't yet too far left
    for pixel in range(len(rows)):
        row, col = rows[pixel], cols[pixel]
        if pixel > 0 and rows[pixel - 1] == row and cols[pixel - 1] == col - 1:
            _unite(parent, values, max_step, pixel - 1, pixel)
        while rows[above] < row - 1 or (rows[above] == row - 1 and cols[above] < col - reach):
            above += 1
        other = above
        while other < pixel and rows[other] == row - 1 and cols[other] <= col + reach:
            _unite(parent, values, max_step, other, pixel)
            other += 1
    labels = np.empty(len(rows), np.int64)
    n_labels = 0
    for pixel in range(len(rows)):
        root = _find(parent, pixel)
        if root == pixel:
            labels[pixel] = n_labels
            n_labels += 1
        else:
            labels[pixel] = labels[root]
    return labels


@jit
def _unite(parent: KeyArray, values: KeyArray, max_step: int, one: int, other: int) -> None:
    """Make two pixels' components one, if their values allow; the first pixel stands for it."""
    if abs(values[one] - values[other]) > max_step:
        return
    one, other = _find(parent, one), _find(parent, other)
    if one < other:
        parent[other] = one
    else:
        parent[one] = other


@jit
def _find(parent: KeyArray, pixel: int) -> int:
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel
