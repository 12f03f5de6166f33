"""Landsat read as Sentinel-2: the published lines, on arrays, on scenes and in one cube."""

import datetime as dt
from dataclasses import replace

import dask.array as da
import numpy as np
import pystac
import pytest
import xarray as xr

from cvlarray.cube import load_cube
from cvlarray.names import NODATA_DN
from cvlarray.normalize import harmonize
from cvlarray.sensors import harmonized, read_item
from cvlarray.simulate import (
    Acquisitions,
    Calendar,
    Landscape,
    Sensor,
    Switches,
    landsat_grid,
    simulate_region,
)

# By hand from the tables of Roy et al. 2016 (reduced major axis) and Claverie et al. 2018:
# (0.05 × 0.9825 - 0.0022 - 0.0009) / 0.9765 and so on.
BY_HAND = {
    ("landsat-7", "red", 500): 471,
    ("landsat-5", "nir08", 3000): 3007,
    ("landsat-7", "swir16", 2000): 2018,
    ("landsat-8", "red", 500): 503,
    ("landsat-9", "blue", 300): 348,
    ("landsat-8", "green", 600): 606,
    ("sentinel-2b", "red", 500): 500,
}


def cube_of(band, *values):
    dn = np.array(values, np.int16)[:, None, None] * np.ones((1, 2, 3), np.int16)
    return xr.Dataset({band: (("time", "y", "x"), dn)}, coords={"time": np.arange(len(values))})


@pytest.mark.parametrize("case", BY_HAND)
def test_published_lines(case):
    platform, band, dn = case
    found = harmonize(cube_of(band, dn), [platform])[band]
    assert found.dtype == np.int16
    assert (found == BY_HAND[case]).all()


def test_missing_stays_missing_and_dates_go_their_own_way():
    cube = cube_of("red", 500, NODATA_DN, 500)
    found = harmonize(cube, ["landsat-7", "landsat-7", "sentinel-2a"])["red"][:, 0, 0]
    assert found.to_numpy().tolist() == [471, NODATA_DN, 500]


def test_lazy_in_any_chunks():
    values = np.random.default_rng(0).integers(-100, 9000, (4, 20, 20)).astype(np.int16)
    platforms = ["landsat-5", "landsat-7", "landsat-8", "sentinel-2a"]
    whole = xr.Dataset({"nir08": (("time", "y", "x"), values), "qa_pixel": ("time", [1, 2, 3, 4])})
    lazy = whole.assign(nir08=(whole["nir08"].dims, da.from_array(values, chunks=(1, 7, 20))))
    found = harmonize(lazy, platforms)
    assert isinstance(found["nir08"].data, da.Array)
    xr.testing.assert_identical(found.compute(), harmonize(whole, platforms))
    assert found["qa_pixel"].identical(whole["qa_pixel"])


def test_refusals():
    with pytest.raises(ValueError, match="no line leads from modis to Sentinel-2; known are"):
        harmonize(cube_of("red", 1), ["modis"])
    with pytest.raises(ValueError, match="the band rededge1 of landsat-8 to Sentinel-2"):
        harmonize(cube_of("rededge1", 1), ["landsat-8"])
    with pytest.raises(ValueError, match="each date needs its platform, got 1 for 2 dates"):
        harmonize(cube_of("red", 1, 2), ["landsat-8"])


@pytest.fixture(scope="module")
def two_sensors(tmp_path_factory):
    """Return a landscape, and Items of both sensors of the same clear days."""
    start, end = dt.date(2021, 6, 1), dt.date(2021, 6, 9)
    landscape = Landscape.of_size(4, 240, start=start, end=end)
    calendar = Calendar(start, end)
    acquired = Acquisitions.of(calendar, [Sensor.SENTINEL_2, Sensor.LANDSAT])
    day = acquired.sentinel2[0].date
    seen = replace(
        acquired,
        sentinel2=acquired.sentinel2[:1],
        landsat=tuple(
            replace(acquired.landsat[0], date=day + dt.timedelta(days=n)) for n in (0, 1)
        ),
        duplicate_share=0,
        tile_px=240,
        overlap_px=0,
    )
    folder = tmp_path_factory.mktemp("two")
    simulate_region(folder, landscape, seen, switches=Switches.none())

    items = list(pystac.Catalog.from_file(str(folder / "catalog.json")).get_items(recursive=True))
    return landscape, [read_item(item) for item in items]


def test_two_sensors_in_one_cube_on_nested_grids(two_sensors):
    """The mean of nine pixels of 10 m of Sentinel-2 is the pixel of 30 m of either sensor."""
    landscape, scenes = two_sensors
    grid10 = landscape.geobox
    grid30 = grid10.zoom_out(3)
    bands = ["red", "nir08", "swir16"]
    coarse = load_cube(map(harmonized, scenes), grid30, bands=bands).compute()
    # The day that both saw is Sentinel-2's, the next one Landsat's.
    assert coarse.sizes["time"] == 2
    alone = load_cube([s for s in scenes if s.family == "sentinel-2"], grid10, bands=bands)
    merged = alone.coarsen(y=3, x=3).mean().compute().isel(time=0)
    inner = {"y": slice(4, -4), "x": slice(4, -4)}
    for band in bands:
        mine, theirs = coarse[band].isel(inner), merged[band].isel(inner)
        assert abs(mine[0] - theirs).mean() < 0.03 * theirs.mean()
        # Another day and another satellite: the same ground on the same scale.
        assert mine[1].mean() == pytest.approx(float(theirs.mean()), rel=0.02), band


def test_unharmonised_scenes_stay_apart(two_sensors):
    landscape, scenes = two_sensors
    with pytest.raises(ValueError, match="or harmonise Landsat to Sentinel-2"):
        load_cube(scenes, landscape.geobox, bands=["red"])


def test_a_band_that_one_sensor_lacks(two_sensors):
    landscape, scenes = two_sensors
    with pytest.raises(ValueError, match="landsat has no band nir; bands of all sensors are"):
        load_cube([harmonized(s) for s in scenes], landscape.geobox, bands=["red", "nir"])


def test_each_sensor_brings_its_own_mask(two_sensors):
    """What only one sensor has, such as its flags, is missing where the other looked."""
    landscape, scenes = two_sensors
    grid = landsat_grid(landscape)[5:20, 5:20]
    both = [harmonized(scene) for scene in scenes]
    cube = load_cube(both, grid, bands=["red", "scl", "qa_pixel"]).compute()
    assert (cube["read_status"] == 1).all()
    assert (cube["scl"][0] != 0).all()
    assert (cube["scl"][1] == 0).all()
    assert (cube["qa_pixel"][1] > 1).all()
