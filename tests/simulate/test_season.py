"""Sun, rivers and plants keep to the calendar."""

import datetime as dt
import json
import math

import numpy as np
import pytest
import shapely

from cvlarray.simulate.season import (
    date_of,
    day_number,
    dryness,
    leaf_flush,
    river_level,
    sun_at,
    wave,
)

YEAR = [day_number(dt.date(2021, 1, 1)) + n for n in range(365)]


def test_day_numbers_count_from_1970():
    assert day_number(dt.date(1970, 1, 2)) == 1
    assert day_number(dt.date(1969, 12, 31)) == -1
    assert date_of(day_number(dt.date(2024, 2, 29))) == dt.date(2024, 2, 29)


@pytest.mark.parametrize("year", [2021, 2024])
def test_a_wave_peaks_on_its_day(year):
    days = [day_number(dt.date(year, 1, 1)) + n for n in range(365)]
    heights = [wave(day, 60) for day in days]
    assert np.argmax(heights) == 59
    assert max(heights) == pytest.approx(1)
    assert min(heights) == pytest.approx(-1, abs=1e-3)


def test_the_sun_stands_overhead_at_the_equinox_and_in_the_north_in_june():
    assert sun_at(dt.datetime(2021, 3, 20, 12, 7, tzinfo=dt.UTC), 0, 0).zenith < math.radians(1)
    june = sun_at(dt.datetime(2021, 6, 21, 12, 2, tzinfo=dt.UTC), 0, 0)
    assert math.degrees(june.zenith) == pytest.approx(23.44, abs=0.3)
    assert math.cos(june.azimuth) > 0.999


def test_the_sun_stands_where_landsat_says(external_data):
    """Scene centre and time of real Items, with the sun's azimuth and elevation."""
    folder = external_data / "stac_fixtures" / "planetarycomputer" / "landsat-c2-l2"
    items = [json.loads(path.read_text()) for path in folder.glob("L*.json")]
    assert items
    for item in items:
        properties = item["properties"]
        centre = shapely.geometry.shape(item["geometry"]).centroid
        sun = sun_at(dt.datetime.fromisoformat(properties["datetime"]), centre.x, centre.y)
        elevation = 90 - math.degrees(sun.zenith)
        assert elevation == pytest.approx(properties["view:sun_elevation"], abs=0.5)
        turned = math.degrees(sun.azimuth) - properties["view:sun_azimuth"]
        assert abs((turned + 180) % 360 - 180) < 1.0


def test_rivers_are_high_in_february_and_low_in_august():
    levels = np.array([[river_level(seed, day) for day in YEAR] for seed in range(8)])
    assert ((levels >= 0) & (levels <= 1)).all()
    mean = levels.mean(axis=0)
    assert mean[31:59].mean() > 0.8
    assert mean[212:243].mean() < 0.2
    # No jumps: a river rises over days.
    assert np.abs(np.diff(levels, axis=1)).max() < 0.06
    assert levels.std(axis=0)[:90].mean() > 0.02


def test_grass_dries_and_leaves_flush_in_the_dry_season():
    assert dryness(YEAR[257]) > 0.99
    assert dryness(YEAR[74]) < 0.01
    assert date_of(max(YEAR, key=leaf_flush)).month == 10
