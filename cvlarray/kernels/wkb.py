"""Polygons as well-known binary, straight from vertices on a grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.accelerate import jit

__all__ = ["polygons_to_wkb"]

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

POLYGON_HEADER, RING_HEADER, POINT = 9, 4, 16
"""Bytes: order, type and number of rings; number of points; x and y."""


@jit
def polygons_to_wkb(
    points: IntArray, ring_offsets: KeyArray, polygon_offsets: KeyArray, x: Bytes, y: Bytes
) -> tuple[Bytes, KeyArray]:
    """Return polygons as little-endian WKB, one after the other.

    Parameters
    ----------
    points
        (n, 2) row and column of vertices; rings aren't closed.
    ring_offsets
        (rings + 1,) into ``points``.
    polygon_offsets
        (polygons + 1,) into the rings; the first ring is the outer one.
    x
        (columns, 8) the bytes of the coordinate of each column as little-endian float64. Looked up
        and not computed here, so that every machine rounds alike.
    y
        (rows, 8) the same for rows.

    Returns
    -------
    The bytes, and (polygons + 1,) where each polygon starts.
    """
    n_polygons = len(polygon_offsets) - 1
    n_rings = len(ring_offsets) - 1
    wkb = np.empty(
        POLYGON_HEADER * n_polygons + RING_HEADER * n_rings + POINT * (len(points) + n_rings),
        np.uint8,
    )
    offsets = np.empty(n_polygons + 1, np.int64)
    offsets[0] = 0
    place = 0
    for polygon in range(n_polygons):
        first, stop = polygon_offsets[polygon], polygon_offsets[polygon + 1]
        wkb[place] = 1
        _write_count(wkb, place + 1, 3)
        _write_count(wkb, place + 5, stop - first)
        place += POLYGON_HEADER
        for ring in range(first, stop):
            start, end = ring_offsets[ring], ring_offsets[ring + 1]
            _write_count(wkb, place, end - start + 1)
            place += RING_HEADER
            for point in range(start, end + 1):
                vertex = point if point < end else start
                row, col = points[vertex, 0], points[vertex, 1]
                for byte in range(8):
                    wkb[place + byte] = x[col, byte]
                    wkb[place + 8 + byte] = y[row, byte]
                place += POINT
        offsets[polygon + 1] = place
    return wkb, offsets


@jit
def _write_count(wkb: Bytes, place: int, count: int) -> None:
    for byte in range(4):
        wkb[place + byte] = count >> 8 * byte & 255
