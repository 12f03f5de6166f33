import datetime as dt
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.report import chart

DATES = st.dates(dt.date(1990, 1, 1), dt.date(2040, 1, 1))


def numbers(path):
    return [float(text) for text in re.findall(r"-?\d+\.?\d*", path)]


def test_line_goes_through_the_points_from_the_top_left():
    path = chart.line_path(np.array([0, 0.5, 1]), np.array([0, 1, 0.25]))
    assert path == "M0 300L500 0L1000 225"


def test_line_is_broken_where_a_value_is_missing():
    y = np.array([0.1, np.nan, 0.2, 0.3, np.nan])
    path = chart.line_path(np.linspace(0, 1, 5), y)
    assert path == "M0 270M500 240L750 210"


def test_band_is_closed_and_encloses_the_area_between():
    path = chart.band_path(np.array([0.0, 1.0]), np.array([0.2, 0.2]), np.array([0.6, 0.8]))
    x, y = np.array(numbers(path)).reshape(-1, 2).T
    assert path.endswith("Z")
    shoelace = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    assert shoelace == pytest.approx(0.5 * (0.4 + 0.6) * chart.WIDTH * chart.HEIGHT)


def test_dots_leave_out_missing_values():
    path = chart.dots_path(np.array([0.1, 0.2, 0.3]), np.array([0.5, np.nan, 1.0]))
    assert path == "M100 150h0M300 0h0"


def test_stems_stand_on_the_axis():
    assert chart.stems_path(np.array([0.5]), np.array([0.25])) == "M500 300V225"


@pytest.mark.parametrize(
    ("start", "end", "labels"),
    [
        ((2019, 3, 2), (2019, 3, 20), ["2 Mar", "9 Mar", "16 Mar"]),
        ((2019, 1, 1), (2019, 4, 2), ["Jan 2019", "Feb 2019", "Mar 2019", "Apr 2019"]),
        ((2015, 8, 1), (2018, 8, 31), ["Jan 2016", "Jul 2016", "Jan 2017", "Jul 2017"]),
        ((2015, 8, 1), (2021, 1, 1), ["2016", "2017", "2018", "2019", "2020", "2021"]),
    ],
)
def test_date_ticks_are_round(start, end, labels):
    ticks = chart.date_ticks(dt.date(*start), dt.date(*end))
    assert [tick.label for tick in ticks][: len(labels)] == labels


@given(DATES, DATES)
def test_date_ticks_are_few_and_in_order(one, other):
    start, end = sorted((one, other))
    percents = [tick.percent for tick in chart.date_ticks(start, end)]
    assert len(percents) <= 9
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)


@given(
    st.floats(-1e6, 1e6, allow_nan=False),
    st.floats(1e-3, 1e6, allow_nan=False),
)
def test_value_ticks_stand_where_their_labels_say(low, span):
    scale = chart.Scale(low, low + span)
    ticks = chart.value_ticks(scale)
    assert 1 <= len(ticks) <= 12
    for tick in ticks:
        value = float(tick.label.replace(",", "").replace("−", "-"))
        assert tick.percent == pytest.approx(100 * (value - low) / span, abs=0.5)


def test_value_scale_holds_constant_and_missing_values():
    assert chart.value_scale([0.5, 0.5]).low < 0.5 < chart.value_scale([0.5, 0.5]).high
    assert chart.value_scale([np.nan]) == chart.Scale(0.0, 1.0)


def test_days_are_counted_alike_from_dates_and_from_arrays():
    days = np.array(["1969-12-31", "2019-03-14"], dtype="datetime64[ns]")
    expected = [chart.day_number(dt.date(1969, 12, 31)), chart.day_number(dt.date(2019, 3, 14))]
    assert chart.day_numbers(days).tolist() == expected
