import datetime as dt

import pytest
from shapely import Point

from cvlarray.report import wording

MARCH, JUNE = dt.date(2019, 3, 14), dt.date(2020, 6, 2)


@pytest.mark.parametrize(
    ("area_m2", "text"),
    [(0, "0 ha"), (1234, "0.12 ha"), (68_000, "6.8 ha"), (12_340_000, "1,234 ha")],
)
def test_hectares(area_m2, text):
    assert wording.hectares(area_m2) == text


@pytest.mark.parametrize(
    ("area_m2", "uncertainty_m2", "text"),
    [
        (4300, 645, "0.43 ± 0.06 ha"),
        (68_000, 4100, "6.8 ± 0.4 ha"),
        (2_000_000, 60_000, "200.0 ± 6.0 ha"),
        (68_000, float("nan"), "6.8 ha"),
    ],
)
def test_uncertainty_has_as_many_decimals_as_it_needs(area_m2, uncertainty_m2, text):
    assert wording.hectares_with_uncertainty(area_m2, uncertainty_m2) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.0004, "< 0.1 %"), (0.023, "2.3 %"), (0.9996, "> 99.9 %")],
)
def test_percent_never_rounds_something_to_nothing(share, text):
    assert wording.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (83.4, "1 min 23 s"), (7_380, "2 h 3 min")]
)
def test_duration(seconds, text):
    assert wording.duration(seconds).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999 B"), (1500, "1.5 kB"), (182e6, "182 MB"), (1.2e13, "12.0 TB")]
)
def test_byte_size(size, text):
    assert wording.byte_size(size) == text


@pytest.mark.parametrize(
    ("classes", "area_m2", "dates", "sentence"),
    [
        ({}, 0, (None, None), "No change was found."),
        (
            {"clearing": 1},
            12_000,
            (MARCH, MARCH),
            "One clearing, 1.2 ha, first seen on 2019-03-14.",
        ),
        (
            {"clearing": 12},
            68_000,
            (MARCH, JUNE),
            "12 clearings, 6.8 ha in all, first seen between March 2019 and June 2020.",
        ),
        (
            {"mine pit": 1, "clearing": 2},
            68_000,
            (MARCH, MARCH.replace(day=30)),
            "3 changes (2 clearings, one mine pit), 6.8 ha in all, first seen in March 2019.",
        ),
        ({"clearing": 2}, 68_000, (None, None), "2 clearings, 6.8 ha in all."),
    ],
)
def test_finding(classes, area_m2, dates, sentence):
    assert wording.finding(classes, area_m2, *dates) == sentence


@pytest.mark.parametrize(
    ("singular", "plural"),
    [("clearing", "clearings"), ("tailings", "tailings"), ("quarry", "quarries"), ("day", "days")],
)
def test_plural(singular, plural):
    assert wording.plural(singular) == plural


def test_coordinates_name_their_hemispheres():
    text = wording.latitude_longitude(Point(-69.19, -12.59)).replace("\u00a0", " ")
    assert text == "12.59000° S, 69.19000° W"
    utm = wording.utm(Point(479_366.2, 8_608_112.4), 32719).replace("\u00a0", " ")
    assert utm.replace("\u202f", " ") == "19S 479 366 E 8 608 112 N"
