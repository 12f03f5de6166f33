"""Large geometries cut into small pieces, so that an index finds the part that matters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

__all__ = ["Pieces", "cut_lines", "cut_polygons"]

POLYGON_VERTICES = 64
LINE_VERTICES = 16
"""Measured on 33,000 alerts against eight official layers; half and double cost more."""

MAX_HALVINGS = 40
"""Vertices that lie on one spot can't be told apart by cutting; what they are in stays larger."""

GeometryArray = npt.NDArray[np.object_]
IndexArray = npt.NDArray[np.int64]


class Pieces(NamedTuple):
    """Parts of features, in no particular order."""

    geometry: GeometryArray
    """(m,) not empty."""
    feature: IndexArray
    """(m,) which feature each is a part of."""


def cut_polygons(polygons: GeometryArray, max_vertices: int = POLYGON_VERTICES) -> Pieces:
    """Cut polygons in halves until none has more than ``max_vertices`` vertices, 10 or more.

    Parameters
    ----------
    polygons
        (n,) valid polygons or multipolygons.

    Returns
    -------
    Polygons whose union is the input's, and which overlap in lines only.
    """
    parts, feature = shapely.get_parts(polygons, return_index=True)
    done = [Pieces(parts[:0], feature[:0])]
    for _ in range(MAX_HALVINGS):
        small = shapely.get_num_coordinates(parts) <= max_vertices
        done.append(Pieces(parts[small], feature[small]))
        if small.all():
            break
        parts, feature = _halves(parts[~small], feature[~small])
    else:
        done.append(Pieces(parts, feature))
    return _joined(done)


def _halves(polygons: GeometryArray, feature: IndexArray) -> Pieces:
    west, south, east, north = shapely.bounds(polygons).T
    wide = east - west >= north - south
    middle_x = np.where(wide, (west + east) / 2, east)
    middle_y = np.where(wide, north, (south + north) / 2)
    low = shapely.box(west, south, middle_x, middle_y)
    high = shapely.box(np.where(wide, middle_x, west), np.where(wide, south, middle_y), east, north)
    halves = shapely.intersection(np.stack([polygons, polygons]), np.stack([low, high])).ravel()
    parts, index = shapely.get_parts(halves, return_index=True)
    areal = shapely.get_dimensions(parts) == 2
    return Pieces(parts[areal], np.tile(feature, 2)[index[areal]])


def cut_lines(geometry: GeometryArray, max_vertices: int = LINE_VERTICES) -> Pieces:
    """Cut the lines of geometries, or the borders of polygons, at their vertices.

    Parameters
    ----------
    geometry
        (n,) of any kind; points stay as they are.

    Returns
    -------
    Lines of at most ``max_vertices`` vertices, and points, that together are the input's outline.
    """
    areal = shapely.get_dimensions(geometry) == 2
    outlines = geometry.copy()
    outlines[areal] = shapely.boundary(geometry[areal])
    parts, feature = shapely.get_parts(outlines, return_index=True)
    linear = shapely.get_dimensions(parts) == 1
    return _joined(
        [
            _chunks(parts[linear], feature[linear], max_vertices),
            Pieces(parts[~linear], feature[~linear]),
        ]
    )


def _chunks(lines: GeometryArray, feature: IndexArray, max_vertices: int) -> Pieces:
    """Cut lines so that each piece starts at the vertex where the one before ends."""
    if not len(lines):
        return Pieces(lines, feature)
    step = max_vertices - 1
    n_vertices = shapely.get_num_coordinates(lines)
    n_chunks = -(-(n_vertices - 1) // step)
    line = np.repeat(np.arange(len(lines)), n_chunks)
    place = np.arange(len(line)) - np.repeat(np.cumsum(n_chunks) - n_chunks, n_chunks)
    offset = np.cumsum(n_vertices) - n_vertices
    first = offset[line] + place * step
    length = np.minimum(first + step, offset[line] + n_vertices[line] - 1) - first + 1
    chunk = np.repeat(np.arange(len(line)), length)
    within = np.arange(len(chunk)) - np.repeat(np.cumsum(length) - length, length)
    vertices = shapely.get_coordinates(lines)[first[chunk] + within]
    return Pieces(shapely.linestrings(vertices, indices=chunk), feature[line])


def _joined(parts: list[Pieces]) -> Pieces:
    return Pieces(
        np.concatenate([part.geometry for part in parts]),
        np.concatenate([part.feature for part in parts]).astype(np.int64),
    )
