"""Shadows of clouds: dark spots that lie where the sun would throw a cloud's shadow.

Dark spots are basins of the near and short-wave infrared (Zhu & Woodcock 2012,
doi:10.1016/j.rse.2011.10.028; both bands: Zhu et al. 2015, doi:10.1016/j.rse.2014.12.014), measured
against the rim of the basin: a shadow takes a share of the light, whatever the ground. Each cloud
is then moved along the sun's direction until the most of it is dark (same papers), and a dark spot
is a shadow if most of it is near such a place, or where only a cloud outside the image can throw
one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.flood import fill_basins
from cvlarray.kernels.morphology import EIGHT_NEIGHBOURS, grown, majority

NODATA = np.int16(-32_768)

DARKENED = np.float32(0.15)
"""Share of the rim's light that a dark spot lacks at least; 0.02 of reflectance, as published,
takes every slope for a shadow. This and the next two were chosen on three labelled chips; 0.15 to
0.2, 5 to 12 and 0.2 to 0.5 do as well, also on each chip if chosen on the other two."""
NEAR_PX = 8
"""How far a dark spot may lie beside the place where a cloud's shadow is looked for."""
MATCHED_SHARE = 0.5
"""Share of a dark spot that must lie there."""

SIMILAR = 0.3
"""Share of a moved cloud that must be dark for a match (Zhu & Woodcock 2012)."""
MIN_CLOUD_PX = 9
"""Smaller clouds aren't matched."""
MIN_FREE_SHARE = 0.1
"""Share of a moved cloud that must be free of clouds and inside the image to judge it by."""
CLOUDED = np.uint8(2)
"""Where there is a cloud; else 1 where it is dark, and 0."""
MAX_SAMPLES = 400
"""Pixels of a cloud that are looked at, spread evenly: a share within 0.03."""
STEP_PX = 2.0
"""Between the distances that are tried; well below `NEAR_PX`."""

MAX_DARKNESS = np.float32(0.4)
"""More counts as this when the common direction is looked for: water is darker than any shadow."""
MAX_SIDE_PX = 1024
"""Larger images are averaged down before."""
STANDS_OUT, MIN_CONTRAST = 4.0, 0.05
"""By how much the best displacement must be darker than the average one, in standard deviations and
as a share of the light: 5 to 10 and 0.09 to 0.26 on labelled chips."""


class Displacement(NamedTuple):
    """From a cloud to its shadow."""

    down: float
    """Rows per pixel of distance."""
    right: float
    """Columns per pixel of distance."""
    nearest_px: float
    """Least distance."""
    farthest_px: float


def darkness(band: NDArray[np.int16], border_level: float) -> NDArray[np.float32]:
    """Return which share of the light of its surroundings each pixel lacks.

    Parameters
    ----------
    band
        Reflectance × 10,000 (y, x), -32768 missing.
    border_level
        What is assumed around the image and where it is missing; NaN for no assumption.

    Returns
    -------
    float32 (y, x), from 0 to 1; 0 outside basins and where missing.
    """
    level = int(NODATA) if np.isnan(border_level) else round(border_level)
    is_missing = band == NODATA
    known = np.where(is_missing, np.int16(level), band)
    rim = fill_basins(known, level)
    depth = (rim.astype(np.int32) - known).astype(np.float32)
    share = np.clip(depth / np.maximum(rim, 1), 0, 1)
    return np.where(is_missing, np.float32(0), share).astype(np.float32)


def common_displacement(
    is_cloud: NDArray[np.bool_], dark: NDArray[np.float32], max_distance_px: float
) -> Displacement | None:
    """Return how shadows lie to their clouds, as the image itself tells.

    Of all displacements the one is taken at which the moved clouds are darkest, on average over
    what is free of clouds; the clouds of a scene are mostly of like height.

    Parameters
    ----------
    is_cloud
        Boolean (y, x).
    dark
        From `darkness`.
    max_distance_px
        Farthest that a shadow may be.

    Returns
    -------
    Direction, and 0.3 to 2 times the distance found; None if no displacement stands out.
    """
    step = -(-max(is_cloud.shape) // MAX_SIDE_PX)
    cloud = _averaged(is_cloud.astype(np.float32), step)
    free = _averaged((~is_cloud).astype(np.float32), step)
    light = _averaged(np.where(is_cloud, 0, np.minimum(dark, MAX_DARKNESS)), step)
    reach = int(min(max_distance_px / step, min(cloud.shape) / 2))
    if reach < 1 or not is_cloud.any():
        return None
    lost, seen = (_correlated(cloud, one, reach) for one in (light, free))
    is_judged = seen > MIN_FREE_SHARE * cloud.sum()
    score = np.where(is_judged, lost / np.maximum(seen, 1), 0)
    best = np.unravel_index(int(score.argmax()), score.shape)
    if not _stands_out(score[is_judged]):
        return None
    down, right = (int(one) - reach for one in best)
    distance = float(np.hypot(down, right))
    if distance == 0:
        return None
    near, far = 0.3 * distance * step, 2 * distance * step
    return Displacement(down / distance, right / distance, near, far)


def matched_shadows(
    is_cloud: NDArray[np.bool_],
    dark: NDArray[np.float32],
    displacement: Displacement | None,
) -> NDArray[np.bool_]:
    """Return where the shadows of clouds are.

    Parameters
    ----------
    is_cloud
        Boolean (y, x).
    dark
        From `darkness`.
    displacement
        Where to look for a cloud's shadow; None takes every dark spot for one, if there is a cloud.

    Returns
    -------
    Boolean (y, x); False under clouds.
    """
    is_dark = majority(dark > DARKENED) & ~is_cloud
    if displacement is None:
        return is_dark & is_cloud.any()
    moved, distance = _moved_clouds(is_cloud, is_dark, displacement)
    near = grown(moved, NEAR_PX) | _beyond_clouds(moved.shape, displacement, distance)
    labels, n_spots = ndimage.label(is_dark, EIGHT_NEIGHBOURS)
    size = np.bincount(labels.ravel(), minlength=n_spots + 1)
    size_near = np.bincount(labels[near], minlength=n_spots + 1)
    is_shadow = size_near >= MATCHED_SHARE * size
    is_shadow[0] = False
    shadow: NDArray[np.bool_] = is_shadow[labels]
    return shadow


def _stands_out(scores: NDArray[np.float32]) -> bool:
    """Return whether the largest score is no chance."""
    if scores.size == 0:
        return False
    contrast = float(scores.max() - scores.mean())
    return contrast > max(STANDS_OUT * float(scores.std()), MIN_CONTRAST)


def _averaged(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return means of step × step pixels, without incomplete ones at the end."""
    if step == 1:
        return image
    height, width = (size // step for size in image.shape)
    blocks = image[: height * step, : width * step].reshape(height, step, width, step)
    means: NDArray[np.float32] = blocks.mean(axis=(1, 3))
    return means


def _correlated(
    moved: NDArray[np.float32], fixed: NDArray[np.float32], reach: int
) -> NDArray[np.float32]:
    """Return the sums of products at all displacements from -reach to reach, (down, right)."""
    shape = [fft.next_fast_len(size + reach, real=True) for size in moved.shape]
    spectrum = np.conj(fft.rfft2(moved, shape)) * fft.rfft2(fixed, shape)
    sums = np.roll(fft.irfft2(spectrum, shape), (reach, reach), axis=(0, 1))
    kept: NDArray[np.float32] = np.maximum(sums[: 2 * reach + 1, : 2 * reach + 1], 0)
    return kept.astype(np.float32)


def _beyond_clouds(
    shape: tuple[int, ...], displacement: Displacement, distance: float
) -> NDArray[np.bool_]:
    """Return where a shadow at a distance would be that of a cloud outside the image."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    y = rows - round(displacement.down * distance)
    x = columns - round(displacement.right * distance)
    return (y < 0) | (y >= shape[0]) | (x < 0) | (x >= shape[1])


def _moved_clouds(
    is_cloud: NDArray[np.bool_], is_dark: NDArray[np.bool_], displacement: Displacement
) -> tuple[NDArray[np.bool_], float]:
    """Return all clouds, each moved to where the most of it is dark, and the usual distance."""
    labels, n_clouds = ndimage.label(is_cloud, EIGHT_NEIGHBOURS)
    sizes = np.bincount(labels.ravel(), minlength=n_clouds + 1)[1:]
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    order = np.empty(bounds[-1], np.int64)
    _sort_by_label(labels.ravel(), bounds[:-1].copy(), order)
    moved = np.zeros(is_cloud.shape, np.bool_)
    distances = np.full(n_clouds, np.nan)
    ground = np.where(is_cloud, CLOUDED, is_dark.view(np.uint8))
    _move_clouds(ground, order, bounds, displacement, moved, distances)
    return moved, _usual(distances, sizes)


def _usual(distances: NDArray[np.float64], sizes: NDArray[np.int64]) -> float:
    """Return the median distance of all pixels of matched clouds; 0 if none is."""
    is_matched = np.isfinite(distances)
    if not is_matched.any():
        return 0.0
    order = np.argsort(distances[is_matched])
    below = np.cumsum(sizes[is_matched][order])
    return float(distances[is_matched][order][np.searchsorted(below, below[-1] / 2)])


@jit
def _sort_by_label(
    labels: NDArray[np.int32], next_place: NDArray[np.int64], order: NDArray[np.int64]
) -> None:
    """List the pixels of each cloud, in their order; a cloud's first place is given."""
    for p in range(labels.size):
        label = labels[p]
        if label:
            order[next_place[label - 1]] = p
            next_place[label - 1] += 1


@jit
def _move_clouds(
    ground: NDArray[np.uint8],
    order: NDArray[np.int64],
    bounds: NDArray[np.int64],
    displacement: Displacement,
    moved: NDArray[np.bool_],
    distances: NDArray[np.float64],
) -> None:
    height, width = ground.shape
    down, right, nearest, farthest = displacement
    rows, columns = np.empty(2 * MAX_SAMPLES, np.int64), np.empty(2 * MAX_SAMPLES, np.int64)
    for number in range(bounds.size - 1):
        start, stop = bounds[number], bounds[number + 1]
        size = stop - start
        if size < MIN_CLOUD_PX:
            continue
        step = max(size // MAX_SAMPLES, 1)
        n_samples = (size + step - 1) // step
        for i in range(n_samples):
            rows[i], columns[i] = divmod(order[start + i * step], width)
        best_share, best_distance = SIMILAR, -1.0
        distance = nearest
        while distance <= farthest:
            dy, dx = int(np.rint(down * distance)), int(np.rint(right * distance))
            n_free, n_dark = 0, 0
            for i in range(n_samples):
                y, x = rows[i] + dy, columns[i] + dx
                if 0 <= y < height and 0 <= x < width:
                    below = ground[y, x]
                    n_free += below != CLOUDED
                    n_dark += below == 1
            if n_free > max(MIN_FREE_SHARE * n_samples, 2) and n_dark > best_share * n_free:
                best_share, best_distance = n_dark / n_free, distance
            distance += STEP_PX
        if best_distance < 0:
            continue
        distances[number] = best_distance
        dy, dx = int(np.rint(down * best_distance)), int(np.rint(right * best_distance))
        for i in range(start, stop):
            y, x = order[i] // width + dy, order[i] % width + dx
            if 0 <= y < height and 0 <= x < width:
                moved[y, x] = True
