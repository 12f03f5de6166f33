"""Areas against closed forms and geodesics."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer

from cvlarray.vectorize import area_m2, area_uncertainty_m2

UTM = "EPSG:32719"
HECTARE_M2 = 10_000


def square(side_m: float, *, x: float = 300_000, y: float = 8_600_000) -> shapely.Polygon:
    return shapely.box(x, y, x + side_m, y + side_m)


def series(*geometries: shapely.Geometry, crs: str = UTM) -> gpd.GeoSeries:
    return gpd.GeoSeries(list(geometries), crs=crs)


def geodesic_area(polygon: shapely.Polygon, crs: str) -> float:
    """Area by geodesics (Karney 2013) between points so close that their kind doesn't matter."""
    dense = shapely.segmentize(polygon, 0.0005 if crs == "EPSG:4326" else 50)
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    x, y = to_degrees.transform(*shapely.get_coordinates(dense).T)
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(x, y)[0])


@pytest.mark.parametrize("side_m", [10, 224, 5_000, 100_000])
def test_area_on_a_utm_grid_is_geodesic(side_m: float) -> None:
    polygon = square(side_m)
    assert area_m2(series(polygon))[0] == pytest.approx(geodesic_area(polygon, UTM), rel=1e-6)


@pytest.mark.parametrize("crs", ["EPSG:32718", "EPSG:3035"])
def test_area_in_other_projections(crs: str) -> None:
    x, y = (250_000, 8_900_000) if crs == "EPSG:32718" else (5_400_000, 2_600_000)
    polygon = square(1_000, x=x, y=y)
    assert area_m2(series(polygon, crs=crs))[0] == pytest.approx(
        geodesic_area(polygon, crs), rel=1e-6
    )


def test_holes_are_taken_off() -> None:
    ring = square(1000).difference(square(500, x=300_100, y=8_600_100))
    whole, hole, rest = area_m2(series(square(1000), square(500, x=300_100, y=8_600_100), ring))
    assert rest == pytest.approx(whole - hole)


@pytest.mark.parametrize(("south", "north"), [(-13, -12), (-1, 0), (45, 46)])
def test_a_degree_square_has_the_closed_form(south: float, north: float) -> None:
    """Area between parallels and meridians on an ellipsoid: Snyder 1987, eq. 3-12."""
    a, f = 6_378_137.0, 1 / 298.257223563
    e = np.sqrt(f * (2 - f))

    def authalic(lat: float) -> float:
        s = np.sin(np.radians(lat))
        return (1 - e**2) * (s / (1 - e**2 * s**2) + np.arctanh(e * s) / e)

    expected = a**2 * np.radians(1) * (authalic(north) - authalic(south)) / 2
    found = area_m2(series(shapely.box(-70, south, -69, north), crs="EPSG:4326"))
    assert found[0] == pytest.approx(expected, rel=1e-9)


def test_nothing_has_no_area() -> None:
    assert area_m2(series(shapely.Polygon(), None)).tolist() == [0, 0]
    assert area_m2(series()).size == 0


def test_areas_need_a_crs() -> None:
    with pytest.raises(ValueError, match="areas need a CRS"):
        area_m2(gpd.GeoSeries([square(10)]))


def relative_uncertainty(polygon: shapely.Polygon, pixel_m: float = 10) -> float:
    geometry = series(polygon)
    areas = area_m2(geometry)
    return float(area_uncertainty_m2(geometry, areas, pixel_m=pixel_m)[0] / areas[0])


@pytest.mark.parametrize("hectares", [0.01, 0.5, 4.9])
def test_small_areas_are_uncertain_by_15_percent(hectares: float) -> None:
    assert relative_uncertainty(square(np.sqrt(hectares * HECTARE_M2))) == pytest.approx(0.15)


def test_both_rules_meet_at_5_hectares() -> None:
    just_above = square(np.sqrt(5.01 * HECTARE_M2))
    assert relative_uncertainty(just_above) == pytest.approx(0.15, rel=0.01)


def test_larger_areas_are_surer_with_the_root_of_their_area() -> None:
    assert relative_uncertainty(square(4 * np.sqrt(5 * HECTARE_M2))) == pytest.approx(
        0.15 / 4, rel=0.01
    )


def test_ragged_shapes_and_coarse_pixels_are_less_sure_but_never_beyond_15_percent() -> None:
    strip = shapely.box(300_000, 8_600_000, 320_000, 8_600_050)
    assert relative_uncertainty(strip) == pytest.approx(0.15)
    assert relative_uncertainty(square(1000), pixel_m=20) == pytest.approx(
        2 * relative_uncertainty(square(1000))
    )


def test_boundaries_are_not_measured_in_degrees() -> None:
    with pytest.raises(ValueError, match="projected CRS"):
        area_uncertainty_m2(series(shapely.box(0, 0, 1, 1), crs="EPSG:4326"), [1.0], pixel_m=10)
