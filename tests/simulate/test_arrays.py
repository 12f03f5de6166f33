"""Lazy cubes: nothing is drawn early, and chunks don't matter."""

import datetime as dt
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.names import SCL, UNREAD
from cvlarray.simulate import (
    Calendar,
    LandCover,
    Switches,
    landsat_cube,
    landsat_grid,
    sentinel1_cube,
    sentinel2_cube,
    tiles_of,
    truth_cube,
)
from cvlarray.simulate.sentinel2 import view_sentinel2

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
CALENDAR = Calendar(dt.date(2022, 6, 1), dt.date(2022, 6, 22))
PASSES = CALENDAR.sentinel2()
BANDS = ("red", "swir16", "scl")


@pytest.fixture(scope="module")
def whole(landscape):
    """Return the middle of the landscape, loaded."""
    cube = sentinel2_cube(landscape, PASSES, bands=BANDS, geobox=landscape.geobox[150:350, 201:421])
    return cube.load()


def test_nothing_is_drawn_before_it_is_asked_for(landscape, raise_if_dask_computes):
    with raise_if_dask_computes():
        cubes = [
            sentinel2_cube(landscape, PASSES),
            sentinel1_cube(landscape, CALENDAR.sentinel1()),
            landsat_cube(landscape, CALENDAR.landsat(), geobox=landsat_grid(landscape)),
            truth_cube(landscape, [at.date for at in PASSES]),
        ]
    assert [set(cube.data_vars) for cube in cubes] == [
        {"blue", "green", "red", "nir", "rededge1", "rededge2", "rededge3", "nir08", "swir16",
         "swir22", "scl", "sky", "read_status"},
        {"vv", "vh", "read_status"},
        {"coastal", "blue", "green", "red", "nir08", "swir16", "swir22", "qa_pixel", "sky",
         "read_status"},
        {"land_cover"},
    ]  # fmt: skip


def test_a_cube_is_in_the_form_of_loaded_ones(landscape, whole):
    assert whole.red.dtype == whole.swir16.dtype == np.int16
    assert whole.scl.dtype == np.uint8
    assert whole.scl.attrs == {**SCL.attrs, "_FillValue": 0, "grid_mapping": "spatial_ref"}
    assert whole.time.dtype == "datetime64[ns]"
    assert whole.odc.geobox == landscape.geobox[150:350, 201:421]
    assert (whole.read_status == 1).all()
    assert UNREAD not in whole.read_status
    decoded = xr.decode_cf(whole)
    assert float(decoded.red.min()) >= 0
    assert float(decoded.red.max()) < 1.5


@settings(max_examples=8)
@given(
    block=st.integers(17, 130), row=st.integers(0, 90), col=st.integers(0, 90),
    shape=st.tuples(st.integers(1, 110), st.integers(1, 120)),
)  # fmt: skip
def test_chunks_and_windows_do_not_matter(landscape, whole, block, row, col, shape):
    window = landscape.geobox[150:350, 201:421][row : row + shape[0], col : col + shape[1]]
    cube = sentinel2_cube(landscape, PASSES[1:3], bands=BANDS, geobox=window, block_px=block)
    place = {"y": slice(row, row + shape[0]), "x": slice(col, col + shape[1])}
    expected = whole.isel(time=slice(1, 3), **place)
    for name in expected.data_vars:
        np.testing.assert_array_equal(cube[name], expected[name], err_msg=name)


def test_where_tiles_overlap_the_first_lies_on_top(landscape):
    tiles = tiles_of(landscape, 340, 80)
    at = PASSES[0]
    cube = sentinel2_cube(landscape, [at], bands=("red",), tiles=tiles, block_px=230)
    red = cube.red.isel(time=0).to_numpy()
    for tile, place in ((tiles[0], np.s_[:340, :340]), (tiles[1], np.s_[:340, 340:])):
        view = view_sentinel2(landscape, at, tile.pixels, tile=tile.name, bands=("red",))
        own = view.bands["red"]
        np.testing.assert_array_equal(red[place], own if tile is tiles[0] else own[:, 80:])


def test_a_block_travels_to_a_worker(landscape):
    cube = sentinel2_cube(landscape, PASSES[:1], bands=("red",), geobox=landscape.geobox[:40, :40])
    again = cloudpickle.loads(cloudpickle.dumps(cube))
    np.testing.assert_array_equal(again.red, cube.red)


def test_keys_name_what_is_drawn(landscape):
    def key(place, **changes):
        return sentinel2_cube(place, PASSES, bands=("red",), **changes).red.data.name

    assert key(landscape) == key(replace(landscape))
    assert key(landscape) != key(replace(landscape, seed=99))
    assert key(landscape) != key(landscape, block_px=512)


def test_radar_is_linear_power(landscape):
    cube = sentinel1_cube(
        landscape, CALENDAR.sentinel1(), geobox=landscape.geobox[:200, :200]
    ).load()
    assert cube.vv.dtype == np.float32
    assert 0.01 < float(cube.vh.median()) < float(cube.vv.median()) < 0.3


def test_truth_on_any_grid(landscape):
    fine = truth_cube(landscape, [at.date for at in PASSES]).land_cover.isel(time=0)
    coarse = truth_cube(
        landscape, [PASSES[0].date], geobox=landscape.geobox.zoom_out(3)
    ).land_cover.isel(time=0)
    np.testing.assert_array_equal(coarse, fine[1::3, 1::3])
    assert fine.attrs["flag_meanings"].split()[LandCover.MINE_PIT] == "mine_pit"


def test_landsat_is_scaled_like_loaded_cubes(landscape):
    clear_sky = replace(Switches(), clouds=False)
    cube = landsat_cube(
        landscape, CALENDAR.landsat()[:1], geobox=landsat_grid(landscape), switches=clear_sky
    ).load()
    assert 2000 < float(cube.nir08.median()) < 4000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda place: sentinel2_cube(place, []), "passes must be one or more"),
        (lambda place: sentinel2_cube(place, [*PASSES, PASSES[0]]), "each on a day of its own"),
        (
            lambda place: sentinel1_cube(
                place, [*CALENDAR.sentinel1(), *CALENDAR.sentinel1(orbit_state="ascending")]
            ),
            "a cube is of one orbit, got ascending-76, descending-25",
        ),
    ],
)
def test_refuses(landscape, make, message):
    with pytest.raises(ValueError, match=message):
        make(landscape)
