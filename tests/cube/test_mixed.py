"""Scenes that differ in what catalogues let differ: zone, baseline, offset, orbit."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pystac
import pytest
from pyproj import Transformer

from cvlarray.cube import load_cube
from cvlarray.names import NODATA_DN
from cvlarray.radar import with_ratio
from cvlarray.simulate import Pass, Product, Sensor, write_scene
from cvlarray.simulate.cog import Layer, write_item
from cvlarray.simulate.items import RADAR_NODATA, radar_file, radar_json
from tests.cube.conftest import grid

DAY = dt.datetime(2023, 7, 11, 14, 48, tzinfo=dt.UTC)


def field(x, y):
    """Return a smooth reflectance [DN] over UTM zone 19S."""
    return 2000 + 800 * np.sin(x / 400) + 600 * np.cos(y / 500)


def scene_of_field(folder, geobox, offset=0, **product) -> pystac.Item:
    """Write the field as a scene on any grid; ``offset`` is what its DN carry."""
    height, width = geobox.shape
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    to_19 = Transformer.from_crs(str(geobox.crs), "EPSG:32719", always_xy=True)
    x, y = to_19.transform(*(geobox.affine * (columns, rows)))
    dn = np.rint(field(x, y) + offset).astype(np.uint16)
    return write_scene(
        folder,
        item_id=f"scene-{geobox.crs.epsg}-{product.get('grid_tile')}",
        datetime=DAY,
        bands={"red": dn},
        scl=np.full((height // 2, width // 2), 4, np.uint8),
        geobox=geobox,
        product=Product(**product),
    )


def expected(area) -> np.ndarray:
    return field(*np.meshgrid(area.coords["x"].values, area.coords["y"].values))


AREA = grid(100, 300, top=8_697_000, left=302_000)


def test_scenes_of_two_zones_join_without_a_seam(tmp_path):
    """The left half lies in a scene of 18S, which is warped; the right in one of 19S."""
    corners = [AREA.affine * corner for corner in ((-20, -20), (170, -20), (-20, 120), (170, 120))]
    to_18 = Transformer.from_crs("EPSG:32719", "EPSG:32718", always_xy=True)
    xs, ys = zip(*(to_18.transform(*corner) for corner in corners), strict=True)
    left, top = 20 * (min(xs) // 20), 20 * (max(ys) // 20 + 1)
    size = [2 * int((span + 40) // 20) for span in (max(ys) - min(ys), max(xs) - min(xs))]
    in_18 = grid(*size, crs="EPSG:32718", top=top, left=left)
    in_19 = grid(140, 180, top=8_697_200, left=303_400)
    items = [
        scene_of_field(tmp_path, in_18, grid_tile="18LZP"),
        scene_of_field(tmp_path, in_19, grid_tile="19LBJ"),
    ]
    cube = load_cube(items, AREA, bands=["red"]).compute()
    assert cube.sizes["time"] == 1
    red = cube["red"].to_numpy()[0]
    assert (red != NODATA_DN).all()
    # A pixel is 10 m, over which the field changes by up to 20 DN. At a scene's very edge there is
    # nothing to interpolate with, and half a pixel may be missing.
    off = np.abs(red - expected(AREA))
    assert np.quantile(off, 0.99) < 1.5
    assert off.max() < 10


@pytest.mark.parametrize("order", [1, -1])
def test_tiles_of_two_baselines_join_without_a_step(tmp_path, order):
    """One tile was processed before the offset of 1000 came, its neighbour after."""
    collection = "sentinel-2-c1-l2a"
    before = scene_of_field(
        tmp_path, grid(140, 180, top=8_697_200, left=301_800), 0,
        grid_tile="19LBJ", processing_baseline="03.01", collection=collection,
    )  # fmt: skip
    after = scene_of_field(
        tmp_path, grid(140, 200, top=8_697_200, left=303_200), 1000,
        grid_tile="19LCJ", processing_baseline="05.11", collection=collection,
    )  # fmt: skip
    cube = load_cube([before, after][::order], AREA, bands=["red"]).compute()
    assert np.abs(cube["red"].to_numpy()[0] - expected(AREA)).max() <= 1


def radar_item(folder, state, orbit, vv, day=11) -> pystac.Item:
    at = Pass(Sensor.SENTINEL_1, "sentinel-1a", dt.date(2023, 7, day), orbit, state)
    power = np.full(AREA.shape, vv, np.float32)
    power[:, :10] = 0  # the border that nobody masked
    layers = {
        radar_file("vv"): Layer(power, AREA, RADAR_NODATA),
        radar_file("vh"): Layer(power / 4, AREA, RADAR_NODATA),
    }
    return write_item(folder, radar_json(at, -70.0, AREA), layers)


def test_radar_is_a_cube_of_power_and_ratio_for_each_orbit(tmp_path):
    descending = [
        radar_item(tmp_path, "descending", 25, vv, day) for vv, day in ((0.2, 5), (0.3, 17))
    ]
    cube = with_ratio(load_cube(descending, AREA, bands=["vv", "vh"])).compute()
    assert list(cube.data_vars) == ["vv", "vh", "read_status", "vh_vv"]
    assert cube["vv"].dtype == np.float32
    np.testing.assert_allclose(cube["vv"][:, :, 10:].mean(("y", "x")), [0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(cube["vh_vv"][:, :, 10:], 0.25, rtol=1e-6)
    assert np.isnan(cube["vv"][:, :, :10]).all()
    assert np.isnan(cube["vh_vv"][:, :, :10]).all()


@pytest.mark.parametrize(("state", "orbit"), [("ascending", 25), ("descending", 127)])
def test_radar_of_two_orbits_is_never_one_cube(tmp_path, state, orbit):
    items = [radar_item(tmp_path, "descending", 25, 0.2), radar_item(tmp_path, state, orbit, 0.2)]
    with pytest.raises(ValueError, match="a cube is of one sensor and one orbit, got sentinel-1"):
        load_cube(items, AREA, bands=["vv"])
