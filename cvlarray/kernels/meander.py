"""How a river bends: migration of a centreline by curvature, with cutoffs that leave oxbows.

The kinematic model of Howard and Knutson, "Sufficient conditions for river meandering: a simulation
approach", Water Resources Research 20, 1984, doi:10.1029/WR020i011p01659, in the linear form of
Sylvester et al., Geology 47, 2019, doi:10.1130/G45608.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit

Line = NDArray[np.float64]
"""(n, 2) points, x and y."""

_LOCAL, _UPSTREAM = -1.0, 2.5
"""Weights of the local and of the upstream curvature (Howard and Knutson, 1984)."""
_STILL = 40
"""Points at either end over which the river gets going; a fixed end would curl up."""


@jit
def resample(line: Line, step: float) -> Line:
    """Return a polyline with points about ``step`` apart, its ends kept."""
    n = line.shape[0]
    along = np.zeros(n)
    for i in range(1, n):
        along[i] = along[i - 1] + np.hypot(line[i, 0] - line[i - 1, 0], line[i, 1] - line[i - 1, 1])
    n_new = max(int(np.rint(along[-1] / step)), 1) + 1
    even = np.empty((n_new, 2))
    k = 0
    for i in range(n_new):
        place = along[-1] * i / (n_new - 1)
        while k < n - 2 and along[k + 1] < place:
            k += 1
        length = along[k + 1] - along[k]
        share = (place - along[k]) / length if length > 0 else 0.0
        for axis in range(2):
            even[i, axis] = line[k, axis] + share * (line[k + 1, axis] - line[k, axis])
    even[n_new - 1] = line[n - 1]
    return even


@jit
def curvature(line: Line) -> NDArray[np.float64]:
    """Return the curvature (n,) at each point, positive to the left; 0 at the ends."""
    bend = np.zeros(line.shape[0])
    for i in range(1, line.shape[0] - 1):
        ax, ay = line[i, 0] - line[i - 1, 0], line[i, 1] - line[i - 1, 1]
        bx, by = line[i + 1, 0] - line[i, 0], line[i + 1, 1] - line[i, 1]
        cx, cy = ax + bx, ay + by
        product = np.hypot(ax, ay) * np.hypot(bx, by) * np.hypot(cx, cy)
        bend[i] = 2 * (ax * by - ay * bx) / product if product > 0 else 0.0
    return bend


@jit
def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values averaged with their neighbours."""
    smooth = values.copy()
    for i in range(1, values.size - 1):
        smooth[i] = 0.25 * values[i - 1] + 0.5 * values[i] + 0.25 * values[i + 1]
    return smooth


@jit
def _step(line: Line, width: float, rate: float, memory: float) -> None:
    """Move each point across the stream; ``memory`` is how far downstream a bend is felt."""
    bend = _smooth(_smooth(curvature(line)))
    upstream, weight = 0.0, 0.0
    moves = np.zeros_like(line)
    for i in range(1, line.shape[0] - 1):
        length = np.hypot(line[i, 0] - line[i - 1, 0], line[i, 1] - line[i - 1, 1])
        fade = np.exp(-length / memory)
        upstream = fade * upstream + bend[i] * width
        weight = fade * weight + 1.0
        start = min(1.0, min(i, line.shape[0] - 1 - i) / _STILL)
        speed = start * rate * (_LOCAL * bend[i] * width + _UPSTREAM * upstream / weight)
        dx, dy = line[i + 1, 0] - line[i - 1, 0], line[i + 1, 1] - line[i - 1, 1]
        norm = np.hypot(dx, dy)
        if norm > 0:
            # To the outside of the bend: right of the flow where it turns left.
            moves[i, 0], moves[i, 1] = speed * dy / norm, -speed * dx / norm
    line += moves


@jit
def _find_cutoff(line: Line, reach: float, nearest: int, farthest: int) -> tuple[int, int]:
    """Return the first two points, far along the line, that have come within reach; -1 if none."""
    n = line.shape[0]
    for i in range(n - nearest):
        j = i + nearest
        while j < min(n, i + farthest):
            dx, dy = line[j, 0] - line[i, 0], line[j, 1] - line[i, 1]
            distance = np.hypot(dx, dy)
            if distance < reach:
                return i, j
            # No point nearer than that along the line can be within reach.
            j += max(1, int((distance - reach) / (1.5 * reach) * 3))
    return -1, -1


@jit
def migrate(
    line: Line, width: float, rate: float, memory: float, n_steps: int
) -> tuple[Line, list[Line], list[int]]:
    """Let a river wander.

    Parameters
    ----------
    line
        Centreline, downstream; its ends stay.
    width
        Of the channel, in the line's units. Points are kept half a width apart.
    rate
        Widths the bank moves a step where radius and width are equal, times ``width``.
    memory
        Distance over which upstream bends are felt.
    n_steps
        Steps.

    Returns
    -------
    Centreline, the bends that were cut off, and the step each was.
    """
    spacing = 0.5 * width
    line = resample(line, spacing)
    loops = [line[:1].copy() for _ in range(0)]
    steps = [0 for _ in range(0)]
    for step in range(n_steps):
        _step(line, width, rate, memory)
        line = resample(line, spacing)
        if step % 4 == 0:
            i, j = _find_cutoff(line, 1.4 * width, 9, 400)
            while i >= 0:
                loops.append(line[i : j + 1].copy())
                steps.append(step)
                line = resample(np.concatenate((line[: i + 1], line[j:])), spacing)
                i, j = _find_cutoff(line, 1.4 * width, 9, 400)
    return line, loops, steps
