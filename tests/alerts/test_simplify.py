"""Simplified outlines: nothing between neighbours, nothing twice, nothing crossed."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from scipy.ndimage import gaussian_filter

from cvlarray.alerts.shapes import geographic
from cvlarray.alerts.simplify import simplify_outlines

TRANSFORM = Affine(10, 0, 300_000, 0, -10, 8_600_000)
CENTIMETRES_M = 0.05
"""Coordinates are rounded to 1e-7 degrees."""


def outlines_of(classes: np.ndarray) -> tuple[gpd.GeoSeries, GeoBox]:
    """Return GDAL's polygons of each class, as an alerts table has them."""
    found = shapes(classes, mask=classes > 0, transform=TRANSFORM)
    polygons = [shapely.geometry.shape(each) for each, _ in found]
    geobox = GeoBox(classes.shape, TRANSFORM, "EPSG:32719")
    return geographic(gpd.GeoSeries(polygons, crs=32719)), geobox


def in_metres(outlines: gpd.GeoSeries) -> np.ndarray:
    return outlines.to_crs(32719).to_numpy()


def check_coverage(before: np.ndarray, after: np.ndarray) -> None:
    assert shapely.is_valid(after).all()
    overlap = shapely.area(after).sum() - shapely.union_all(after).area
    assert abs(overlap) <= CENTIMETRES_M * shapely.length(after).sum()
    one, other = shapely.STRtree(before).query(before, predicate="touches")
    for a, b in zip(one[one < other], other[one < other], strict=True):
        if shapely.intersection(before[a], before[b]).length > 1:
            assert shapely.distance(after[a], after[b]) <= CENTIMETRES_M  # no gap


@settings(max_examples=25, deadline=None)
@given(arrays("int32", (9, 11), elements=st.integers(0, 3)), st.sampled_from([5.0, 8.0, 25.0]))
def test_any_patches_stay_a_coverage(classes: np.ndarray, tolerance_m: float) -> None:
    outlines, geobox = outlines_of(classes)
    after = simplify_outlines(outlines, geobox, tolerance_m=tolerance_m)
    check_coverage(in_metres(outlines), in_metres(after))


def test_smooth_patches_lose_their_stairs_and_keep_their_area() -> None:
    noise = gaussian_filter(np.random.default_rng(1).standard_normal((200, 200)), 6)
    classes = np.digitize(noise, np.quantile(noise, (0.3, 0.5, 0.7))).astype("int32")
    outlines, geobox = outlines_of(classes)
    after = simplify_outlines(outlines, geobox, tolerance_m=8)
    before_m, after_m = in_metres(outlines), in_metres(after)
    check_coverage(before_m, after_m)
    large = shapely.area(before_m) > 5_000
    assert shapely.area(after_m)[large] == pytest.approx(shapely.area(before_m)[large], rel=0.06)
    assert shapely.area(after_m).sum() == pytest.approx(shapely.area(before_m).sum(), rel=0.005)
    points = [shapely.get_num_coordinates(each).sum() for each in (before_m, after_m)]
    assert points[1] < 0.7 * points[0]


def test_below_half_a_pixel_nothing_changes() -> None:
    classes = np.array([[1, 1, 0], [0, 1, 2], [0, 2, 2]], "int32")
    outlines, geobox = outlines_of(classes)
    after = simplify_outlines(outlines, geobox, tolerance_m=4)
    changed = shapely.symmetric_difference(in_metres(outlines), in_metres(after))
    assert shapely.area(changed) == pytest.approx(0, abs=1)


def test_no_outlines_are_none() -> None:
    nothing = gpd.GeoSeries([], crs=4326)
    geobox = GeoBox((2, 2), TRANSFORM, "EPSG:32719")
    assert simplify_outlines(nothing, geobox, tolerance_m=10).empty
