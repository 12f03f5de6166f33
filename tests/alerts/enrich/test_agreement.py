"""External alerts matched in place and time."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.alerts.enrich import Role, enrich
from cvlarray.alerts.enrich.agreement import days_apart
from tests.alerts.enrich.worlds import box, make_alerts, make_snapshot

days = st.dates(dt.date(2020, 1, 1), dt.date(2020, 4, 1))
intervals = st.tuples(days, days).map(sorted)


@given(intervals, intervals)
def test_days_apart_against_sets_of_days(ours, theirs):
    def whole(interval):
        return {ours[0] + dt.timedelta(n) for n in range(-200, 400)} & {
            interval[0] + dt.timedelta(n) for n in range((interval[1] - interval[0]).days + 1)
        }

    apart = days_apart(*(np.array([day], "datetime64[D]") for day in (*ours, *theirs)))[0]
    a, b = whole(ours), whole(theirs)
    if a & b:
        assert apart == 0
    else:
        expected = min(abs((x - y).days) for x in a for y in b)
        assert apart == (expected if min(b) > max(a) else -expected)


def test_unknown_ends():
    day, never = np.array(["2020-01-10"], "datetime64[D]"), np.array(["NaT"], "datetime64[D]")
    earlier = day - 5
    assert days_apart(day, day, never, earlier)[0] == -5
    assert days_apart(day, day, never, day + 5)[0] == 0
    assert np.isnan(days_apart(day, day, day, never)[0])
    assert np.isnan(days_apart(never, never, day, day)[0])


def external(name, places, dates, **window):
    rows = {"geometry": places, "date": dates, "confidence": ["high"] * len(dates)}
    return make_snapshot(
        name, Role.EXTERNAL_ALERTS, rows, match={"distance_m": 200, "days": 20} | window
    )


def test_matched_in_place_and_time():
    here, near, far = box(0, 0, 1, 1), box(1.1, 0, 1, 1), box(2, 0, 1, 1)
    alerts = make_alerts(box(0.2, 0.2, 0.5, 0.5))
    cases = {
        "inside": ([here], ["2025-05-03"], [-7]),
        "far": ([far], ["2025-05-10"], []),
        "late": ([here], ["2025-06-10"], []),
        "many": (
            [far, near, here, here],
            ["2025-05-10", "2025-05-13", "2025-05-08", "2025-07-01"],
            [-2],
        ),
    }
    snapshots = [external(name, places, dates) for name, (places, dates, _) in cases.items()]
    result = enrich(alerts, snapshots).iloc[0]
    found = {entry["layer"]: entry for entry in result["agreement"]}
    assert {name: [found[name]["days"]] for name in found} == {
        name: expected for name, (*_, expected) in cases.items() if expected
    }
    assert result["agreement_n"] == 2
    assert result["agreement_layers"] == "inside, many"
    assert result["agreement_days"] == -2
    assert found["inside"]["share"] == 1
    assert found["inside"]["confidence"] == "high"
    assert found["inside"]["dated_from"] == "2025-05-03"
    assert found["many"]["n_features"] == 1  # near is 400 m away from this alert
    assert result["jurisdiction"] == []


def test_distance_counts_from_the_outline():
    alerts = make_alerts(box(0, 0, 1, 1))
    for away_km, agrees in ((1.15, 1), (1.25, 0)):
        result = enrich(alerts, [external("x", [box(away_km, 0, 1, 1)], ["2025-05-10"])])
        assert result["agreement_n"].item() == agrees


def test_an_interval_counts_instead_of_a_day():
    alerts = make_alerts(
        box(0, 0, 1, 1), interval_start=pd.Timestamp("2025-03-01"), interval_end=pd.NaT
    )
    early = external("x", [box(0, 0, 1, 1)], ["2025-03-15"], days=0)
    assert enrich(alerts, [early])["agreement_days"].item() == 0
    unknown = alerts.assign(interval_start=pd.NaT)
    assert enrich(unknown, [early])["agreement_n"].item() == 0


def test_nothing_to_match_needs_no_dates():
    alerts = make_alerts(box(0, 0, 1, 1)).drop(columns="first_detected")
    result = enrich(alerts, [])
    assert np.isnan(result["agreement_days"].item())
    assert pd.isna(result["agreement_layers"].item())
    with pytest.raises(ValueError, match="must have first_detected"):
        enrich(alerts, [external("x", [box(0, 0, 1, 1)], ["2025-05-10"])])
