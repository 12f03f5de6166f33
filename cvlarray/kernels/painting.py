"""Polygons and river courses drawn on a pixel grid, the same pixels whatever window is drawn.

A grid is three numbers an axis: the centre of its pixel 0, the distance between pixels, and the
index of the window's first. Edges are compared with pixel centres in those, never in coordinates
of the window, so rounding is the same in each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit

Axis = tuple[float, float, int]
"""Centre of pixel 0, step to the next (negative for rows), index of the window's first pixel."""


class Polygons(NamedTuple):
    """Polygons end to end."""

    vertices: NDArray[np.float64]
    """(n, 2) x and y; a polygon's end is joined to its start."""
    offsets: NDArray[np.int64]
    """(polygons + 1,) where each polygon starts."""
    onto: NDArray[np.int64]
    """(polygons,) the value on which alone each may be painted, -1 for any."""
    stays: NDArray[np.bool_]
    """(polygons,) whether later ones leave its pixels alone."""
    is_noted: NDArray[np.bool_]
    """(polygons,) of which it is noted where they were painted."""


class Courses(NamedTuple):
    """River courses end to end."""

    points: NDArray[np.float64]
    """(n, 4) x, y, half the channel's width, and bend (width / radius, positive to the left)."""
    starts: NDArray[np.int64]
    """(courses + 1,) where each starts."""
    reaches: NDArray[np.float64]
    """(courses,) distance from the bank up to which pixels are looked at."""


@jit
def paint_polygons(
    polygons: Polygons,
    chosen: NDArray[np.int64],
    y_axis: Axis,
    x_axis: Axis,
    first_value: int,
    painted: NDArray[np.int32],
    noted: NDArray[np.int32],
) -> None:
    """Give each polygon's number to the pixels whose centres lie in it; later ones cover earlier.

    Parameters
    ----------
    polygons
        All of them.
    chosen
        Which to paint, in this order.
    y_axis, x_axis
        Grid of the window.
    first_value
        Polygon ``k`` is painted as ``first_value + k``.
    painted
        (y, x) int32, written.
    noted
        (y, x) int32, the first at each pixel of those noted, written where it was negative; of
        shape (0, 0) if nobody wants to know.
    """
    vertices, offsets, onto, stays, is_noted = polygons
    height, width = painted.shape
    is_asked = noted.size > 0
    origin_y, step_y, row0 = y_axis
    origin_x, step_x, col0 = x_axis
    crossings = np.empty(64, np.float64)
    for k in chosen:
        start, stop = offsets[k], offsets[k + 1]
        top, bottom = vertices[start, 1], vertices[start, 1]
        for i in range(start, stop):
            top, bottom = max(top, vertices[i, 1]), min(bottom, vertices[i, 1])
        first = max(0, int(np.floor((top - origin_y) / step_y)) - row0)
        last = min(height - 1, int(np.ceil((bottom - origin_y) / step_y)) - row0)
        if stop - start > crossings.size:
            crossings = np.empty(stop - start, np.float64)
        for r in range(first, last + 1):
            y = origin_y + (row0 + r) * step_y
            n = 0
            before = stop - 1
            for i in range(start, stop):
                y1, y2 = vertices[before, 1], vertices[i, 1]
                if (y1 > y) != (y2 > y):
                    share = (y - y1) / (y2 - y1)
                    x1, x2 = vertices[before, 0], vertices[i, 0]
                    crossings[n] = x1 + share * (x2 - x1)
                    n += 1
                before = i
            crossings[:n].sort()
            for pair in range(0, n - 1, 2):
                left = int(np.ceil((crossings[pair] - origin_x) / step_x)) - col0
                right = int(np.ceil((crossings[pair + 1] - origin_x) / step_x)) - col0
                for c in range(max(0, left), min(width, right)):
                    below = painted[r, c]
                    if onto[k] >= 0 and below != onto[k]:
                        continue
                    if below >= first_value and stays[below - first_value]:
                        continue
                    painted[r, c] = first_value + k
                    if is_asked and is_noted[k] and noted[r, c] < 0:
                        noted[r, c] = k


@jit
def nearest_course(
    courses: Courses,
    y_axis: Axis,
    x_axis: Axis,
    offset: NDArray[np.float32],
    half_width: NDArray[np.float32],
    bend: NDArray[np.float32],
) -> None:
    """Find, for each pixel, the course whose bank is nearest, or in whose channel it lies deepest.

    Parameters
    ----------
    courses
        All of them.
    y_axis, x_axis
        Grid of the window.
    offset
        (y, x) distance from the centreline, positive to the left of the flow; hand in infinity,
        which stays beyond reach.
    half_width, bend
        (y, x) of the nearest point; hand in zeros.
    """
    course, starts, reaches = courses
    height, width = offset.shape
    origin_y, step_y, row0 = y_axis
    origin_x, step_x, col0 = x_axis
    for line in range(starts.size - 1):
        reach = reaches[line]
        for i in range(starts[line], starts[line + 1] - 1):
            xa, ya, xb, yb = course[i, 0], course[i, 1], course[i + 1, 0], course[i + 1, 1]
            far = reach + max(course[i, 2], course[i + 1, 2])
            first = max(0, int(np.floor((max(ya, yb) + far - origin_y) / step_y)) - row0)
            last = min(height - 1, int(np.ceil((min(ya, yb) - far - origin_y) / step_y)) - row0)
            left = max(0, int(np.floor((min(xa, xb) - far - origin_x) / step_x)) - col0)
            right = min(width - 1, int(np.ceil((max(xa, xb) + far - origin_x) / step_x)) - col0)
            dx, dy = xb - xa, yb - ya
            square = max(dx * dx + dy * dy, 1e-12)
            for r in range(first, last + 1):
                py = origin_y + (row0 + r) * step_y - ya
                for c in range(left, right + 1):
                    px = origin_x + (col0 + c) * step_x - xa
                    share = min(max((px * dx + py * dy) / square, 0.0), 1.0)
                    ex, ey = px - share * dx, py - share * dy
                    distance = np.sqrt(ex * ex + ey * ey)
                    half = course[i, 2] + share * (course[i + 1, 2] - course[i, 2])
                    bank = distance - half
                    if bank > reach or bank >= abs(offset[r, c]) - half_width[r, c]:
                        continue
                    is_left = dx * py - dy * px >= 0
                    offset[r, c] = distance if is_left else -distance
                    half_width[r, c] = half
                    bend[r, c] = course[i, 3] + share * (course[i + 1, 3] - course[i, 3])
