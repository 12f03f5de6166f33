from __future__ import annotations

import datetime as dt

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from cvlarray.alerts.feedback import VERDICT_DTYPES, labelled_set, standing_verdicts

NOW = dt.datetime(2025, 9, 30, 12, tzinfo=dt.UTC)


def verdicts(*rows):
    """Rows of (event, decision, reason, undoes, days before NOW), in the order they were given."""
    table = pd.DataFrame(
        [
            {
                "verdict_id": number,
                "event_id": event,
                "alert_hash": f"hash-{event}",
                "partner": "SERNANP",
                "reviewer": "Ana",
                "decision": decision,
                "reason": reason,
                "note": "",
                "undoes": undoes,
                "decided_at": NOW - dt.timedelta(days=age),
            }
            for number, (event, decision, reason, undoes, age) in enumerate(rows, start=1)
        ],
        columns=list(VERDICT_DTYPES),
    )
    return table.astype(VERDICT_DTYPES)


@pytest.fixture
def alerts():
    events = ["a", "b", "c", "d"]
    dates = pd.to_datetime(["2025-06-01"] * 4).astype("datetime64[ms]")
    return gpd.GeoDataFrame(
        {
            "event_id": pd.array(events, "string"),
            "class": pd.array(["mine_pit"] * 4, "string"),
            "confidence": [0.9, 0.8, 0.7, 0.6],
            "first_detected": dates,
            "interval_start": dates,
            "interval_end": dates,
        },
        geometry=[shapely.box(i, 0, i + 1, 1) for i in range(4)],
        crs=4326,
    )


def test_the_last_verdict_that_was_not_undone_stands():
    log = verdicts(
        ("a", "confirmed", None, None, 9),
        ("a", "dismissed", "cloud_haze", None, 8),
        ("a", "undone", None, 2, 7),
        ("b", "dismissed", "seasonal_water", None, 6),
        ("b", "confirmed", None, None, 5),
        ("c", "confirmed", None, None, 4),
        ("c", "undone", None, 6, 3),
    )
    standing = standing_verdicts(log)
    assert dict(zip(standing["event_id"], standing["decision"], strict=True)) == {
        "a": "confirmed",
        "b": "confirmed",
    }


def test_labels_have_verified_negatives_and_only_the_last_90_days(alerts):
    log = verdicts(
        ("a", "confirmed", None, None, 90.5),  # out of the window
        ("b", "confirmed", None, None, 89.5),
        ("c", "dismissed", "natural_disturbance", None, 1),
        ("gone", "confirmed", None, None, 1),
    )
    labels = labelled_set(alerts, log, as_of=NOW)
    assert labels["event_id"].tolist() == ["b", "c"]
    assert labels["is_change"].tolist() == [True, False]
    assert labels["reason"].iloc[1] == "natural_disturbance"
    assert labels.geometry.iloc[1].equals(alerts.geometry.iloc[2])
    everything = labelled_set(alerts, log, as_of=NOW, window_days=None)
    assert everything["event_id"].tolist() == ["a", "b", "c"]


def test_a_set_of_the_past_knows_nothing_of_later_verdicts(alerts):
    log = verdicts(("a", "confirmed", None, None, 20), ("a", "undone", None, 1, 2))
    assert labelled_set(alerts, log, as_of=NOW).empty
    then = labelled_set(alerts, log, as_of=NOW - dt.timedelta(days=10))
    assert then["event_id"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"as_of": NOW.replace(tzinfo=None)}, "time zone"),
        ({"as_of": NOW, "window_days": 0}, "window_days must be positive"),
    ],
)
def test_senseless_windows_are_refused(alerts, change, message):
    with pytest.raises(ValueError, match=message):
        labelled_set(alerts, verdicts(), **change)
