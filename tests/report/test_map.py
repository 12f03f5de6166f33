import re

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.report import map as report_map
from cvlarray.report.alert_list import entries, ranked
from cvlarray.report.map import MapFrame, alert_map, round_length, svg_path

LAEA = GeoBox((100, 200), Affine(10, 0, 5_272_000, 0, -10, 2_533_000), "EPSG:3035")


@pytest.fixture(scope="module")
def drawn(make_inputs):
    inputs = make_inputs()
    alerts = ranked(inputs.alerts)
    return alert_map(
        inputs.geobox,
        alerts.geometry,
        entries(alerts),
        cards=12,
        region=shapely.box(-69.93, -12.67, -69.92, -12.66),
        background=inputs.background,
    )


def rings_of(path):
    points = [
        [tuple(map(float, xy.split())) for xy in part.removesuffix("Z").split("L")]
        for part in path.split("M")[1:]
    ]
    return [shapely.Polygon(ring) for ring in points]


def test_pixels_land_on_their_place_in_the_viewbox():
    left, top = 5_272_000 + 50 * 10, 2_533_000 - 20 * 10
    pixel = gpd.GeoSeries([shapely.box(left, top - 10, left + 10, top)], crs=3035)
    placed = MapFrame(LAEA).place(pixel.to_crs(4326))
    assert placed[0].bounds == pytest.approx((250, 100, 255, 105), abs=1e-3)


def test_path_keeps_holes():
    ring = shapely.box(0, 0, 40, 40) - shapely.box(10, 10, 20, 30)
    outer, inner = rings_of(svg_path(ring))
    assert (outer - inner).equals(ring)


def test_path_keeps_all_parts():
    parts = shapely.MultiPolygon([shapely.box(0, 0, 5, 5), shapely.box(10, 0, 15, 5)])
    assert shapely.union_all(rings_of(svg_path(parts))).equals(parts)


@pytest.mark.parametrize("nothing", [None, shapely.Polygon()])
def test_no_geometry_has_no_path(nothing):
    assert svg_path(nothing) == ""


@pytest.mark.parametrize(
    ("at_most", "length"), [(250, 200), (999, 500), (1000, 1000), (0.03, 0.02)]
)
def test_scale_bar_is_round(at_most, length):
    assert round_length(at_most) == pytest.approx(length)


def test_scale_bar_is_as_long_as_its_label_on_the_ground(drawn):
    # 100 pixels of 10 m in UTM at easting 400 km, where the scale is 0.9996 + x²/2R².
    scale = 0.9996 + 0.9996 * (99_500**2) / (2 * 6_371_000**2)
    assert drawn.scale_bar.metres_across == pytest.approx(1000 / scale, rel=1e-4)
    assert drawn.scale_bar.label == "200 m"
    assert drawn.scale_bar.percent == pytest.approx(20 * scale, rel=1e-3)


def test_north_is_the_projections_meridian(make_inputs):
    alerts = ranked(make_inputs().alerts.iloc[:0])
    north = alert_map(LAEA, alerts.geometry, [], cards=0, region=None, background=None).north_deg
    x, y = 5_272_000 + 1000, 2_533_000 - 500
    longitude, latitude = pyproj.Transformer.from_crs(3035, 4326, always_xy=True).transform(x, y)
    convergence = pyproj.Proj(3035).get_factors(longitude, latitude).meridian_convergence
    assert north == pytest.approx(-convergence, abs=0.1)
    assert abs(north) > 5


def test_ticks_stand_at_their_longitude_and_latitude(drawn):
    left, top = 400_000, 8_600_000
    to_degrees = pyproj.Transformer.from_crs(32719, 4326, always_xy=True).transform
    for tick in drawn.x_ticks:
        longitude, _ = to_degrees(left + 10 * tick.percent, top - 800)
        assert f"{abs(longitude):.3f}° W" == tick.label.replace("\u00a0", " ")
    for tick in drawn.y_ticks:
        _, latitude = to_degrees(left, top - 8 * tick.percent)
        assert f"{abs(latitude):.3f}° S" == tick.label.replace("\u00a0", " ")
    assert len(drawn.x_ticks) >= 2
    assert len(drawn.y_ticks) >= 2


def test_every_alert_with_a_card_has_a_shape_and_a_pin(drawn):
    assert len(drawn.shapes) == len(drawn.pins) == 12
    assert all(shape.has_card for shape in drawn.shapes)
    assert [pin.entry.number for pin in drawn.pins] == list(range(1, 13))
    assert re.match(r"M-?\d", drawn.region_path)


def test_pins_keep_apart_and_inside(drawn):
    width = report_map._NOMINAL_WIDTH_PX
    height = width * drawn.height / report_map.WIDTH
    centres = np.array(
        [
            (pin.left / 100 * width + pin.shift_x, pin.top / 100 * height + pin.shift_y)
            for pin in drawn.pins
        ]
    )
    apart = np.abs(centres[:, None] - centres[None]).max(axis=-1)
    assert apart[~np.eye(12, dtype=bool)].min() >= report_map.PIN_PX - 0.5
    half = report_map.PIN_PX / 2 - 0.1
    assert (centres >= half).all()
    assert (centres <= np.array([width, height]) - half).all()


def test_alerts_that_are_empty_are_not_drawn(make_inputs):
    inputs = make_inputs()
    alerts = ranked(inputs.alerts.iloc[:2])
    shapes = gpd.GeoSeries([shapely.Polygon(), alerts.geometry.iloc[1]], crs=4326)
    result = alert_map(
        inputs.geobox, shapes, entries(alerts), cards=2, region=None, background=None
    )
    assert [shape.entry.number for shape in result.shapes] == [2]
    assert [pin.entry.number for pin in result.pins] == [2]
    assert result.picture is None
