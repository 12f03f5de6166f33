"""The grid covers its region, snaps to its anchor, and its tiles cover every pixel once."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry import Point, Polygon, box

from cvlarray.grid import region_geobox, tiles

# odc-geo 0.5 multiplies affine 3 with `*`; remove when it uses `@`
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

MADRE_DE_DIOS = box(-70.6, -13.1, -70.1, -12.7)


@pytest.mark.parametrize(
    ("resolution_m", "anchor_m"), [(10, (0, 0)), (20, (0, 0)), (30, (15, 15)), (3, (1, 2))]
)
def test_edges_lie_on_the_anchor_and_cover_the_region(resolution_m, anchor_m):
    geobox = region_geobox(
        MADRE_DE_DIOS, crs="EPSG:32719", resolution_m=resolution_m, anchor_m=anchor_m
    )

    assert geobox.affine.a == resolution_m
    assert geobox.affine.e == -resolution_m
    assert (geobox.affine.c - anchor_m[0]) % resolution_m == 0
    assert (geobox.affine.f - anchor_m[1]) % resolution_m == 0
    corners = Transformer.from_crs(4326, 32719, always_xy=True).transform(
        *shapely.get_coordinates(shapely.segmentize(MADRE_DE_DIOS, 0.001)).T
    )
    left, bottom, right, top = geobox.boundingbox.bbox
    tolerance = 0.02 * resolution_m
    assert left <= min(corners[0]) + tolerance < left + resolution_m + tolerance
    assert bottom <= min(corners[1]) + tolerance < bottom + resolution_m + tolerance
    assert right >= max(corners[0]) - tolerance > right - resolution_m - tolerance
    assert top >= max(corners[1]) - tolerance > top - resolution_m - tolerance


def test_curved_edges_are_followed():
    """A wide box bulges between its corners; its corners alone would cut the bulge off."""
    wide = box(-72, -13, -66, -12)
    geobox = region_geobox(wide, crs="EPSG:32719", resolution_m=100)
    to_utm = Transformer.from_crs(4326, 32719, always_xy=True)
    top_of_central_meridian = to_utm.transform(-69, -12)[1]
    corner = to_utm.transform(-72, -12)[1]

    assert abs(top_of_central_meridian - corner) > 1000
    assert geobox.boundingbox.top >= max(top_of_central_meridian, corner) - 1


def test_a_grid_gives_itself_back():
    """The footprint of a snapped grid, there and back through degrees, adds no row or column."""
    grid = GeoBox.from_bbox((500_000, 8_600_000, 510_240, 8_605_120), "EPSG:32719", resolution=10)
    lonlat = shapely.segmentize(box(*grid.boundingbox.bbox), 10)
    to_degrees = Transformer.from_crs(32719, 4326, always_xy=True)
    region = shapely.transform(lonlat, to_degrees.transform, interleaved=False)

    again = region_geobox(region, crs="EPSG:32719", resolution_m=10)

    assert again.shape == grid.shape
    assert again.affine == grid.affine


def test_a_region_smaller_than_a_pixel_gets_one():
    geobox = region_geobox(
        Point(-69.00001, -12.00001).buffer(1e-6), crs="EPSG:32719", resolution_m=10
    )
    assert geobox.shape == (1, 1)


@pytest.mark.parametrize("resolution_m", [0, -10, math.nan, math.inf])
def test_resolution_must_be_positive(resolution_m):
    with pytest.raises(ValueError, match="resolution_m must be a positive number"):
        region_geobox(MADRE_DE_DIOS, crs="EPSG:32719", resolution_m=resolution_m)


@pytest.mark.parametrize(
    ("crs", "message"),
    [
        ("EPSG:4326", "must be projected for a grid in metres, got EPSG:4326"),
        ("EPSG:4978", "must be projected"),
        ("EPSG:2225", "axes in metres, got EPSG:2225 in US survey foot"),
        ("the moon", "must be a code such as EPSG:32719, got 'the moon'"),
    ],
)
def test_crs_must_be_metric(crs, message):
    with pytest.raises(ValueError, match=message) as caught:
        region_geobox(MADRE_DE_DIOS, crs=crs, resolution_m=10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (Polygon(), "region must have an area, got POLYGON EMPTY"),
        (Point(-69, -12), "region must have an area"),
        (box(500_000, 8_000_000, 510_000, 8_010_000), "region must be in degrees"),
    ],
)
def test_region_must_make_sense(region, message):
    with pytest.raises(ValueError, match=message):
        region_geobox(region, crs="EPSG:32719", resolution_m=10)


def test_region_outside_the_projection():
    with pytest.raises(ValueError, match="isn't defined; take another crs"):
        region_geobox(box(19, -1, 22, 1), crs="EPSG:32719", resolution_m=10)


def test_anchor_must_be_finite():
    with pytest.raises(ValueError, match="anchor_m must be two finite numbers"):
        region_geobox(MADRE_DE_DIOS, crs="EPSG:32719", resolution_m=10, anchor_m=(math.nan, 0))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70))
def test_tiles_cover_every_pixel_once(height, width, tile_px):
    grid = GeoBox.from_bbox((0, 0, width * 10, height * 10), "EPSG:32719", resolution=10)
    covered = np.zeros((height, width), int)

    parts = tiles(grid, tile_px)

    for tile in parts:
        covered[tile.y, tile.x] += 1
        assert tile.y.start == tile.row * tile_px
        assert tile.x.start == tile.col * tile_px
        assert tile.geobox.shape == (tile.y.stop - tile.y.start, tile.x.stop - tile.x.start)
        assert tile.geobox.affine.c == grid.affine.c + 10 * tile.x.start
        assert tile.geobox.affine.f == grid.affine.f - 10 * tile.y.start
    assert (covered == 1).all()
    assert [(t.row, t.col) for t in parts] == sorted((t.row, t.col) for t in parts)
    assert len({t.name for t in parts}) == len(parts)


def test_tile_names():
    grid = GeoBox.from_bbox((0, 0, 1300, 400), "EPSG:32719", resolution=1)
    assert tiles(grid, 100)[-1].name == "r003c012"


def test_tile_px_must_be_positive():
    grid = GeoBox.from_bbox((0, 0, 10, 10), "EPSG:32719", resolution=1)
    with pytest.raises(ValueError, match="tile_px must be a positive number of pixels, got 0"):
        tiles(grid, 0)
