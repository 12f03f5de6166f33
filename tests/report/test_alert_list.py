import numpy as np
import pandas as pd
import pyproj
import pytest

from cvlarray.report.alert_list import date_fractions, date_legend, entries, ranked, utm_epsg


def test_alerts_are_numbered_by_priority_then_area(make_alerts):
    listed = entries(ranked(make_alerts(12)))
    assert [entry.number for entry in listed] == list(range(1, 13))
    ranks = {"high": 0, "medium": 1, "none": 2}
    keys = [(ranks[entry.priority], -entry.area_m2) for entry in listed]
    assert keys == sorted(keys)


def test_order_does_not_depend_on_that_of_the_table(make_alerts):
    alerts = make_alerts(12)
    shuffled = alerts.sample(frac=1, random_state=2)
    assert entries(ranked(shuffled)) == entries(ranked(alerts))


def test_any_crs_gives_the_same_places(make_alerts):
    alerts = make_alerts(3)
    projected = entries(ranked(alerts.to_crs(3857)))
    assert [entry.utm for entry in projected] == [entry.utm for entry in entries(ranked(alerts))]


def test_missing_values_are_dashes(make_alerts):
    alerts = make_alerts(1).assign(
        confirmed=pd.NaT, confidence=np.nan, magnitude=np.nan, priority=None, interval_start=None
    )
    (entry,) = entries(ranked(alerts))
    assert entry.confirmed is None
    assert entry.interval[0] is None
    assert entry.confidence_text == entry.magnitude == entry.priority == "–"
    assert not entry.has_priority


def test_dates_as_text_and_as_dates_are_read_alike(make_alerts):
    alerts = make_alerts(4)
    as_text = alerts.assign(first_detected=alerts["first_detected"].dt.strftime("%Y-%m-%d"))
    as_dates = alerts.assign(first_detected=alerts["first_detected"].dt.date)
    assert entries(ranked(as_text)) == entries(ranked(alerts)) == entries(ranked(as_dates))


def test_colours_span_the_dates():
    dates = pd.Series(pd.to_datetime(["2019-01-01", "2019-01-11", None, "2019-01-21"]))
    assert date_fractions(dates) == pytest.approx([0, 0.5, float("nan"), 1], nan_ok=True)
    legend = date_legend(dates)
    assert legend is not None
    assert (legend.first, legend.last) == ("2019-01-01", "2019-01-21")
    assert date_legend(dates.iloc[2:3]) is None


@pytest.mark.parametrize(
    ("longitude", "latitude"), [(-69.19, -12.59), (22.15, 45.2), (-180.0, 1.0), (179.999, -1.0)]
)
def test_utm_zone_is_the_one_that_holds_the_point(longitude, latitude):
    (epsg,) = utm_epsg(np.array([longitude]), np.array([latitude]))
    area = pyproj.CRS(int(epsg)).area_of_use
    assert area.west <= longitude <= area.east
    assert area.south <= latitude <= area.north
