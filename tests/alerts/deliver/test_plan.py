"""Who gets what now: new versions, the most urgent first, the rest in one digest."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from cvlarray.alerts.deliver import fill_outbox
from cvlarray.alerts.route import Partner, Tier
from tests.alerts.deliver.messages import NOW
from tests.alerts.dossiers import make_dossier


def make_table(n=6, **columns):
    table = gpd.GeoDataFrame(
        {
            "event_id": [f"e{i}" for i in range(n)],
            "class": "mine_pit",
            "confidence": 0.9,
            "area_m2": [10_000.0 * (i + 1) for i in range(n)],
            "confirmed": pd.Timestamp("2025-04-10"),
            "priority": "high",
            "queue": "inbox",
            "reasoning": [{"text": "why"}] * n,
            "jurisdiction": [[]] * n,
            "distance_to_road_m": 0.0,
            "distance_to_river_m": 0.0,
        },
        geometry=[shapely.box(i, 0, i + 1, 1) for i in range(n)],
        crs=4326,
    )
    return table.assign(**columns)


def ranger(**more):
    return Partner(name="ranger", tier=Tier.FIELD_ORGANISATION, **more)


@pytest.fixture
def fill(outbox):
    made = []

    def make(row):
        made.append(row["event_id"])
        return make_dossier(version=str(row["version"]), event_id=row["event_id"])

    def run(table, partner=None, now=NOW, **more):
        made.clear()
        return fill_outbox(
            outbox,
            table,
            {"ranger/feed": partner or ranger()},
            make_dossier=make,
            make_evidence=lambda dossier: {"sealed": dossier.event_id.encode()},
            now=now,
            max_age_days=30,
            **more,
        )

    run.made = made
    return run


def told(outbox):
    return [[alert.event_id for alert in outbox.message(e.key).alerts] for e in outbox.pending()]


def test_a_run_that_is_repeated_tells_nothing_twice(fill, outbox):
    assert fill(make_table(3)) == 3
    assert fill(make_table(3)) == 0
    assert fill.made == []
    assert fill(make_table(4)) == 1
    assert fill.made == ["e3"]


def test_a_digest_instead_of_a_flood_and_new_alerts_still_come_first(fill, outbox):
    assert fill(make_table(6), ranger(capacity=2)) == 3
    assert told(outbox) == [["e5"], ["e4"], ["e3", "e2", "e1", "e0"]]
    # The next day's alert isn't crowded out by those that went in the digest.
    assert fill(make_table(7), ranger(capacity=2)) == 1
    assert told(outbox)[-1] == ["e6"]


def test_the_monitoring_queue_is_never_sent(fill, outbox):
    table = make_table(3, queue=["inbox", "monitoring", "monitoring"])
    assert fill(table) == 1
    assert told(outbox) == [["e0"]]
    # Once the concession has lapsed it is.
    assert fill(make_table(3)) == 2


def test_versions(fill, outbox):
    table = make_table(3, version=[1, 1, 1], state="confirmed", change="new")
    assert fill(table) == 3
    later = make_table(
        5,
        version=[2, 2, 3, 2, 4],
        state=["confirmed", "confirmed", "withdrawn", "withdrawn", "confirmed"],
        change=["seen", "grown", "withdrawn", "withdrawn", "seen"],
    )
    assert fill(later) == 3
    assert told(outbox)[3:] == [["e4"], ["e2"], ["e1"]]


def test_history_wakes_nobody(fill, outbox):
    old = make_table(2, confirmed=[pd.Timestamp("2025-03-11"), pd.Timestamp("2025-03-12")])
    assert fill(old) == 1
    assert told(outbox) == [["e1"]]
    # An event that was told of is followed up, however old.
    grown = make_table(2, version=[1, 2], confirmed=pd.Timestamp("2025-03-12"))
    assert fill(grown, now=NOW + dt.timedelta(days=200)) == 1


def test_evidence_is_made_for_those_who_want_it(fill, outbox):
    partner = Partner(name="fiscalia", tier=Tier.GOVERNMENT)
    assert fill(make_table(1), partner) == 1
    (entry,) = outbox.pending()
    message = outbox.message(entry.key)
    assert message.is_sealed
    assert message.files == {"sealed": b"e0"}
