"""Fill the basins of an image, as water would: dark spots enclosed by brighter ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit

N_LEVELS = 1 << 16
LOWEST = -32_768


def fill_basins(image: NDArray[np.int16], border_level: int) -> NDArray[np.int16]:
    """Return the image with each basin raised to the lowest point of its rim.

    Priority flood (Barnes et al., "Priority-flood", 2014, doi:10.1016/j.cageo.2013.04.024), which
    equals morphological reconstruction by erosion (Soille & Ansoult 1990): each pixel is queued
    once, by its level.

    Parameters
    ----------
    image
        int16 (y, x), 8-connected.
    border_level
        What lies around the image: a basin that leaves it is raised to this at least.

    Returns
    -------
    int16 (y, x), nowhere below ``image``.
    """
    filled = np.empty(image.shape, np.int16)
    if image.size:
        _fill_basins(np.ascontiguousarray(image), border_level, filled)
    return filled


@jit
def _fill_basins(image: NDArray[np.int16], border_level: int, filled: NDArray[np.int16]) -> None:
    height, width = image.shape
    # A stack of pixels a level, as lists linked through `below`.
    top = np.full(N_LEVELS, -1, np.int32)
    below = np.empty(image.size, np.int32)
    is_queued = np.zeros(image.size, np.bool_)
    flat, level_of = image.ravel(), filled.ravel()
    for y in range(height):
        is_edge_row = y in (0, height - 1)
        for x in range(0, width, 1 if is_edge_row else max(width - 1, 1)):
            p = y * width + x
            level_of[p] = max(flat[p], border_level)
            bucket = level_of[p] - LOWEST
            below[p], top[bucket], is_queued[p] = top[bucket], p, True
    for bucket in range(N_LEVELS):
        while top[bucket] >= 0:
            p = top[bucket]
            top[bucket] = below[p]
            y, x = p // width, p % width
            for row in range(max(y - 1, 0), min(y + 2, height)):
                for column in range(max(x - 1, 0), min(x + 2, width)):
                    q = row * width + column
                    if not is_queued[q]:
                        level_of[q] = max(flat[q], level_of[p])
                        other = level_of[q] - LOWEST
                        below[q], top[other], is_queued[q] = top[other], q, True
