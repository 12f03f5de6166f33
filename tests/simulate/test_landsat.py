"""Landsat's view: the same ground in coarser pixels, with its own flags."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.simulate import Calendar, Sensor, Sky, Switches, landsat_grid
from cvlarray.simulate.landsat import LANDSAT_BANDS, REFLECTANCE_PER_DN, ZERO_DN, view_landsat
from cvlarray.simulate.pixels import Pixels, pixels_of
from cvlarray.simulate.sentinel2 import view_sentinel2

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
CLEAN = Switches.none()


@pytest.fixture(scope="module")
def landsat(at):
    return replace(at, sensor=Sensor.LANDSAT, platform="landsat-8", processing_baseline="")


@pytest.fixture(scope="module")
def pixels(landscape):
    return pixels_of(landsat_grid(landscape), 30.0, origin=(15.0, 15.0))


def reflectance(dn):
    return (dn - ZERO_DN) * REFLECTANCE_PER_DN


def test_grid_lies_as_landsats_and_covers_the_landscape(landscape):
    grid = landsat_grid(landscape)
    assert grid.affine.c % 30 == grid.affine.f % 30 == 15
    assert grid.extent.contains(landscape.geobox.extent)
    assert grid.shape[0] <= landscape.geobox.shape[0] / 3 + 2


def test_reflectance_agrees_with_sentinel_2(landscape, landsat, at, pixels):
    """Over some hundred metres, bands differ by the sensors' response only."""
    view = view_landsat(landscape, landsat, pixels, CLEAN)
    other = view_sentinel2(landscape, at, landscape.pixels, switches=CLEAN)
    for name in ("red", "green", "swir16", "nir08"):
        mine = reflectance(view.bands[name].astype(float))[:192, :192]
        theirs = other.bands[name].astype(float) / 1e4
        n = 480 * len(theirs) // 6000
        coarse = theirs[: 12 * n, : 12 * n].reshape(12, n, 12, n).mean(axis=(1, 3))
        fine = mine.reshape(12, 16, 12, 16).mean(axis=(1, 3))
        assert np.corrcoef(fine.ravel(), coarse.ravel())[0, 1] > 0.98, name
        assert fine.mean() == pytest.approx(coarse.mean(), rel=0.05), name


def test_values_are_scaled_as_collection_2(landscape, landsat, pixels):
    view = view_landsat(landscape, landsat, pixels, CLEAN)
    assert set(view.bands) == set(LANDSAT_BANDS)
    for dn in view.bands.values():
        assert dn.dtype == np.uint16
        assert dn.min() > 7272
    nir = reflectance(np.median(view.bands["nir08"]))
    assert nir == pytest.approx(0.30, abs=0.03)


def test_flags_name_what_is_in_the_way(landscape, pixels):
    seen = set()
    for at in Calendar(dt.date(2022, 4, 1), dt.date(2022, 8, 1)).landsat():
        view = view_landsat(landscape, at, pixels)
        numbers = {"dilated": 1, "cirrus": 2, "cloud": 3, "shadow": 4, "clear": 6}
        bits = {name: (view.qa_pixel >> number) & 1 == 1 for name, number in numbers.items()}
        is_cloud = bits["cloud"] | bits["dilated"]
        assert (is_cloud == (view.sky == Sky.CLOUD)).all()
        assert not (bits["clear"] & bits["cloud"]).any()
        assert (view.qa_pixel & 1 == 0).all()
        seen |= {name for name, where in bits.items() if where.any()}
    assert seen == {"dilated", "cirrus", "cloud", "shadow", "clear"}


@settings(max_examples=20)
@given(
    row=st.integers(0, 120), col=st.integers(0, 120),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)  # fmt: skip
def test_a_pixel_is_the_same_in_any_window(landscape, landsat, pixels, row, col, shape):
    whole = view_landsat(landscape, landsat, pixels)
    part = Pixels(pixels.row0 + row, pixels.col0 + col, shape, 30.0, pixels.origin)
    found = view_landsat(landscape, landsat, part)
    for name, dn in found.bands.items():
        np.testing.assert_array_equal(dn, whole.bands[name][row:, col:][: shape[0], : shape[1]])
    np.testing.assert_array_equal(
        found.qa_pixel, whole.qa_pixel[row:, col:][: shape[0], : shape[1]]
    )
