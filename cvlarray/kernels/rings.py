"""Joining boundary lines into rings, and measuring them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.accelerate import jit

__all__ = [
    "chain_lines",
    "close_rings",
    "copy_lines",
    "ring_pixels",
    "rotate_rings",
    "unite_pairs",
]

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]


@jit
def unite_pairs(count: int, ones: KeyArray, others: KeyArray) -> KeyArray:
    """Return for each of ``count`` elements the smallest one it is connected with.

    Parameters
    ----------
    count
        Elements, numbered from 0.
    ones, others
        (pairs,) elements that belong together.
    """
    parent = np.arange(count)
    for pair in range(len(ones)):
        one, other = ones[pair], others[pair]
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        while parent[other] != other:
            parent[other] = parent[parent[other]]
            other = parent[other]
        if one < other:
            parent[other] = one
        else:
            parent[one] = other
    for element in range(count):  # a parent is never larger, so it is final by now
        parent[element] = parent[parent[element]]
    return parent


@jit
def chain_lines(successors: KeyArray) -> tuple[KeyArray, KeyArray, int]:
    """Put lines in the order in which they follow each other.

    Parameters
    ----------
    successors
        (lines,) the line that follows each, -1 where none does; no line follows two.

    Returns
    -------
    Lines in order (lines,); where each chain starts (chains + 1,); how many chains are open. Open
    chains come first, then closed ones, each kind by its first line.
    """
    count = len(successors)
    is_first = np.ones(count, np.bool_)
    for line in range(count):
        if successors[line] >= 0:
            is_first[successors[line]] = False
    order = np.empty(count, np.int64)
    offsets = np.zeros(count + 1, np.int64)
    seen = np.zeros(count, np.bool_)
    n_lines, n_chains, n_open = 0, 0, 0
    for closed in range(2):
        for first in range(count):
            if seen[first] or (closed == 0 and not is_first[first]):
                continue
            line = first
            while line >= 0 and not seen[line]:
                seen[line] = True
                order[n_lines] = line
                n_lines += 1
                line = successors[line]
            n_chains += 1
            offsets[n_chains] = n_lines
        if closed == 0:
            n_open = n_chains
    return order, offsets[: n_chains + 1].copy(), n_open


@jit
def copy_lines(
    points: IntArray, offsets: KeyArray, lines: KeyArray, target: IntArray, places: KeyArray
) -> None:
    """Copy lines to given places of another array.

    Parameters
    ----------
    points
        (n, 2) vertices, line after line.
    offsets
        (lines + 1,) where each line starts.
    lines
        (m,) lines to copy.
    target
        (k, 2) where to.
    places
        (m,) where each of them starts in ``target``.
    """
    for number in range(len(lines)):
        start, stop = offsets[lines[number]], offsets[lines[number] + 1]
        shift = places[number] - start
        for point in range(start, stop):
            target[point + shift, 0] = points[point, 0]
            target[point + shift, 1] = points[point, 1]


@jit
def rotate_rings(points: IntArray, offsets: KeyArray) -> None:
    """Make rings start, in place, at their first vertex from the top left, row by row.

    The points of a ring are not repeated at its end.
    """
    for ring in range(len(offsets) - 1):
        start, stop = offsets[ring], offsets[ring + 1]
        first = start
        for point in range(start + 1, stop):
            row, col = points[point, 0], points[point, 1]
            if row < points[first, 0] or (row == points[first, 0] and col < points[first, 1]):
                first = point
        if first > start:  # turning round both parts and then the whole moves one before the other
            _reverse(points, start, first)
            _reverse(points, first, stop)
            _reverse(points, start, stop)


@jit
def _reverse(points: IntArray, start: int, stop: int) -> None:
    for step in range((stop - start) // 2):
        one, other = start + step, stop - 1 - step
        row, col = points[one, 0], points[one, 1]
        points[one, 0], points[one, 1] = points[other, 0], points[other, 1]
        points[other, 0], points[other, 1] = row, col


@jit
def ring_pixels(points: IntArray, offsets: KeyArray) -> KeyArray:
    """Return the pixels inside each ring, negative for holes.

    Vertices are (row, column); the inside is on the left hand, seen with row 0 on top.
    """
    pixels = np.zeros(len(offsets) - 1, np.int64)
    for ring in range(len(offsets) - 1):
        start, stop = offsets[ring], offsets[ring + 1]
        total = 0
        before = stop - 1
        for point in range(start, stop):
            total += np.int64(points[point, 1]) * (points[point, 0] - points[before, 0])
            before = point
        pixels[ring] = -total
    return pixels


@jit
def close_rings(points: IntArray, offsets: KeyArray) -> tuple[IntArray, KeyArray]:
    """Return rings with their first point repeated at the end, as geometry libraries have them."""
    n_rings = len(offsets) - 1
    closed = np.empty((len(points) + n_rings, 2), np.int32)
    closed_offsets = np.empty(n_rings + 1, np.int64)
    closed_offsets[0] = 0
    for ring in range(n_rings):
        start, stop = offsets[ring], offsets[ring + 1]
        for point in range(start, stop):
            closed[point + ring, 0], closed[point + ring, 1] = points[point, 0], points[point, 1]
        closed[stop + ring, 0], closed[stop + ring, 1] = points[start, 0], points[start, 1]
        closed_offsets[ring + 1] = stop + ring + 1
    return closed, closed_offsets
