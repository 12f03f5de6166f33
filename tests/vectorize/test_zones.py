"""Patches over the border of two UTM zones, painted from shapes that know nothing of zones."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj import Geod
from rasterio.features import rasterize

from cvlarray.vectorize import vectorize_zones

WEST, EAST = "EPSG:32718", "EPSG:32719"
MERIDIAN = -72.0
PIXEL_M = 10.0
AROUND = shapely.box(-72.015, -12.015, -71.985, -11.985)
"""Both rasters reach some 1.6 km beyond the meridian."""

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def painted(crs: str, shapes: list[tuple[shapely.Polygon, int]]) -> xr.DataArray:
    """Return the pixels whose centres lie in the shapes, on the zone's own grid."""
    left, bottom, right, top = gpd.GeoSeries([AROUND], crs=4326).to_crs(crs).total_bounds // PIXEL_M
    shape = int(top - bottom), int(right - left)
    grid = GeoBox(shape, Affine(PIXEL_M, 0, left * PIXEL_M, 0, -PIXEL_M, top * PIXEL_M), crs)
    in_zone = gpd.GeoSeries([each for each, _ in shapes], crs=4326).to_crs(crs)
    burnt = zip(in_zone, [value for _, value in shapes], strict=True)
    values = rasterize(burnt, shape, transform=grid.affine, dtype="int32")
    return xr.DataArray(values, dims=("y", "x"), coords=xr_coords(grid))


def in_both(*shapes: tuple[shapely.Polygon, int]) -> list[xr.DataArray]:
    return [painted(crs, list(shapes)) for crs in (EAST, WEST)]


def geodesic_area_m2(polygon: shapely.Polygon) -> float:
    dense = shapely.segmentize(polygon, 0.0005)
    return abs(Geod(ellps="WGS84").geometry_area_perimeter(dense)[0])


def test_a_patch_over_the_border_is_one_polygon_without_a_double_area() -> None:
    lake = (
        shapely.Point(MERIDIAN, -12)
        .buffer(0.01)
        .difference(shapely.Point(MERIDIAN, -12).buffer(0.003))
    )
    found = vectorize_zones(in_both((lake, 1)))
    assert len(found) == 1
    polygon = found.geometry[0]
    assert polygon.is_valid
    assert len(polygon.interiors) == 1
    assert found["area_m2"][0] == pytest.approx(geodesic_area_m2(lake), rel=2e-3)
    assert found["area_m2"][0] == pytest.approx(geodesic_area_m2(polygon), rel=1e-6)
    # No edge of it is the meridian's: both halves meet in the same line.
    assert (
        shapely.intersection(
            polygon.boundary, shapely.LineString([(MERIDIAN, -11.999), (MERIDIAN, -12.001)])
        ).length
        == 0
    )


def test_neighbours_across_the_border_share_it_and_stay_apart() -> None:
    slant = [(-71.999, -11.995), (-72.001, -12.005)]
    west = shapely.Polygon([(-72.01, -12.005), (-72.01, -11.995), *slant])
    east = shapely.Polygon([(-71.99, -12.005), (-71.99, -11.995), *slant])
    found = vectorize_zones(in_both((west, 1), (east, 2)))
    assert sorted(found["value"]) == [1, 2]
    one, other = found.geometry
    assert shapely.intersection(one, other).area == 0
    assert found["area_m2"].sum() == pytest.approx(
        geodesic_area_m2(shapely.union_all([west, east])), rel=3e-3
    )


def test_pieces_that_hang_together_beyond_the_border_are_one() -> None:
    """A horseshoe: in the western zone two strips, which meet in the eastern one."""
    shoe = shapely.box(-72.01, -12.01, -71.99, -11.99).difference(
        shapely.box(-72.01, -12.005, -71.995, -11.995)
    )
    found = vectorize_zones(in_both((shoe, 1)))
    assert len(found) == 1
    assert found["area_m2"][0] == pytest.approx(geodesic_area_m2(shoe), rel=3e-3)


def test_the_minimum_mapping_unit_is_of_the_whole() -> None:
    square = shapely.box(-72.001, -12.001, -71.999, -11.999)
    whole_m2 = geodesic_area_m2(square)
    assert len(vectorize_zones(in_both((square, 1)), min_area_m2=0.9 * whole_m2)) == 1
    assert len(vectorize_zones(in_both((square, 1)), min_area_m2=1.1 * whole_m2)) == 0


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(*[st.integers(-20, 20)] * 2, st.integers(1, 10)), min_size=1, max_size=4))
def test_any_discs_keep_their_area_and_never_overlap(discs: list[tuple[int, int, int]]) -> None:
    step = 0.0005
    shapes = [
        (shapely.Point(MERIDIAN + step * x, -12 + step * y).buffer(step * radius), 1)
        for x, y, radius in discs
    ]
    found = vectorize_zones(in_both(*shapes))
    truth = shapely.union_all([each for each, _ in shapes]).intersection(AROUND)
    perimeter_m = 111_320 * truth.length
    assert found.geometry.is_valid.all()
    assert abs(found["area_m2"].sum() - geodesic_area_m2(truth)) <= PIXEL_M * perimeter_m / 2
    polygons = found.geometry.to_numpy()
    assert shapely.union_all(polygons).area == pytest.approx(shapely.area(polygons).sum(), rel=1e-9)


def test_refuses_what_has_no_border_in_common() -> None:
    square = (shapely.box(-72.001, -12.001, -71.999, -11.999), 1)
    east, west = in_both(square)
    with pytest.raises(ValueError, match="neighbours"):
        vectorize_zones([east, east])
    with pytest.raises(ValueError, match="got none"):
        vectorize_zones([])
    grid = GeoBox((2, 2), Affine(10, 0, 0, 0, -10, 0), "EPSG:6933")
    plate = xr.DataArray(np.ones((2, 2), "int32"), dims=("y", "x"), coords=xr_coords(grid))
    with pytest.raises(ValueError, match="UTM"):
        vectorize_zones([west, plate])
