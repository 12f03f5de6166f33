"""The log of verdicts: nothing is lost, changed or counted twice."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from cvlarray.alerts.feedback import Decision, Reason, standing_verdicts
from cvlarray.errors import StoreError
from cvlarray.review import ReviewDatabase, check_log, list_alerts, read_verdicts
from cvlarray.review.verdicts import Judgement, give_verdict


@pytest.fixture
def database(tmp_path, draw_alerts):
    database = ReviewDatabase(tmp_path / "review.db")
    list_alerts(database, draw_alerts(), ())
    return database


def judge(event, number, decision=Decision.CONFIRMED, reason=None):
    return Judgement(event, "Manu", f"reviewer {number}", decision, f"request-{number:08d}", reason)


def test_the_log_can_only_grow(database, draw_alerts):
    give_verdict(database, judge(draw_alerts()["event_id"].iloc[0], 1))
    for statement in ("UPDATE verdict SET decision = 'dismissed'", "DELETE FROM verdict"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.connection.execute(statement)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE verdict SET decision = 'confirmed', reason = NULL WHERE verdict_id = 2",
        "UPDATE verdict SET decided_at = '2020-01-01T00:00:00+00:00' WHERE verdict_id = 2",
        "DELETE FROM verdict WHERE verdict_id = 2",
        "UPDATE verdict SET reviewer = 'nobody' WHERE verdict_id = 3",
    ],
)
def test_who_goes_round_the_triggers_is_noticed(database, draw_alerts, tampering):
    for number, event in enumerate(draw_alerts()["event_id"].iloc[:3], start=1):
        give_verdict(database, judge(event, number, Decision.DISMISSED, Reason.OTHER))
    check_log(database)
    database.connection.execute("DROP TRIGGER verdict_kept")
    database.connection.execute("DROP TRIGGER verdict_stays")
    database.connection.execute(tampering)
    with pytest.raises(StoreError, match=r"tampered with: verdict [23] "):
        check_log(database)


def test_many_reviewers_at_once_lose_nothing(database, draw_alerts):
    events = draw_alerts()["event_id"]

    def review(number):
        for event in events[number::2]:
            give_verdict(database, judge(event, int(event[-4:]) + 1000 * number))
        database.close()

    threads = [threading.Thread(target=review, args=(n % 2,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = read_verdicts(database)
    assert sorted(log["event_id"]) == sorted(events)  # every pair of threads said the same
    check_log(database)
    states = database.connection.execute(
        "SELECT state, SUM(n) FROM cell_count GROUP BY 1 HAVING SUM(n)"
    )
    assert [tuple(row) for row in states] == [("confirmed", len(events))]


def test_the_list_agrees_with_the_log(database, draw_alerts):
    events = draw_alerts()["event_id"]
    for number, event in enumerate(events[:30]):
        give_verdict(database, judge(event, number))
        if number % 3 == 0:
            give_verdict(
                database, judge(event, 100 + number, Decision.DISMISSED, Reason.CLOUD_HAZE)
            )
    standing = standing_verdicts(read_verdicts(database)).set_index("event_id")["decision"]
    rows = database.connection.execute("SELECT event_id, state FROM queue WHERE state <> 'open'")
    assert dict(map(tuple, rows)) == standing.to_dict()


def test_an_unknown_alert_has_no_verdict(database):
    with pytest.raises(LookupError, match="no alert nothing"):
        give_verdict(database, judge("nothing", 1))


def test_a_file_of_a_newer_version_is_refused(database):
    database.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="review version 99"):
        ReviewDatabase(database.path)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "review.db").write_bytes(b"not a database, but long enough to look like one" * 4)
    with pytest.raises(StoreError, match="cannot use the review database"):
        ReviewDatabase(tmp_path / "review.db")


def test_listing_again_changes_nothing(database, draw_alerts):
    assert list_alerts(database, draw_alerts(), ()) == 0
    assert list_alerts(database, draw_alerts(61), ()) == 1
    assert list_alerts(database, draw_alerts(60), ()) == 1
