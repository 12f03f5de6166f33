"""Sentinel-1's view: speckle of so many looks, rain, edges, and clearings that show."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cvlarray.simulate import Calendar, LandCover, Sensor, Switches, land_cover_of
from cvlarray.simulate.radar import LOOKS, view_sentinel1
from cvlarray.simulate.season import day_number
from cvlarray.simulate.surfaces import LOOKS as SURFACES
from cvlarray.simulate.surfaces import Surface
from cvlarray.simulate.weather import weather_of
from tests.simulate.places import part_of

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
CLEAN = Switches.none()
SPECKLE = replace(CLEAN, noise=True)


@pytest.fixture(scope="module")
def radar(at):
    return replace(at, sensor=Sensor.SENTINEL_1, platform="sentinel-1a", relative_orbit=25)


def decibels(power):
    return 10 * np.log10(power)


def speckle(landscape, at, pixels):
    """Return what speckle multiplies the power with."""
    noisy = view_sentinel1(landscape, at, pixels, SPECKLE)
    clean = view_sentinel1(landscape, at, pixels, CLEAN)
    return noisy.vv / clean.vv, noisy.vh / clean.vh


def test_speckle_has_its_looks(landscape, radar):
    for factors in speckle(landscape, radar, landscape.pixels):
        assert factors.mean() == pytest.approx(1, abs=0.005)
        assert 1 / factors.var() == pytest.approx(LOOKS, rel=0.02)
        assert factors.min() > 0


def test_speckle_is_gamma_distributed(landscape, radar):
    factors, _ = speckle(landscape, radar, landscape.pixels)
    shares = np.array([0.002, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.998])
    expected = stats.gamma(LOOKS, scale=1 / LOOKS).ppf(shares)
    np.testing.assert_allclose(np.quantile(factors, shares), expected, rtol=0.015)


def test_speckle_is_independent_between_pixels_polarisations_and_dates(landscape, radar):
    vv, vh = (factors - 1 for factors in speckle(landscape, radar, landscape.pixels))
    later = replace(radar, date=radar.date + dt.timedelta(12))
    again, _ = speckle(landscape, later, landscape.pixels)
    for other in (vh, again - 1, np.roll(vv, 1, axis=0), np.roll(vv, 1, axis=1)):
        assert abs((vv * other).mean() / vv.var()) < 0.01


def homogeneous(landscape, at, land_cover):
    """Return mean power of a class away from its edges."""
    cover = land_cover_of(landscape, landscape.pixels, at.date, CLEAN)
    inside = cover == land_cover
    for axis in (0, 1):
        for step in (-3, 3):
            inside &= np.roll(cover, step, axis) == land_cover
    view = view_sentinel1(landscape, at, landscape.pixels, SPECKLE)
    assert inside.sum() > 500
    return decibels(view.vv[inside].mean()), decibels(view.vh[inside].mean())


@pytest.mark.parametrize(
    ("land_cover", "surface"),
    [(LandCover.INTACT_FOREST, Surface.FOREST), (LandCover.WATER, Surface.RIVER)],
)
def test_backscatter_is_that_of_the_surface(landscape, radar, land_cover, surface):
    vv, vh = homogeneous(landscape, radar, land_cover)
    assert vv == pytest.approx(SURFACES[surface].vv_db, abs=0.4)
    assert vh == pytest.approx(SURFACES[surface].vh_db, abs=0.4)


def test_forest_is_as_bright_as_tropical_forest_measured(landscape, radar, external_data):
    """Median of ten dates over Papua New Guinea, despeckled."""
    rasterio = pytest.importorskip("rasterio")
    for name, found in zip(
        ("VV", "VH"), homogeneous(landscape, radar, LandCover.INTACT_FOREST), strict=True
    ):
        paths = (external_data / "opera_s1" / "png_T009-019294-IW2_tv").glob(f"*_{name}_*.tif")
        dates = []
        for path in paths:
            with rasterio.open(path) as file:
                dates.append(file.read(1))
        assert len(dates) == 10
        assert found == pytest.approx(decibels(np.nanmedian(dates)), abs=0.5)


def test_clearing_darkens_the_forest(landscape, radar):
    _, forest = homogeneous(landscape, radar, LandCover.INTACT_FOREST)
    _, pasture = homogeneous(landscape, radar, LandCover.PASTURE)
    assert 2 < forest - pasture < 6


def test_rain_raises_backscatter_most_on_bare_ground(landscape, radar):
    cover = land_cover_of(landscape, landscape.pixels, radar.date, CLEAN)
    wet = replace(CLEAN, rain=True)
    for at in Calendar(dt.date(2022, 1, 1), dt.date(2022, 12, 31)).sentinel1():
        rain = weather_of(landscape.seed, day_number(at.date)).rain
        views = [
            view_sentinel1(landscape, at, landscape.pixels, switches) for switches in (CLEAN, wet)
        ]
        rise = decibels(views[1].vv) - decibels(views[0].vv)
        if rain == 0:
            np.testing.assert_array_equal(views[0].vv, views[1].vv)
        elif rain > 0.5:
            forest = np.median(rise[cover == LandCover.INTACT_FOREST])
            bare = np.median(rise[cover == LandCover.RIVER_BAR])
            assert 0 < forest < 0.6 * bare
            return
    pytest.fail("it never rained")


def test_rain_comes_in_the_rains_and_brings_one_to_three_decibels():
    def rains(month):
        return np.array([
            weather_of(seed, day_number(dt.date(2021, month, n))).rain
            for seed in range(8) for n in range(1, 29)
        ])  # fmt: skip

    assert (rains(1) > 0).mean() > 2 * (rains(7) > 0).mean()
    spikes = rains(1)[rains(1) > 0]
    assert 0.3 < np.median(spikes) < 2
    assert (spikes > 3).any()


def test_forest_edges_throw_shadows_away_from_the_sensor(landscape, radar):
    """Descending passes look west: what lies west of a forest's edge is dark."""
    cover = land_cover_of(landscape, landscape.pixels, radar.date, CLEAN)
    is_open = np.isin(cover, (LandCover.PASTURE, LandCover.RIVER_BAR, LandCover.ROAD))
    is_forest = cover == LandCover.INTACT_FOREST
    east_edge = is_open & np.roll(is_forest, -1, axis=1)
    west_edge = is_open & np.roll(is_forest, 1, axis=1)
    view = {
        state: decibels(
            view_sentinel1(landscape, replace(radar, orbit_state=state), landscape.pixels, CLEAN).vv
        )
        for state in ("ascending", "descending")
    }
    only_east, only_west = east_edge & ~west_edge, west_edge & ~east_edge
    difference = view["descending"] - view["ascending"]
    assert np.median(difference[only_east]) < -2
    assert np.median(difference[only_west]) > 2
    assert np.abs(np.median(difference[is_forest])) < 0.5


@settings(max_examples=25)
@given(
    row=st.integers(0, 80), col=st.integers(0, 80),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)  # fmt: skip
def test_a_pixel_is_the_same_in_any_window(landscape, radar, row, col, shape):
    whole = view_sentinel1(landscape, radar, part_of(landscape, 200, 220, (120, 120)))
    part = view_sentinel1(landscape, radar, part_of(landscape, 200 + row, 220 + col, shape))
    for name in ("vv", "vh"):
        np.testing.assert_array_equal(
            getattr(part, name), getattr(whole, name)[row:, col:][: shape[0], : shape[1]]
        )
