"""Any chunking must give what GDAL's polygonize gives on the whole array."""

from __future__ import annotations

from collections.abc import Iterator

import dask.array as da
import geopandas as gpd
import numpy as np
import pytest
import rasterio.features
import shapely
import xarray as xr
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from shapely.geometry import shape

from cvlarray.vectorize import Connectivity, trace_patches, vectorize

TRANSFORM = Affine(10, 0, 300_000, 0, -10, 8_600_000)
CRS = "EPSG:32719"

# odc-geo multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def raster(values: np.ndarray, transform: Affine = TRANSFORM) -> xr.DataArray:
    geobox = GeoBox(values.shape, transform, CRS)
    return xr.DataArray(values, dims=("y", "x"), coords=xr_coords(geobox))


def whole(values: np.ndarray, connectivity: int, transform: Affine = TRANSFORM) -> list[tuple]:
    """Value and normalised polygon of each patch, from GDAL on the whole array."""
    shapes = rasterio.features.shapes(
        values, mask=values != 0, connectivity=connectivity, transform=transform
    )
    return sorted((int(v), shapely.normalize(shape(s)).wkt) for s, v in shapes)


def traced(values: np.ndarray, chunks: tuple, connectivity: Connectivity) -> list[tuple]:
    """The same, block by block."""
    found = []
    for patches in trace_patches(
        lambda y, x: values[y, x], chunks, connectivity=connectivity, max_workers=2
    ):
        coords = patches.points[:, ::-1] * [10, -10] + [300_000, 8_600_000]
        rings = np.split(coords, patches.ring_offsets[1:-1])
        for value, first, stop in zip(
            patches.values, patches.polygon_offsets[:-1], patches.polygon_offsets[1:], strict=True
        ):
            polygon = shapely.Polygon(rings[first], rings[first + 1 : stop])
            found.append((int(value), shapely.normalize(polygon).wkt))
    return sorted(found)


@st.composite
def chunked_rasters(draw: st.DrawFn) -> tuple[np.ndarray, tuple]:
    """Rasters of few classes, some nearly full (large patches with holes), cut anyhow."""
    size = draw(st.tuples(st.integers(1, 14), st.integers(1, 14)))
    classes = st.integers(0, draw(st.integers(1, 4)))
    elements = draw(st.sampled_from([classes, st.one_of(st.just(1), st.just(1), classes)]))
    values = draw(arrays(np.int16, size, elements=elements, fill=st.nothing()))
    return values, tuple(draw(sizes(length)) for length in size)


@st.composite
def sizes(draw: st.DrawFn, length: int) -> tuple[int, ...]:
    cuts = draw(st.sets(st.integers(1, max(1, length - 1)), max_size=5)) if length > 1 else set()
    return tuple(np.diff([0, *sorted(cuts), length]).tolist())


@settings(max_examples=300)
@given(case=chunked_rasters(), connectivity=st.sampled_from([4, 8]))
# A ring around a corner that only a third block closes: whether the corner is a hole is not known
# where it lies.
@example(case=(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]]), ((1, 1, 1), (1, 1, 1))), connectivity=4)
def test_any_chunking_gives_the_polygons_of_the_whole(
    case: tuple[np.ndarray, tuple], connectivity: Connectivity
) -> None:
    values, chunks = case
    assert traced(values, chunks, connectivity) == whole(values.astype(np.int32), connectivity)


@settings(max_examples=40)
@given(case=chunked_rasters(), connectivity=st.sampled_from([4, 8]))
def test_the_table_does_not_depend_on_chunks(
    case: tuple[np.ndarray, tuple], connectivity: Connectivity
) -> None:
    values, chunks = case
    at_once = vectorize(raster(values), connectivity=connectivity)
    lazy = vectorize(raster(da.from_array(values, chunks=chunks)), connectivity=connectivity)
    assert at_once.equals(lazy)
    assert at_once.geometry.to_wkb().tolist() == lazy.geometry.to_wkb().tolist()


@settings(max_examples=40)
@given(case=chunked_rasters(), connectivity=st.sampled_from([4, 8]))
def test_polygons_are_valid_and_cover_each_pixel_once(
    case: tuple[np.ndarray, tuple], connectivity: Connectivity
) -> None:
    values, _ = case
    polygons = vectorize(raster(values), connectivity=connectivity)
    assert polygons.geometry.is_valid.all()
    assert polygons.geometry.area.tolist() == (polygons["n_pixels"] * 100).tolist()
    burnt = np.zeros(values.shape, np.int16)
    for polygon, value in zip(polygons.geometry, polygons["value"], strict=True):
        inside = rasterio.features.geometry_mask([polygon], values.shape, TRANSFORM, invert=True)
        assert not burnt[inside].any()
        burnt[inside] = value
    assert (burnt == values).all()


@pytest.mark.parametrize(
    "transform",
    [Affine(0.00025, 0, -70.3, 0, -0.00025, -12.1), Affine(3, 4, 100, 4, -3, 50)],
    ids=["degrees", "rotated"],
)
def test_coordinates_are_those_of_gdal(transform: Affine) -> None:
    values = np.random.default_rng(3).integers(0, 3, (20, 30), np.int32)
    found = vectorize(raster(values, transform))
    expected = whole(values, 4, transform)
    wkt = shapely.to_wkt(shapely.normalize(found.geometry.to_numpy()))
    assert sorted(zip(found["value"].tolist(), wkt, strict=True)) == sorted(
        (v, shapely.to_wkt(shapely.from_wkt(w))) for v, w in expected
    )


def test_the_table_says_what_it_is() -> None:
    polygons = vectorize(raster(np.array([[2, 2, 0], [0, 0, 5]], np.uint8)))
    assert polygons.crs == CRS
    assert polygons.columns.tolist() == ["value", "n_pixels", "geometry"]
    assert polygons["value"].tolist() == [2, 5]
    assert polygons["n_pixels"].tolist() == [2, 1]
    assert polygons.geometry[0].bounds == (300_000, 8_599_990, 300_020, 8_600_000)


def test_small_patches_are_left_out() -> None:
    values = np.array([[1, 1, 0, 2], [1, 0, 0, 0], [0, 3, 3, 0]], np.int8)
    assert vectorize(raster(values), min_pixels=2)["value"].tolist() == [1, 3]
    assert vectorize(raster(values), min_pixels=9).empty


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.uint32, np.int64])
def test_any_integer_type_is_read(dtype: type) -> None:
    assert vectorize(raster(np.array([[0, 1]], dtype)))["n_pixels"].tolist() == [1]


def test_nothing_gives_an_empty_table() -> None:
    polygons = vectorize(raster(np.zeros((5, 4), np.uint8)))
    assert polygons.empty
    assert polygons.crs == CRS
    assert polygons.columns.tolist() == ["value", "n_pixels", "geometry"]


def test_each_block_is_read_once_and_few_are_held() -> None:
    reads = []

    def read(y: slice, x: slice) -> np.ndarray:
        reads.append((y.start, x.start))
        return np.ones((y.stop - y.start, x.stop - x.start), np.uint8)

    found = list(trace_patches(read, ((4, 4, 2), (5, 5))))
    assert reads == [(0, 0), (0, 5), (4, 0), (4, 5), (8, 0), (8, 5)]
    assert [patches.n_pixels.tolist() for patches in found] == [[100]]


def test_patches_are_handed_out_as_soon_as_they_are_complete() -> None:
    values = np.zeros((9, 6), np.uint8)
    values[0, 0], values[4, 1:3], values[2:4, 5] = 1, 2, 3
    rows = trace_patches(lambda y, x: values[y, x], ((3, 3, 3), (6,)))
    assert isinstance(rows, Iterator)
    assert [patches.values.tolist() for patches in rows] == [[1], [3, 2]]


def waves() -> np.ndarray:
    """Classes with long stair-stepped borders, and a hundred single pixels in them."""
    y, x = np.mgrid[:60, :80] / 9
    values = np.digitize(np.sin(x) + np.sin(y + x / 3), [-1, 0, 1]).astype(np.int16) + 1
    values.ravel()[np.random.default_rng(6).integers(0, values.size, 100)] = 9
    return values


@pytest.mark.parametrize("connectivity", [4, 8])
def test_simplifying_opens_no_gaps_and_makes_no_crossings(connectivity: Connectivity) -> None:
    exact = vectorize(raster(waves()), connectivity=connectivity)
    simple = vectorize(raster(waves()), connectivity=connectivity, simplify_tolerance=15)
    n_exact, n_simple = (
        int(shapely.get_num_coordinates(p.geometry).sum()) for p in (exact, simple)
    )
    assert n_simple < 0.6 * n_exact
    assert simple.geometry.is_valid.all()
    assert shapely.coverage_is_valid(simple.geometry.to_numpy())
    assert simple[["value", "n_pixels"]].equals(exact[["value", "n_pixels"]])
    covered = simple.geometry.union_all()
    assert covered.area == pytest.approx(simple.geometry.area.sum())
    assert shapely.get_num_interior_rings(covered) == 0


def bad_rasters() -> list:
    with_time = raster(np.zeros((2, 2), np.int8)).expand_dims(time=1)
    no_grid = xr.DataArray(np.zeros((2, 2), np.int8), dims=("y", "x"))
    return [
        pytest.param(raster(np.zeros((2, 2))), TypeError, "must be integers", id="float"),
        pytest.param(raster(np.full((2, 2), 2**40)), ValueError, "fit 32 bits", id="too large"),
        pytest.param(with_time, ValueError, r"dims \(y, x\)", id="time"),
        pytest.param(no_grid, ValueError, "regular grid with a CRS", id="no grid"),
    ]


@pytest.mark.parametrize(("values", "error", "message"), bad_rasters())
def test_what_cannot_be_vectorised(values: xr.DataArray, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        vectorize(values)


def test_other_connectivities_are_refused() -> None:
    with pytest.raises(ValueError, match="must be 4 or 8, got 6"):
        vectorize(raster(np.ones((2, 2), np.int8)), connectivity=6)


def test_result_is_a_plain_table() -> None:
    assert isinstance(vectorize(raster(np.ones((2, 2), np.int8))), gpd.GeoDataFrame)
