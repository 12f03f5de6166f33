"""Shapes of masks: grow them, drop the small ones. Each pixel is decided by a bounded window.

So a block gives what the whole would, if it comes with a halo: ``radius_px`` pixels for
`grown`, ``min_px - 1`` for `without_small`, 1 for `majority`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cvlarray.kernels.accelerate import jit

EIGHT_NEIGHBOURS = np.ones((3, 3), np.bool_)


def grown(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """Return what lies within a distance of a mask, as by a disc.

    Parameters
    ----------
    mask
        Boolean (y, x).
    radius_px
        Largest distance between the centres of pixels, 0 to 254.

    Returns
    -------
    Boolean (y, x).
    """
    result = np.empty(mask.shape, np.bool_)
    _grow(np.ascontiguousarray(mask), radius_px, result)
    return result


def without_small(mask: NDArray[np.bool_], min_px: int) -> NDArray[np.bool_]:
    """Return a mask without its objects of fewer than some pixels.

    Parameters
    ----------
    mask
        Boolean (y, x).
    min_px
        Least pixels of an object; pixels that touch at a corner belong together.

    Returns
    -------
    Boolean (y, x).
    """
    if min_px <= 1:
        return mask.copy()
    labels, _ = ndimage.label(mask, EIGHT_NEIGHBOURS)
    is_large = np.bincount(labels.ravel()) >= min_px
    is_large[0] = False
    kept: NDArray[np.bool_] = is_large[labels]
    return kept


def majority(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where at least 5 of a pixel and its 8 neighbours are True; none lie beyond the edge.

    Parameters
    ----------
    mask
        Boolean (y, x).

    Returns
    -------
    Boolean (y, x).
    """
    count = mask.astype(np.uint8)
    for axis in (0, 1):
        padded = np.pad(count, [(1, 1) if axis == along else (0, 0) for along in (0, 1)])
        size = count.shape[axis]
        parts = [padded.take(range(start, start + size), axis) for start in range(3)]
        count = parts[0] + parts[1] + parts[2]
    return count >= 5


@jit
def _grow(mask: NDArray[np.bool_], radius: int, result: NDArray[np.bool_]) -> None:
    """Mark pixels by their vertical distance to the mask, then look along the row."""
    height, width = mask.shape
    far = radius + 1
    reach = np.empty(radius + 1, np.int64)
    for dx in range(radius + 1):
        reach[dx] = int(np.sqrt(radius * radius - dx * dx))
    vertical = np.empty((height, width), np.uint8)
    for x in range(width):
        vertical[0, x] = 0 if mask[0, x] else far
    for y in range(1, height):
        for x in range(width):
            vertical[y, x] = 0 if mask[y, x] else min(vertical[y - 1, x] + 1, far)
    for y in range(height - 2, -1, -1):
        for x in range(width):
            vertical[y, x] = min(vertical[y, x], vertical[y + 1, x] + 1)
    for y in range(height):
        for x in range(width):
            result[y, x] = vertical[y, x] <= radius
        for dx in range(1, radius + 1):
            limit = reach[dx]
            for x in range(width - dx):
                result[y, x] |= vertical[y, x + dx] <= limit
                result[y, x + dx] |= vertical[y, x] <= limit
