"""Counts and shares of a period, checked against the paper's own figures where it gives them."""

from __future__ import annotations

import datetime as dt
import math

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from cvlarray.alerts.feedback import VERDICT_DTYPES
from cvlarray.alerts.latency import Latency
from cvlarray.alerts.statistics import operations, wilson_interval

MARCH = dt.date(2025, 3, 1), dt.date(2025, 3, 31)


@given(trials=st.integers(1, 5000), share=st.floats(0, 1))
def test_wilsons_interval_is_statsmodels(trials, share):
    hits = round(trials * share)
    expected = proportion_confint(hits, trials, method="wilson")
    assert wilson_interval(hits, trials) == pytest.approx(expected, abs=1e-9)


def test_the_papers_precision_of_judged_alerts():
    """Section 6.3: 2,891 of 3,847 were confirmed."""
    low, high = wilson_interval(2891, 3847)
    assert (round(low, 3), round(high, 3)) == (0.738, 0.765)
    assert all(math.isnan(end) for end in wilson_interval(0, 0))
    with pytest.raises(ValueError, match="hits must be 0 to the trials"):
        wilson_interval(3, 2)


@pytest.fixture(scope="module")
def alerts():
    days = ["2025-02-28", "2025-03-01", "2025-03-15", "2025-03-31", "2025-04-01"]
    return gpd.GeoDataFrame(
        {
            "event_id": [f"e{n}" for n in range(5)],
            "class": ["a", "pit", "pit", "road", "b"],
            "priority": ["high", "high", "medium", "high", "low"],
            "confidence": [0.9, 0.8, 0.9, 0.6, 0.7],
            "confirmed": pd.to_datetime(days),
        },
        geometry=[shapely.Point(0, 0).buffer(1)] * 5,
        crs=4326,
    )


def verdicts(*rows):
    table = pd.DataFrame(
        [
            {
                "verdict_id": n,
                "event_id": event_id,
                "alert_hash": "",
                "partner": "p",
                "reviewer": "r",
                "decision": decision,
                "reason": reason,
                "note": "",
                "undoes": undoes,
                "decided_at": pd.Timestamp("2025-04-02", tz="UTC") + pd.Timedelta(minutes=n),
            }
            for n, (event_id, decision, reason, undoes) in enumerate(rows, start=1)
        ],
        columns=list(VERDICT_DTYPES),
    )
    return table.astype(VERDICT_DTYPES)


def test_a_period(alerts):
    said = verdicts(
        ("e0", "confirmed", None, None),  # of another period
        ("e1", "dismissed", "cloud_haze", None),
        ("e2", "dismissed", "seasonal_water", None),
        ("e2", "undone", None, 3),
        ("e3", "dismissed", "other", None),
        ("e3", "undone", None, 5),
        ("e3", "confirmed", None, None),
    )
    start = dt.datetime(2025, 3, 15, 15, tzinfo=dt.UTC)
    steps = (start + dt.timedelta(minutes=m) for m in (0, 180, 200, 218, 226, 228, 233))
    found = operations(
        alerts,
        said,
        {"e2": Latency(*steps)},
        {"rangers": {"e0", "e1", "e2"}, "press": {"e4"}, "police": {"e2"}},
        start=MARCH[0],
        end=MARCH[1],
        monitored_km2=85_300,
    )
    assert found.n_alerts == 3
    assert found.by_priority["n"].to_dict() == {"high": 2, "medium": 1}
    assert found.by_class["share"].to_dict() == pytest.approx({"pit": 2 / 3, "road": 1 / 3})
    assert found.latency.loc["processing", ["n", "median_min"]].tolist() == [1, 33]
    assert (found.feedback.n_confirmed, found.feedback.n_dismissed) == (1, 1)
    assert {reason: n for reason, n in found.feedback.reasons.items() if n} == {"cloud_haze": 1}
    assert found.feedback.precision == 0.5
    low, high = found.feedback.precision_interval
    assert low < 0.5 < high
    assert found.delivered.to_dict() == {"rangers": 2, "police": 1}  # e0 and e4 are of other months
    assert found.n_delivered == 2
    assert found.feedback.calibration_error == pytest.approx((0.8 + 0.4) / 2)  # 0.8 no, 0.6 yes
    assert found.feedback.calibration.n_verdicts == 2


def test_a_period_without_alerts(alerts):
    day = dt.date(2020, 1, 1)
    found = operations(alerts, verdicts(), {}, {}, start=day, end=day, monitored_km2=1)
    assert found.n_alerts == 0
    assert math.isnan(found.feedback.precision)
    assert found.by_class.empty
    assert found.delivered.empty
    assert found.feedback.calibration is None
    with pytest.raises(ValueError, match="must not end before"):
        operations(
            alerts, verdicts(), {}, {}, start=day, end=day - dt.timedelta(days=1), monitored_km2=1
        )
