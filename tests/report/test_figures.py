import datetime as dt

import numpy as np
import pandas as pd
import pytest

from cvlarray.report import Period, figures
from cvlarray.report.observability import CLEAR_DATE_SHARE

FIRST = dt.date(2019, 5, 20)
PERIOD = Period(dt.date(2019, 1, 15), dt.date(2019, 6, 10))


@pytest.fixture
def series(make_series):
    return make_series("event", FIRST)


def test_flagged_are_those_outside_the_band_since_first_detected(series):
    # The invented series falls by 0.5 on that date, far out of a band of ± 0.15.
    np.testing.assert_array_equal(figures.is_flagged(series), series.dates >= np.datetime64(FIRST))


def test_an_early_outlier_is_not_flagged(series):
    series.observed[3] = -0.9
    assert not figures.is_flagged(series)[3]


def test_without_a_model_nothing_is_flagged(series):
    series.lower[:] = series.upper[:] = np.nan
    assert not figures.is_flagged(series).any()


def test_each_observation_is_drawn_once(series):
    figure = figures.series_figure(series, (dt.date(2019, 5, 1), FIRST))
    n_history = int((series.dates < np.datetime64(series.monitoring_start)).sum())
    assert figure.history_dots.count("h0") == n_history
    n_flagged = int(figures.is_flagged(series).sum())
    assert figure.flagged_dots.count("h0") == n_flagged
    assert figure.clear_dots.count("h0") == len(series.dates) - n_history - n_flagged


def test_dates_stand_in_order_on_the_axis(series):
    figure = figures.series_figure(series, (dt.date(2019, 5, 1), FIRST))
    assert figure.interval is not None
    interval_end = figure.interval.left + figure.interval.width
    assert 0 < figure.history.width < figure.interval.left < interval_end
    assert interval_end <= figure.first_detected.percent < figure.confirmed.percent < 100
    assert str(FIRST) in figure.description


def test_an_unknown_interval_is_not_drawn(series):
    assert figures.series_figure(series, (None, FIRST)).interval is None


def test_hectares_by_month_lose_nothing(make_alerts):
    alerts = make_alerts(12)
    months = figures.months_of(Period(dt.date(2018, 9, 1), dt.date(2021, 1, 1)))
    by_month = figures.hectares_by_month(alerts["first_detected"], alerts["area_m2"], months)
    assert sum(by_month) == pytest.approx(alerts["area_m2"].sum() / 1e4)
    january = alerts.loc[alerts["first_detected"].dt.strftime("%Y-%m") == "2019-01", "area_m2"]
    assert by_month[4] == pytest.approx(january.sum() / 1e4)


def test_undated_alerts_are_in_no_month(make_alerts):
    alerts = make_alerts(3).assign(first_detected=pd.NaT)
    months = figures.months_of(PERIOD)
    assert sum(figures.hectares_by_month(alerts["first_detected"], alerts["area_m2"], months)) == 0


def test_months_hardly_seen_are_marked_as_stretches():
    months = figures.months_of(PERIOD)
    figure = figures.detected_figure(months, [0, 2, 0, 0, 0, 1], [0.2, 0.9, 3, 0, 1.0, 0.99])
    assert [span.label for span in figure.little_seen] == [
        "January 2019 to February 2019",
        "April 2019 to April 2019",
        "June 2019 to June 2019",
    ]
    assert len(figure.bars) == 2
    assert figure.bars[0].height == pytest.approx(2 * figure.bars[1].height, rel=1e-3)
    assert "most in February 2019 (2.0 ha)" in figure.description


def test_nothing_detected_is_said():
    months = figures.months_of(PERIOD)
    figure = figures.detected_figure(months, [0.0] * 6, [3.0] * 6)
    assert figure.bars == []
    assert "Nothing was detected" in figure.description


def test_clear_share_shows_monitored_dates_and_counts_what_saw_half():
    share = pd.DataFrame(
        {
            "date": ["2018-12-01", "2019-02-01", "2019-03-01", "2019-04-01"],
            "clear_share": [1.0, 0.2, CLEAR_DATE_SHARE, 0.9],
        }
    )
    unread = [dt.date(2019, 2, 1), dt.date(2019, 2, 1), dt.date(2018, 12, 1)]
    figure = figures.share_figure(share, unread, PERIOD)
    assert figure.stems.count("M") == 3
    assert figure.unread_stems.count("M") == 1
    assert "3 dates; 2 of them" in figure.description
    assert "1 had assets" in figure.description
