"""One block against GDAL's polygonize, and the names by which blocks find each other."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cvlarray.kernels.boundaries import Boundaries, trace_boundaries

# A hole that touches the outside in a corner, and a patch that only closes round a corner.
RING_WITH_NOTCH = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.int32)
DIAGONAL = np.array([[1, 0], [0, 1]], np.int32)


def trace_whole(raster: np.ndarray, *, is_eight: bool, junctions: bool = False) -> Boundaries:
    pixels = np.zeros((raster.shape[0] + 2, raster.shape[1] + 2), np.int32)
    pixels[1:-1, 1:-1] = raster
    return trace_boundaries(
        pixels, row=0, col=0, mosaic_width=raster.shape[1], is_eight=is_eight, junctions=junctions
    )


def lines(found: Boundaries) -> list[np.ndarray]:
    return [found.points[a:b] for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


def normalised_rings(rings: list[np.ndarray]) -> list[str]:
    """Rings as text that doesn't depend on their start, direction or order."""
    polygons = [shapely.Polygon(ring) for ring in rings]
    return sorted(shapely.to_wkt(shapely.normalize(polygon)) for polygon in polygons)


def gdal_rings(raster: np.ndarray, *, is_eight: bool) -> list[np.ndarray]:
    shapes = rasterio.features.shapes(raster, mask=raster != 0, connectivity=8 if is_eight else 4)
    return [
        np.array(ring, np.int32)[:-1, ::-1] for shape, _ in shapes for ring in shape["coordinates"]
    ]


@given(
    raster=arrays(
        np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3)
    ),
    is_eight=st.booleans(),
)
def test_one_block_has_the_rings_of_gdal(raster: np.ndarray, is_eight: bool) -> None:
    found = trace_whole(raster, is_eight=is_eight)
    assert found.arc_starts.size == 0
    assert normalised_rings(lines(found)) == normalised_rings(gdal_rings(raster, is_eight=is_eight))


@given(
    raster=arrays(
        np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)
    ),
    is_eight=st.booleans(),
)
def test_parts_are_the_connected_components(raster: np.ndarray, is_eight: bool) -> None:
    found = trace_whole(raster, is_eight=is_eight)
    shapes = rasterio.features.shapes(raster, mask=raster != 0, connectivity=8 if is_eight else 4)
    expected = sorted((int(value), len(shape["coordinates"])) for shape, value in shapes)
    n_rings = np.bincount(found.line_parts, minlength=found.part_values.size)
    assert sorted(zip(found.part_values.tolist(), n_rings.tolist(), strict=True)) == expected


def test_the_patch_is_on_the_left_hand_of_its_boundary() -> None:
    found = trace_whole(np.ones((2, 3), np.int32), is_eight=False)
    assert lines(found)[0].tolist() == [[0, 0], [2, 0], [2, 3], [0, 3]]


def test_a_hole_that_touches_the_outside_is_a_ring_of_its_own() -> None:
    found = trace_whole(RING_WITH_NOTCH, is_eight=False)
    assert [len(ring) for ring in lines(found)] == [6, 4]


@pytest.mark.parametrize(("is_eight", "n_rings"), [(False, 2), (True, 1)])
def test_pixels_that_touch_in_a_corner(is_eight: bool, n_rings: int) -> None:
    assert len(lines(trace_whole(DIAGONAL, is_eight=is_eight))) == n_rings


def test_junctions_are_vertices_of_all_patches_that_meet() -> None:
    raster = np.array([[1, 1], [2, 3]], np.int32)
    plain = lines(trace_whole(raster, is_eight=False))
    shared = lines(trace_whole(raster, is_eight=False, junctions=True))
    middle = [1, 1]
    assert [middle in ring.tolist() for ring in plain] == [False, True, True]
    assert [middle in ring.tolist() for ring in shared] == [True, True, True]


def test_neighbouring_blocks_give_an_edge_the_same_name() -> None:
    raster = np.ones((1, 2), np.int32)
    pixels = np.zeros((3, 4), np.int32)
    pixels[1:-1, 1:-1] = raster
    settings = {"mosaic_width": 2, "is_eight": False, "junctions": False}
    left = trace_boundaries(pixels[:, :2].copy(), row=0, col=0, **settings)
    right = trace_boundaries(pixels[:, 1:].copy(), row=0, col=1, **settings)
    assert left.arc_starts.tolist() == right.arc_ends.tolist()
    assert left.arc_ends.tolist() == right.arc_starts.tolist()
    assert left.east_parts.tolist() == [0, -1]
    assert right.west_parts.tolist() == [0, -1]


def test_a_pinch_is_cut_only_where_both_patches_leave_the_block() -> None:
    inside = np.zeros((6, 6), np.int32)
    inside[2:4, 2:4] = DIAGONAL
    leaving = inside.copy()
    leaving[3:, 3] = leaving[:3, 2] = 1
    settings = {"row": 8, "col": 8, "mosaic_width": 99, "is_eight": False, "junctions": False}
    assert trace_boundaries(inside, **settings).pinch_names.shape == (0, 2)
    found = trace_boundaries(leaving, **settings)
    assert found.pinch_names.shape == (1, 2)
    assert found.pinch_parts[0, 0] != found.pinch_parts[0, 1]
    assert set(found.pinch_names.ravel()) <= set(found.arc_starts)


def test_an_empty_block_has_nothing() -> None:
    found = trace_whole(np.zeros((4, 5), np.int32), is_eight=False)
    assert found.points.shape == (0, 2)
    assert found.part_values.size == 0
    assert (found.west_parts == -1).all()
