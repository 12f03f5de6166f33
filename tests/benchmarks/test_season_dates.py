"""Real series with dated changes: ours are right to the day; how errors are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.season_dates import detect
from benchmarks.season_dates_series import SERIES, DatedSeries

SUMMER = DatedSeries(
    "x", "x.csv", True, (("2017-06-01", "2017-08-31"), ("2017-09-10", "2017-09-10"))
)


@pytest.mark.parametrize(
    ("days", "errors"),
    [
        (["2017-06-14"], [0, -88]),
        (["2017-05-30", "2018-01-01"], [-2, -103]),
        (["2017-09-03"], [3, -7]),
        ([], [None, None]),
    ],
)
def test_errors_are_days_to_the_nearest_right_date(
    days: list[str], errors: list[int | None]
) -> None:
    assert SUMMER.errors(days) == errors


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.name)
def test_first_change_is_dated_to_the_day(external_data: Path, series: DatedSeries) -> None:
    found = detect(series)
    day = str(found["first_flagged"].to_numpy().astype("datetime64[D]"))
    assert series.errors([day])[0] == 0
    assert found["confidence"] > 0.98
    assert found["interval_start"] < found["first_flagged"] == found["interval_end"]
