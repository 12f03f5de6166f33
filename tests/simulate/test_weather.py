"""Cloud as often as in Madre de Dios, and shadows where the sun puts them."""

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.simulate import Calendar, Sky, Switches
from cvlarray.simulate.imaging import sky_classes
from cvlarray.simulate.pixels import Pixels
from cvlarray.simulate.season import Sun, day_number
from cvlarray.simulate.weather import CLOUD_EDGE, CLOUD_SHARE, sky_view, weather_of

SUN = Sun(math.radians(35), math.radians(50))
WIDE = Pixels(-21_475, 900, (40, 40), 500.0)
VERY_WIDE = Pixels(-2_200, 100, (100, 100), 4000.0)
FINE = Pixels(-429_500, 18_000, (200, 240), 20.0)
LARGE = Pixels(-429_500, 18_000, (500, 500), 20.0)
AUGUST = day_number(dt.date(2022, 8, 3))


def is_clear(sky):
    """Return what the scene classification calls clear."""
    return (sky.cloud <= CLOUD_EDGE) & (sky.cirrus == 0) & (sky.shadow <= 0.25)


@pytest.fixture(scope="module")
def two_years():
    """Return, by month, skies and whether each place was seen clearly, of some landscapes."""
    passes = Calendar(dt.date(2021, 1, 1), dt.date(2022, 12, 31)).sentinel2()
    seen = {month: [] for month in range(1, 13)}
    for seed in range(5):
        before = np.zeros(WIDE.shape, bool)
        for at in passes:
            sky = sky_view(seed, day_number(at.date), SUN, WIDE, Switches())
            clear = is_clear(sky)
            seen[at.date.month].append((sky, clear, clear | before))
            before = clear
    return seen


def test_less_than_a_fifth_is_seen_in_ten_days_of_january(two_years):
    for month in (1, 2):
        assert np.mean([union for _, _, union in two_years[month]]) < 0.20


def test_most_is_seen_in_july_and_august(two_years):
    for month in (7, 8):
        assert np.mean([clear for _, clear, _ in two_years[month]]) > 0.55
        assert np.mean([union for _, _, union in two_years[month]]) > 0.80


def test_months_have_the_cloud_they_should(two_years):
    for month, skies in two_years.items():
        share = np.mean([sky.cloud > CLOUD_EDGE for sky, _, _ in skies])
        assert share == pytest.approx(CLOUD_SHARE[month - 1], abs=0.13), month


def test_a_sixteenth_of_what_seems_clear_is_under_thin_cloud(two_years):
    skies = [(sky, clear) for month in two_years.values() for sky, clear, _ in month]
    n_missed = sum(int((sky.missed[clear] > 0).sum()) for sky, clear in skies)
    assert n_missed / sum(int(clear.sum()) for _, clear in skies) == pytest.approx(0.06, abs=0.012)


def test_a_days_cloud_covers_the_share_it_should():
    """Over a wide area the field's share is the weather's: thresholds are exact."""
    for day in range(AUGUST, AUGUST + 12):
        sky = sky_view(9, day, SUN, VERY_WIDE, Switches())
        share = weather_of(9, day).cloud_share
        assert (sky.cloud > 0).mean() == pytest.approx(share, abs=0.06)


def small_cloud_day():
    return next(
        day
        for day in range(AUGUST, AUGUST + 400)
        if weather_of(3, day).is_small and 0.2 < weather_of(3, day).cloud_share < 0.4
    )


@pytest.mark.parametrize(
    ("azimuth", "zenith"), [(40, 35), (120, 25), (320, 50)], ids=["north-east", "east", "low"]
)
def test_a_shadow_is_its_cloud_moved_away_from_the_sun(azimuth, zenith):
    day = small_cloud_day()
    sun = Sun(math.radians(zenith), math.radians(azimuth))
    sky = sky_view(3, day, sun, LARGE, Switches())
    throw = weather_of(3, day).cloud_height_m * math.tan(sun.zenith)
    away = math.radians(azimuth + 180)
    east, north = throw * math.sin(away), throw * math.cos(away)
    cols, rows = round(east / 20), round(-north / 20)

    def overlap(d_row, d_col):
        moved = np.roll(sky.cloud, (d_row, d_col), axis=(0, 1))
        margin = 5 + max(abs(d_row), abs(d_col))
        inner = (slice(margin, -margin), slice(margin, -margin))
        return np.corrcoef(moved[inner].ravel(), sky.shadow[inner].ravel())[0, 1]

    assert overlap(rows, cols) > 0.97
    for d_row, d_col in ((0, 12), (12, 0), (0, -12), (-12, 0)):
        assert overlap(rows + d_row, cols + d_col) < 0.93


@given(
    row=st.integers(0, 150), col=st.integers(0, 150),
    shape=st.tuples(st.integers(1, 50), st.integers(1, 90)), day=st.integers(18_000, 18_020),
)  # fmt: skip
def test_the_sky_is_the_same_in_any_window(row, col, shape, day):
    part = Pixels(FINE.row0 + row, FINE.col0 + col, shape, 20.0)
    whole = sky_view(1, day, SUN, FINE, Switches())
    for name, plane in sky_view(1, day, SUN, part, Switches())._asdict().items():
        np.testing.assert_array_equal(
            plane, getattr(whole, name)[row:, col:][: shape[0], : shape[1]], err_msg=name
        )


def test_switches_clear_the_sky():
    none = sky_view(1, AUGUST, SUN, FINE, Switches.none())
    for name in ("cloud", "cirrus", "missed", "shadow", "haze"):
        assert not getattr(none, name).any(), name
    assert (sky_classes(none) == Sky.CLEAR).all()
    hazy = sky_view(1, AUGUST, SUN, FINE, Switches(clouds=False, missed_clouds=False))
    assert (hazy.haze > 0).all()
    assert not hazy.cloud.any()


def test_truth_tells_cloud_that_nobody_sees():
    day = small_cloud_day()
    sky = sky_view(3, day, SUN, FINE, Switches())
    classes = sky_classes(sky)
    assert ((classes == Sky.CLOUD) == (sky.cloud > CLOUD_EDGE)).all()
    clear = is_clear(sky)
    assert ((classes == Sky.THIN_CLOUD)[clear] == (sky.missed > 0)[clear]).all()


def test_smoke_comes_in_the_burning_season():
    def haze(month):
        days = [day_number(dt.date(year, month, n)) for year in (2020, 2021) for n in range(1, 28)]
        return np.mean([weather_of(seed, day).haze for seed in range(3) for day in days])

    assert haze(9) > 2 * haze(4)
