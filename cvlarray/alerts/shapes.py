"""Polygons of labelled pixels that are few and far between."""

from __future__ import annotations

from functools import partial

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox

from cvlarray.vectorize import (
    Connectivity,
    patch_polygons,
    regular_chunks,
    split_touching,
    trace_patches,
)

__all__ = ["geographic", "label_polygons"]

BLOCK_PX = 2048

DEGREE_DECIMALS = 7
"""Coordinates are kept to 1e-7 degrees, about a centimetre."""

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]


def label_polygons(
    row: IntArray, col: IntArray, label: KeyArray, geobox: GeoBox, *, connectivity: Connectivity
) -> gpd.GeoSeries:
    """Return the polygon of each label, multipolygons where its pixels aren't connected.

    The labels are moved side by side before they are traced, so that the cost follows their size
    and not the size of the grid.

    Parameters
    ----------
    row, col
        (n,) pixels of the grid, each once.
    label
        (n,) labels 0, 1, ..., each with at least one pixel.
    geobox
        The grid.
    connectivity
        Whether pixels that share a corner only are one polygon (8) or two (4).

    Returns
    -------
    By label, in the CRS of the grid.
    """
    n_labels = int(label.max(initial=-1)) + 1
    shift_row, shift_col, shape = _side_by_side(row, col, label, n_labels)
    place = row - shift_row[label], col - shift_col[label]
    order = np.lexsort(place[::-1])
    pixels = place[0][order], place[1][order], label[order]
    labels, polygons = [np.empty(0, np.int64)], [np.empty(0, object)]
    for patches in trace_patches(
        partial(_paint, *pixels), regular_chunks(shape, BLOCK_PX), connectivity=connectivity
    ):
        found = patches.values.astype(np.int64) - 1
        shift = np.column_stack((shift_row, shift_col))[found]
        n_points = np.diff(patches.ring_offsets[patches.polygon_offsets])
        moved = patches.points + np.repeat(shift, n_points, axis=0)
        traced = patch_polygons(patches._replace(points=moved.astype(np.int32)), geobox.affine)
        labels.append(found)
        polygons.append(split_touching(traced) if connectivity == 8 else traced)
    geometry = _joined(np.concatenate(labels), np.concatenate(polygons))
    return gpd.GeoSeries(geometry, crs=geobox.crs)


def geographic(geometry: gpd.GeoSeries) -> gpd.GeoSeries:
    """Return polygons in EPSG:4326, rounded, and valid."""
    degrees = geometry.to_crs(4326)
    rounded = shapely.transform(degrees.to_numpy(), lambda c: np.round(c, DEGREE_DECIMALS))
    invalid = ~shapely.is_valid(rounded)
    rounded[invalid] = shapely.set_precision(
        shapely.make_valid(rounded[invalid]), 10.0**-DEGREE_DECIMALS
    )
    return gpd.GeoSeries(shapely.orient_polygons(rounded), crs=4326)


def _side_by_side(
    row: IntArray, col: IntArray, label: KeyArray, n_labels: int
) -> tuple[KeyArray, KeyArray, tuple[int, int]]:
    """Return what to take off rows and columns of each label, and the shape they then fit in.

    Bounding boxes are put on shelves from the tallest to the lowest.
    """
    top, left = (np.full(n_labels, np.iinfo(np.int64).max) for _ in range(2))
    bottom, right = (np.full(n_labels, -1) for _ in range(2))
    np.minimum.at(top, label, row)
    np.minimum.at(left, label, col)
    np.maximum.at(bottom, label, row)
    np.maximum.at(right, label, col)
    height, width = bottom - top + 1, right - left + 1
    order = np.argsort(-height, kind="stable")
    along = np.cumsum(width[order]) - width[order]
    widest = int(width.max(initial=0))
    shelf_width = max(widest, int(np.sqrt((height * width).sum())), 1)
    shelf = along // shelf_width
    is_first = np.diff(shelf, prepend=-1) != 0
    floors = np.cumsum(height[order][is_first])
    starts = np.concatenate(([0], floors))[np.cumsum(is_first) - 1]
    new_top, new_left = np.empty(n_labels, np.int64), np.empty(n_labels, np.int64)
    new_top[order], new_left[order] = starts, along - shelf * shelf_width
    shape = max(int(floors[-1]) if floors.size else 0, 1), shelf_width + widest
    return top - new_top, left - new_left, shape


def _paint(
    row: KeyArray, col: KeyArray, label: KeyArray, y: slice, x: slice
) -> npt.NDArray[np.int32]:
    """Return a block with 1 + the label of each pixel, 0 elsewhere; rows must increase."""
    pixels = np.zeros((y.stop - y.start, x.stop - x.start), np.int32)
    first, last = np.searchsorted(row, (y.start, y.stop))
    y_place, x_place = row[first:last] - y.start, col[first:last] - x.start
    inside = (x_place >= 0) & (x_place < pixels.shape[1])
    pixels[y_place[inside], x_place[inside]] = label[first:last][inside] + 1
    return pixels


def _joined(labels: KeyArray, polygons: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return one geometry a label."""
    parts, origin = shapely.get_parts(polygons, return_index=True)
    of_part = labels[origin]
    order = np.argsort(of_part, kind="stable")
    parts, of_part = parts[order], of_part[order]
    joined = np.empty(int(of_part.max(initial=-1)) + 1, object)
    joined[:] = shapely.multipolygons(parts, indices=of_part)
    is_single = np.bincount(of_part, minlength=joined.size) == 1
    joined[is_single] = parts[is_single[of_part]]
    return joined
