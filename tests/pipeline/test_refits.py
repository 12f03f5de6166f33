"""From which years a season is fitted anew."""

from __future__ import annotations

import datetime as dt

import pytest

from cvlarray.config import load_config
from cvlarray.pipeline.monitor import _Dates, refit_period

PERIODS = {
    "history": {"start": "2016-06-01", "end": "2018-05-31"},
    "monitoring": {"start": "2018-06-01", "end": "2023-12-31"},
}


@pytest.fixture
def config(write_config, tmp_path):
    return load_config(write_config(tmp_path, periods=PERIODS))


def dates_without(*years: int) -> _Dates:
    """Return a date every twelve days, but for years from June to May."""
    every = [dt.date(2016, 6, 1) + dt.timedelta(days=12 * n) for n in range(200)]
    gone = [(dt.date(year, 6, 1), dt.date(year + 1, 6, 1)) for year in years]
    kept = [day for day in every if not any(first <= day < after for first, after in gone)]
    return _Dates(tuple(map(str, kept)))


def starts(dates: _Dates, config) -> list[str]:
    return [str(refit_period(year, dates, config)[0]) for year in range(1, 5)]


def test_a_history_is_as_long_as_the_first(config):
    assert starts(dates_without(), config) == [f"{year}-06-01" for year in range(2017, 2021)]
    assert str(refit_period(2, dates_without(), config)[1]) == "2020-05-31"


def test_a_year_without_data_is_made_up_for_by_an_earlier_one(config):
    # Of the refits of 2020 and 2021 one year would be 2019's.
    assert starts(dates_without(2019), config) == [
        "2017-06-01", "2017-06-01", "2018-06-01", "2020-06-01"
    ]  # fmt: skip


def test_no_history_goes_back_beyond_the_first(config):
    assert starts(dates_without(2018, 2019), config)[:2] == ["2016-06-01", "2016-06-01"]
