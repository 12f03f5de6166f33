"""Labels of a sample's points: who may give them, and what is kept."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pandas as pd
import pytest

from cvlarray.review import ReviewDatabase, list_alerts, read_labels
from cvlarray.review.database import SCHEMAS

POINTS = ["0a1b-00000", "0a1b-00001"]


@pytest.fixture
def sampled(settings, tmp_path, serve_page):
    """Return a page with a sample of two points."""
    table = pd.DataFrame({"point_id": POINTS, "map_class": ["mine_pit", "stable"]})
    table.to_parquet(tmp_path / "sample.parquet")
    with serve_page(replace(settings, sample=tmp_path / "sample.parquet")) as page:
        yield page


def test_the_last_label_counts_and_a_repeat_is_none(sampled):
    with sampled.client() as client:
        first = client.get("/api/sample").json()
        assert first == {
            "point_id": POINTS[0],
            "classes": ["stable", "mine_pit", "unsure"],
            "n_points": 2,
            "n_labelled": 0,
        }
        for label, request in (("stable", "request-1"), ("mine_pit", "request-1")):
            body = {"label": label, "request_id": request}
            answer = client.post(f"/api/sample/{POINTS[0]}/label", json=body)
            assert answer.json()["point_id"] == POINTS[1]
        database = ReviewDatabase(sampled.settings.database)
        assert read_labels(database) == {POINTS[0]: "stable"}
        body = {"label": "unsure", "request_id": "request-2"}
        client.post(f"/api/sample/{POINTS[0]}/label", json=body)
        assert read_labels(database) == {POINTS[0]: "unsure"}
        assert client.get(f"/api/sample/{POINTS[1]}/before.png").content[:4] == b"\x89PNG"
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.connection.execute("UPDATE sample_label SET label = 'stable'")


def test_what_is_refused(sampled, page):
    body = {"label": "stable", "request_id": "request-1"}
    with sampled.client() as client:
        assert client.post("/api/sample/nobody/label", json=body).status_code == 404
        other = body | {"label": "volcano"}
        assert client.post(f"/api/sample/{POINTS[0]}/label", json=other).status_code == 409
        del client.headers["x-csrf-token"]
        assert client.post(f"/api/sample/{POINTS[0]}/label", json=body).status_code == 403
    with sampled.client("Manu") as client:  # a partner sees its own alerts only
        assert client.get("/api/sample").status_code == 404
        assert client.post(f"/api/sample/{POINTS[0]}/label", json=body).status_code == 404
        assert "/sample" not in client.get("/").text.split("<nav")[0]
    with page.client() as client:  # no sample was drawn
        assert client.get("/api/sample").json() == {"detail": "no_sample"}


def test_a_kept_answer_is_right_after_every_change(page):
    """The list is answered from memory until a verdict, or a run, changes it."""
    with page.client() as client:
        before = client.get("/api/alerts").json()
        assert client.get("/api/alerts").json() == before
        event = before["alerts"][0]["event_id"]
        said = {"decision": "confirmed", "request_id": "request-1"}
        client.post(f"/api/alerts/{event}/verdicts", json=said).raise_for_status()
        after = client.get("/api/alerts").json()
        assert event not in [alert["event_id"] for alert in after["alerts"]]
        assert sum(after["counts"]["confirmed"].values()) == 1
        with page.client("Manu") as other:
            assert other.get("/api/alerts").json()["counts"] != after["counts"]
        plain = client.get("/api/alerts", headers={"accept-encoding": "identity"})
        assert plain.json() == after
        assert "content-encoding" not in plain.headers


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path, draw_alerts):
    """With all that was in it."""
    old = sqlite3.connect(tmp_path / "review.db")
    for statement in SCHEMAS[0].read_text().split(";;"):
        old.execute(statement)
    old.execute("PRAGMA user_version = 1")
    old.execute("INSERT INTO link VALUES ('one', 'session', '2025-01-01')")
    old.commit()
    old.close()
    database = ReviewDatabase(tmp_path / "review.db")
    list_alerts(database, draw_alerts(), [])
    assert database.generation() > 0
    assert database.connection.execute("SELECT link_id FROM link").fetchone()[0] == "one"
