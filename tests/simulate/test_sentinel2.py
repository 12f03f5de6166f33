"""Sentinel-2's view: the same in any window, true to its spectra, and switchable."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.kernels.indices import normalised_difference
from cvlarray.simulate import LandCover, Landscape, LandUse, Switches, land_cover_of
from cvlarray.simulate.history import history_of
from cvlarray.simulate.imaging import Exposed, Shot
from cvlarray.simulate.sentinel2 import SENTINEL2_BANDS, view_sentinel2
from cvlarray.simulate.surfaces import BANDS, LOOKS, Surface, spread
from tests.simulate.places import part_of

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
CLEAN = Switches.none()


def assert_equal(first, second):
    for name in first.bands:
        np.testing.assert_array_equal(first.bands[name], second.bands[name], err_msg=name)
    np.testing.assert_array_equal(first.scl, second.scl)
    np.testing.assert_array_equal(first.sky, second.sky)


def test_equal_landscapes_look_the_same(landscape, at, window):
    again = Landscape(landscape.seed, landscape.geobox, land_use=landscape.land_use)
    assert again is not landscape
    assert_equal(view_sentinel2(landscape, at, window), view_sentinel2(again, at, window))


def test_other_seeds_days_and_tiles_look_different(landscape, at, window):
    view = view_sentinel2(landscape, at, window)
    others = [
        view_sentinel2(replace(landscape, seed=6), at, window),
        view_sentinel2(landscape, replace(at, date=at.date + dt.timedelta(5)), window),
        view_sentinel2(landscape, at, window, tile="19LDF"),
        view_sentinel2(landscape, replace(at, platform="sentinel-2b"), window),
    ]
    for other in others:
        assert (view.bands["nir"] != other.bands["nir"]).mean() > 0.5


@settings(max_examples=20)
@given(
    row=st.integers(0, 60).map(lambda n: 2 * n),
    col=st.integers(0, 60).map(lambda n: 2 * n),
    height=st.integers(1, 40).map(lambda n: 2 * n),
    width=st.integers(1, 40).map(lambda n: 2 * n),
)
def test_a_pixel_is_the_same_in_any_window(landscape, at, row, col, height, width):
    whole = view_sentinel2(landscape, at, part_of(landscape, 200, 220, (200, 200)))
    part = view_sentinel2(landscape, at, part_of(landscape, 200 + row, 220 + col, (height, width)))
    for name, metres in SENTINEL2_BANDS.items():
        k = metres // 10
        place = slice(row // k, (row + height) // k), slice(col // k, (col + width) // k)
        np.testing.assert_array_equal(part.bands[name], whole.bands[name][place], err_msg=name)
    place = slice(row // 2, (row + height) // 2), slice(col // 2, (col + width) // 2)
    np.testing.assert_array_equal(part.scl, whole.scl[place])
    np.testing.assert_array_equal(part.sky, whole.sky[place])


def test_bands_come_in_the_order_asked_for_and_alone_as_together(landscape, at, window):
    view = view_sentinel2(landscape, at, window, bands=("swir16", "red"))
    assert list(view.bands) == ["swir16", "red"]
    together = view_sentinel2(landscape, at, window, switches=replace(Switches(), noise=False))
    alone = view_sentinel2(
        landscape, at, window, bands=("red",), switches=replace(Switches(), noise=False)
    )
    np.testing.assert_array_equal(alone.bands["red"], together.bands["red"])


def test_the_boa_offset_is_added(landscape, at, window):
    plain = view_sentinel2(landscape, at, window)
    shifted = view_sentinel2(landscape, at, window, dn_offset=1000)
    for name, dn in plain.bands.items():
        is_positive = dn > 1
        difference = shifted.bands[name].astype(int) - dn
        assert (np.abs(difference[is_positive] - 1000) <= 1).all()


@pytest.fixture(scope="module")
def wild():
    """Return a landscape without people or rivers but the main one."""
    return Landscape.of_size(
        2, 900,
        land_use=LandUse(
            rivers=0, mining_sites=0, old_mining_sites=0, clearings=0, old_fields=0,
            logging_roads=0, highway=False, blowdowns=0, burns=0,
        ),
    )  # fmt: skip


def test_forest_has_the_spectrum_and_the_spread_of_its_look(wild, at):
    """Far from a river, in many places: fields are correlated over kilometres."""
    look = LOOKS[Surface.FOREST]
    wanted, deviation = np.array(look.spectrum), spread(look)
    values = {name: [] for name in SENTINEL2_BANDS}
    for seed in range(8):
        place = replace(wild, seed=seed)
        cover = land_cover_of(place, place.pixels, at.date)
        view = view_sentinel2(place, at, place.pixels, switches=CLEAN)
        is_forest = cover[::2, ::2] == LandCover.INTACT_FOREST
        for name, dn in view.bands.items():
            values[name].append(
                dn[:: 20 // SENTINEL2_BANDS[name], :: 20 // SENTINEL2_BANDS[name]][is_forest]
            )
    for name, parts in values.items():
        k, reflectance = BANDS.index(name), np.concatenate(parts) / 1e4
        assert reflectance.mean() == pytest.approx(wanted[k], rel=0.05), name
        # Optics and pixels of 20 m take the finest of the texture away.
        assert 0.5 * deviation[k] < reflectance.std() < 1.4 * deviation[k], name


def exposed_means(landscape, at, surface):
    """Return mean reflectance (band,) of a surface where it is fresh, event by event."""
    shot = Shot(landscape, at, "", CLEAN)
    exposed = Exposed.of(shot, landscape.pixels)
    image = exposed.reflectance(shot.palette, BANDS)
    history = history_of(landscape)
    age = shot.day - history.day
    chosen = np.flatnonzero(
        (history.surface == surface) & (history.becomes == surface) & (age >= 0)
    )
    return [
        image[:, where].mean(axis=1)
        for k in chosen
        if (where := exposed.ground.state == k + 4).sum() > 5
    ]


@pytest.mark.parametrize("surface", [Surface.PIT, Surface.TAILINGS, Surface.ROAD])
def test_what_people_leave_has_the_spectrum_of_its_look(landscape, at, surface):
    look = LOOKS[surface]
    means = np.array(exposed_means(landscape, at, surface))
    assert len(means) > 15
    ratio = means.mean(axis=0) / np.array(look.spectrum)
    assert ratio == pytest.approx(np.ones(len(BANDS)), abs=0.12)
    # From one to the next they differ by what the look says, and by what varies with the place.
    between = (means / np.array(look.spectrum)).std(axis=0)
    assert (between > 0.5 * look.difference).all()
    assert (between < 1.6 * np.hypot(look.difference, look.tone)).all()


def test_classes_can_be_told_apart_as_they_can_in_reality(landscape, at):
    view = view_sentinel2(landscape, at, landscape.pixels, switches=CLEAN)
    cover = land_cover_of(landscape, landscape.pixels, at.date, CLEAN)
    red, green, nir = (view.bands[name].astype(np.int16) for name in ("red", "green", "nir"))
    everywhere = np.ones(red.shape, bool)
    ndvi = normalised_difference(nir, red, everywhere)
    ndwi = normalised_difference(green, nir, everywhere)

    def median(index, *classes):
        return np.median(index[np.isin(cover, classes)]) / 1e4

    assert median(ndvi, LandCover.INTACT_FOREST) > 0.85
    assert median(nir, LandCover.SECONDARY_GROWTH) > 1.1 * median(nir, LandCover.INTACT_FOREST)
    assert median(ndvi, LandCover.RECENT_CLEARING) < 0.7
    assert median(ndvi, LandCover.MINE_PIT) < 0.25
    assert median(ndwi, LandCover.WATER) > 0.1
    assert median(red, LandCover.TAILINGS_POND) > 0.08
    assert median(ndvi, LandCover.ROAD) < 0.4


def test_the_scene_classification_knows_the_ground(landscape, at):
    view = view_sentinel2(landscape, at, landscape.pixels, switches=CLEAN)
    cover = land_cover_of(landscape, landscape.pixels, at.date, CLEAN)[1::2, 1::2]
    for land_cover, scl in (
        (LandCover.INTACT_FOREST, 4), (LandCover.SECONDARY_GROWTH, 4), (LandCover.WATER, 6),
        (LandCover.RIVER_BAR, 5), (LandCover.MINE_PIT, 5), (LandCover.ROAD, 5),
    ):  # fmt: skip
        assert (view.scl[cover == land_cover] == scl).mean() > 0.95, land_cover


def change(landscape, at, days, **switched):
    """Return by how much the median of blue and of nir changes, in DN, between two days."""
    switches = replace(CLEAN, **switched)
    pixels = part_of(landscape, 200, 220, (160, 180))
    views = [
        view_sentinel2(
            landscape, replace(at, date=at.date + dt.timedelta(n)), pixels, switches=switches
        )
        for n in (0, days)
    ]
    return [
        np.abs(views[1].bands[name].astype(int) - views[0].bands[name]) for name in ("blue", "nir")
    ]


def test_without_any_trouble_nothing_changes_but_what_people_do(landscape, at):
    still = Landscape.of_size(
        3, 600, land_use=LandUse(mining_sites=0, clearings=0, logging_roads=0)
    )
    # Old ponds and fields go on changing; forest and river don't.
    pixels = still.pixels
    cover = land_cover_of(still, pixels, at.date, CLEAN)
    views = [
        view_sentinel2(still, replace(at, date=at.date + dt.timedelta(n)), pixels, switches=CLEAN)
        for n in (0, 40)
    ]
    same = views[0].bands["nir"] == views[1].bands["nir"]
    for land_cover in (LandCover.INTACT_FOREST, LandCover.WATER, LandCover.RIVER_BAR):
        inside = cover == land_cover
        # A pixel beside a field gets some of its light.
        assert same[inside].mean() > 0.97, land_cover


@pytest.mark.parametrize(
    ("switch", "band"), [("haze", 0), ("calibration", 1), ("noise", 1), ("phenology", 1)]
)
def test_each_switch_adds_its_trouble(landscape, at, switch, band):
    days = 90 if switch == "phenology" else 5
    assert np.median(change(landscape, at, days, **{switch: True})[band]) > 1
    assert np.median(change(landscape, at, 5)[band]) <= 1


def test_clouds_are_switched(landscape, at, window):
    cloudy = [
        (view_sentinel2(landscape, replace(at, date=at.date + dt.timedelta(5 * n)), window,
                        bands=("blue",), switches=replace(CLEAN, clouds=True)).scl > 6).mean()
        for n in range(20)
    ]  # fmt: skip
    assert max(cloudy) > 0.5
    assert (view_sentinel2(landscape, at, window, switches=CLEAN).scl < 7).all()


def test_floods_are_switched(landscape, at):
    def water(month, switches):
        return land_cover_of(landscape, landscape.pixels, dt.date(2021, month, 14), switches)

    low, high = water(8, Switches()), water(2, Switches())
    is_bar = low == LandCover.RIVER_BAR
    assert is_bar.sum() > 1.5 * (high == LandCover.RIVER_BAR).sum()
    assert (high[is_bar] == LandCover.WATER).mean() > 0.5
    assert set(np.unique(high[low == LandCover.WATER])) == {LandCover.WATER}
    steady = replace(Switches(), seasonal_water=False)
    rivers = [water(month, steady) for month in (2, 8)]
    for land_cover in (LandCover.WATER, LandCover.RIVER_BAR):
        np.testing.assert_array_equal(rivers[0] == land_cover, rivers[1] == land_cover)


def test_storms_and_fires_are_switched(landscape):
    date = dt.date(2023, 6, 1)
    there = land_cover_of(landscape, landscape.pixels, date)
    gone = land_cover_of(
        landscape, landscape.pixels, date, replace(Switches(), natural_disturbance=False)
    )
    is_scar = there == LandCover.NATURAL_DISTURBANCE
    assert is_scar.sum() > 100
    assert LandCover.NATURAL_DISTURBANCE not in gone
    np.testing.assert_array_equal(there[~is_scar], gone[~is_scar])
    assert (gone[is_scar] == LandCover.INTACT_FOREST).all()


def test_misregistration_moves_the_ground_under_the_pixels(landscape, at, window):
    """The shift that explains the second view best is some metres."""
    switches = replace(CLEAN, misregistration=True)
    shifts = []
    for n in range(30):
        shot = Shot(landscape, replace(at, date=at.date + dt.timedelta(n)), "", switches)
        shifts.append(shot.drift(2.5, 1.0))
    assert np.std(shifts) == pytest.approx(np.hypot(2.5, 1.0), rel=0.25)
    moved = view_sentinel2(landscape, at, window, switches=switches)
    still = view_sentinel2(landscape, at, window, switches=CLEAN)
    looked = Exposed.of(
        Shot(landscape, at, "", CLEAN),
        window.shifted(*Shot(landscape, at, "", switches).drift(2.5, 1.0)),
    )
    expected = looked.reflectance(Shot(landscape, at, "", CLEAN).palette, ("swir16",), coarse=2)
    np.testing.assert_allclose(moved.bands["swir16"] / 1e4, expected[0], atol=6e-5)
    assert (moved.bands["swir16"] != still.bands["swir16"]).mean() > 0.5


def test_tiles_of_a_pass_have_a_step_between_them(landscape, at):
    switches = replace(CLEAN, calibration=True)
    pixels = part_of(landscape, 0, 0, (600, 600))
    steps = []
    for n in range(20):
        day = replace(at, date=at.date + dt.timedelta(n))
        nir = [
            view_sentinel2(landscape, day, pixels.padded(-250, 2), bands=("nir",), tile=tile,
                           switches=switches).bands["nir"].astype(float).mean()
            for tile in ("19LCF", "19LDF")
        ]  # fmt: skip
        steps.append(nir[1] / nir[0] - 1)
    assert 0.012 < np.std(steps) < 0.05


@pytest.mark.parametrize(
    ("bands", "row", "message"),
    [(("nir09",), 0, "bands are blue, .*; got nir09"), (("red",), 1, "2 times as large")],
)
def test_refuses(landscape, at, bands, row, message):
    with pytest.raises(ValueError, match=message):
        view_sentinel2(landscape, at, part_of(landscape, row, 0, (20, 20)), bands=bands)
