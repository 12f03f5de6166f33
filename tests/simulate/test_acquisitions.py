"""Who passes when, and what the products are called."""

import datetime as dt
from itertools import pairwise

import pytest

from cvlarray.simulate import Acquisitions, Calendar, Sensor, tiles_of
from cvlarray.simulate.acquisitions import baseline_of

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
YEAR = Calendar(dt.date(2022, 1, 1), dt.date(2022, 12, 31))


@pytest.mark.parametrize(
    ("passes", "days", "platforms"),
    [
        (YEAR.sentinel2(), 5, {"sentinel-2a", "sentinel-2b"}),
        (YEAR.sentinel1(), 12, {"sentinel-1a"}),
        (YEAR.landsat(), 8, {"landsat-8", "landsat-9"}),
    ],
)
def test_passes_are_evenly_spaced(passes, days, platforms):
    dates = [at.date for at in passes]
    assert {(b - a).days for a, b in pairwise(dates)} == {days}
    assert dates[0] - YEAR.start < dt.timedelta(days)
    assert YEAR.end - dates[-1] < dt.timedelta(days)
    assert {at.platform for at in passes} == platforms


def test_calendars_agree_where_they_overlap():
    whole = YEAR.sentinel2()
    part = Calendar(dt.date(2022, 3, 3), dt.date(2022, 5, 20)).sentinel2()
    assert set(part) <= set(whole)


def test_orbits_are_told_apart():
    descending, ascending = YEAR.sentinel1(), YEAR.sentinel1(orbit_state="ascending")
    assert not {at.date for at in descending} & {at.date for at in ascending}
    assert descending[0].relative_orbit != ascending[0].relative_orbit
    assert ascending[0].moment(-70).hour > descending[0].moment(-70).hour


def test_overpasses_are_by_local_time():
    moment = YEAR.sentinel2()[0].moment(-69.5)
    assert moment.tzinfo is dt.UTC
    assert (moment.hour, moment.minute) == (15, 8)


@pytest.mark.parametrize(
    ("day", "baseline"),
    [("2017-01-01", "02.14"), ("2022-01-24", "03.00"), ("2022-01-25", "04.00"),
     ("2025-01-01", "05.11")],
)  # fmt: skip
def test_baselines_have_their_days(day, baseline):
    assert baseline_of(dt.date.fromisoformat(day)) == baseline


def test_all_or_some_sensors():
    everything = Acquisitions.of(YEAR)
    assert (len(everything.sentinel2), len(everything.landsat)) == (73, 45)
    assert {at.orbit_state for at in everything.sentinel1} == {"ascending", "descending"}
    radar = Acquisitions.of(YEAR, [Sensor.SENTINEL_1])
    assert radar == Acquisitions(sentinel1=everything.sentinel1)


def test_refuses():
    with pytest.raises(ValueError, match="start must not be after end"):
        Calendar(dt.date(2022, 1, 2), dt.date(2022, 1, 1))
    with pytest.raises(ValueError, match="every_days must be at least 1"):
        YEAR.sentinel2(every_days=0)


@pytest.mark.parametrize(
    ("tile_px", "overlap_px", "n"), [(10_980, 980, 1), (300, 0, 4), (240, 40, 9)]
)
def test_tiles_cover_the_landscape_and_overlap(landscape, tile_px, overlap_px, n):
    tiles = tiles_of(landscape, tile_px, overlap_px)
    assert len(tiles) == len({tile.name for tile in tiles}) == n
    covered = tiles[0].geobox.extent
    for tile in tiles[1:]:
        covered = covered | tile.geobox.extent
    assert covered.area == pytest.approx(landscape.geobox.extent.area)
    assert all(len(tile.name) == 5 and tile.name.startswith("19L") for tile in tiles)
    if n > 1:
        shared = (tiles[0].geobox.extent & tiles[1].geobox.extent).area
        assert shared == pytest.approx(overlap_px * tile_px * 100)


@pytest.mark.parametrize(("tile_px", "overlap_px"), [(301, 0), (300, 301), (300, 300), (300, 3)])
def test_refuses_odd_tiles(landscape, tile_px, overlap_px):
    with pytest.raises(ValueError, match="must be even and the overlap the smaller"):
        tiles_of(landscape, tile_px, overlap_px)
