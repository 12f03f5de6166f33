"""The page's API over a real server."""

from __future__ import annotations

import itertools
import json
import socket
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import geopandas as gpd
import httpx
import pytest

from cvlarray.alerts import write_alerts
from cvlarray.alerts.feedback import standing_verdicts
from cvlarray.review import Limits, ReviewDatabase, read_verdicts

_ids = itertools.count()


def said(decision="confirmed", reason=None, **more):
    why = {} if reason is None else {"reason": reason}
    return {"decision": decision, "request_id": f"request-{next(_ids):08d}", **why, **more}


def all_events(client, state="open"):
    events, after = [], None
    while True:
        query = {"state": state, "limit": 7} | ({"after": after} if after else {})
        answer = client.get("/api/alerts", params=query).json()
        events += [alert["event_id"] for alert in answer["alerts"]]
        after = answer["next_after"]
        if after is None:
            return events


def n_on_map(client, state="open"):
    return sum(client.get("/api/cells", params={"state": state}).json()["n"])


def test_the_list_has_everything_once_by_priority_and_expected_hectares(page, draw_alerts):
    alerts = draw_alerts()
    rank = alerts["priority"].map({"high": 0, "medium": 1, "low": 2, "monitoring": 3})
    worth = alerts["confidence"] * alerts["area_m2"]
    order = alerts.assign(rank=rank, worth=-worth).sort_values(["rank", "worth", "event_id"])
    with page.client() as client:
        assert all_events(client) == order["event_id"].tolist()


@pytest.mark.parametrize("partner", ["Tambopata", "Manu"])
def test_a_partner_sees_the_alerts_of_its_area_only(page, draw_alerts, partner):
    alerts = draw_alerts()
    area = next(one.area for one in page.settings.partners if one.name == partner)
    theirs = alerts[alerts.intersects(area)]["event_id"]
    others = alerts[~alerts.intersects(area)]["event_id"]
    with page.client(partner) as client:
        assert sorted(all_events(client)) == sorted(theirs)
        counted = client.get("/api/alerts").json()["counts"]["open"]
        assert sum(counted.values()) == len(theirs)
        assert n_on_map(client) == len(theirs)
        event = others.iloc[0]
        for path in ("", "/series", "/before.png"):
            assert client.get(f"/api/alerts/{event}{path}").status_code == 404
        assert client.post(f"/api/alerts/{event}/verdicts", json=said()).status_code == 404


def test_a_link_to_one_alert_opens_no_other(page, draw_alerts):
    one, other = draw_alerts()["event_id"].iloc[[1, 2]]
    with page.client("Tambopata", event_id=one) as client:
        assert all_events(client) == [one]
        assert client.get(f"/api/alerts/{one}").status_code == 200
        assert client.get(f"/api/alerts/{other}").status_code == 404


def test_a_verdict_moves_the_alert_for_everybody_and_is_in_the_log(page, draw_alerts):
    event = draw_alerts()["event_id"].iloc[1]
    with page.client("Tambopata", reviewer="Ana Quispe") as ana, page.client() as operator:
        answer = ana.post(
            f"/api/alerts/{event}/verdicts", json=said("dismissed", "seasonal_water", note="río")
        )
        assert answer.json()["state"] == "dismissed"
        assert event not in all_events(operator)
        assert all_events(operator, "dismissed") == [event]
        (line,) = operator.get(f"/api/alerts/{event}").json()["verdicts"]
    assert (line["reviewer"], line["reason"], line["note"]) == (
        "Ana Quispe",
        "seasonal_water",
        "río",
    )
    assert not line["is_own"]


def test_counts_and_map_follow_the_verdicts(page):
    with page.client() as client:
        before = client.get("/api/alerts").json()["counts"]
        for event in all_events(client)[:20]:
            client.post(f"/api/alerts/{event}/verdicts", json=said())
        after = client.get("/api/alerts").json()["counts"]
        confirmed = n_on_map(client, "confirmed")
    assert sum(before["open"].values()) == 60
    assert sum(after["open"].values()) == 40
    assert sum(after["confirmed"].values()) == confirmed == 20


def test_a_double_click_counts_once(page, draw_alerts):
    event = draw_alerts()["event_id"].iloc[1]
    click = said()
    with page.client() as client:
        path = f"/api/alerts/{event}/verdicts"
        first = client.post(path, json=click).json()
        assert client.post(path, json=click).json() == first  # the network sent it twice
        assert client.post(path, json=said()).json() == first  # the finger did
    assert len(read_verdicts(ReviewDatabase(page.settings.database))) == 1


def test_undo_brings_back_what_stood_before(page, draw_alerts):
    event = draw_alerts()["event_id"].iloc[1]
    with page.client() as client:
        path = f"/api/alerts/{event}/verdicts"
        first = client.post(path, json=said()).json()["verdict_id"]
        second = client.post(path, json=said("dismissed", "other")).json()["verdict_id"]
        undo = {"request_id": "undo-0001"}
        assert client.post(f"{path}/{second}/undo", json=undo).json()["state"] == "confirmed"
        assert client.post(f"{path}/{second}/undo", json=undo).status_code == 200  # a repeat
        again = client.post(f"{path}/{second}/undo", json={"request_id": "undo-0002"})
        assert again.status_code == 409
        last = client.post(f"{path}/{first}/undo", json={"request_id": "undo-0003"})
        assert last.json()["state"] == "open"
    log = read_verdicts(ReviewDatabase(page.settings.database))
    assert log["decision"].tolist() == ["confirmed", "dismissed", "undone", "undone"]
    assert standing_verdicts(log).empty


def test_nobody_undoes_another_partners_verdict(page, draw_alerts):
    event = draw_alerts()["event_id"].iloc[1]
    path = f"/api/alerts/{event}/verdicts"
    with page.client() as operator, page.client("Tambopata") as partner:
        given = operator.post(path, json=said()).json()["verdict_id"]
        refused = partner.post(f"{path}/{given}/undo", json={"request_id": "undo-0001"})
    assert refused.status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "dismissed"},  # without a reason
        {"decision": "confirmed", "reason": "other"},
        {"decision": "confirmed", "reviewer": "somebody else"},
        {"decision": "undone"},
        {"decision": "confirmed", "note": "x" * 2001},
        {"decision": "confirmed", "request_id": "short"},
    ],
)
def test_verdicts_that_say_nothing_clear_are_refused(page, draw_alerts, body):
    event = draw_alerts()["event_id"].iloc[1]
    request = {"request_id": "request-00000000", **body}
    with page.client() as client:
        assert client.post(f"/api/alerts/{event}/verdicts", json=request).status_code == 422


def test_another_pages_request_is_refused(page, draw_alerts):
    event = draw_alerts()["event_id"].iloc[1]
    with page.client() as client, page.client() as other:
        for token in (None, "", other.headers["x-csrf-token"]):
            client.headers.pop("x-csrf-token", None)
            headers = {} if token is None else {"x-csrf-token": token}
            answer = client.post(f"/api/alerts/{event}/verdicts", json=said(), headers=headers)
            assert answer.status_code == 403
        assert all_events(client, "confirmed") == []


def peak_memory_kib():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0])


def test_a_huge_upload_is_refused_before_it_is_read(page, draw_alerts):
    event = draw_alerts()["event_id"].iloc[1]
    path = f"/api/alerts/{event}/verdicts"
    address = urlsplit(page.url).hostname, urlsplit(page.url).port
    chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
    sent = 0
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now
    before = peak_memory_kib()
    for head in ("content-length: 2147483648", "transfer-encoding: chunked"):
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n".encode())
            try:
                for _ in range(2048):  # 2 GB if it were read
                    connection.sendall(chunk)
                    sent += len(chunk)
            except OSError:  # the server has hung up
                pass
            with suppress(ConnectionResetError):
                assert connection.recv(64).startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))
    assert sent < 64 * 2**20
    assert peak_memory_kib() - before < 16 * 1024  # the server's, which is a thread of this process
    with page.client() as client:
        assert client.get("/api/alerts").status_code == 200


def test_too_many_requests_are_told_to_wait(settings, serve_page, draw_alerts):
    limits = Limits(reads_per_minute=1000, verdicts_per_minute=3, links_per_minute=4)
    event = draw_alerts()["event_id"].iloc[1]
    with serve_page(replace(settings, limits=limits)) as page, page.client() as client:
        path = f"/api/alerts/{event}/verdicts"
        answers = [client.post(path, json=said()) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["retry-after"] == "60"
        guesses = [httpx.post(f"{page.url}/link/guess{i}").status_code for i in range(5)]
        assert guesses == [403, 403, 403, 429, 429]  # one was spent on coming in


@pytest.mark.parametrize("partner", ["", "Manu"])
def test_the_page_brings_its_first_list_and_nothing_in_it_runs(
    settings, serve_page, draw_alerts, partner
):
    evil = "</script><script>document.title='ran'</script><!--"
    alerts = draw_alerts()
    alerts["class"] = evil
    write_alerts(alerts, settings.alerts_parquet.with_suffix(".geojson"), settings.alerts_parquet)
    with serve_page(settings) as page, page.client(partner) as client:
        html = client.get("/").text
        brought = html.split('id="first">')[1].split("</script>")[0]
        asked = [client.get(f"/api/{name}").json() for name in ("alerts", "cells")]
        assert json.loads(brought) == dict(zip(("alerts", "cells"), asked, strict=True))
        assert {alert["class"] for alert in asked[0]["alerts"]} == {evil}
        assert "<script>document" not in html
        event = asked[0]["alerts"][0]["event_id"]
        client.post(f"/api/alerts/{event}/verdicts", json=said())
        assert event not in client.get("/").text


def test_new_alerts_appear_and_verdicts_stay(page, draw_alerts):
    alerts = draw_alerts(80)
    event = alerts["event_id"].iloc[1]
    with page.client() as client:
        client.post(f"/api/alerts/{event}/verdicts", json=said())
        grown = alerts.iloc[1:].copy()  # one left, twenty came, and the judged one grew
        grown.loc[1, "area_m2"] = 9e5
        path = page.settings.alerts_parquet
        write_alerts(grown, path.with_suffix(".geojson"), path)
        deadline = time.monotonic() + 20
        while len(all_events(client)) != 78 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert sorted(all_events(client)) == sorted(grown["event_id"].iloc[1:])
        detail = client.get(f"/api/alerts/{event}").json()
    assert detail["state"] == "confirmed"
    assert detail["feature"]["properties"]["area_m2"] == 9e5


def test_the_feature_is_what_the_run_wrote(page, draw_alerts):
    alerts = draw_alerts()
    with page.client() as client:
        feature = client.get(f"/api/alerts/{alerts['event_id'].iloc[1]}").json()["feature"]
    read = gpd.GeoDataFrame.from_features([feature], crs=4326)
    assert read.geometry.iloc[0].equals(alerts.geometry.iloc[1])
    assert read["first_detected"].iloc[0] == "2025-03-02"
    assert feature["properties"]["jurisdiction"][0]["share"] == 0.5


def test_a_partner_who_is_none_any_more_is_let_out(settings, serve_page):
    with serve_page(settings) as page, page.client("Manu") as client:
        cookie = client.cookies.get("cvlarray_review")
    with serve_page(replace(settings, partners=settings.partners[:1])) as page:
        cookies = {"cvlarray_review": cookie}
        assert httpx.get(f"{page.url}/api/alerts", cookies=cookies).status_code == 401


def test_an_expired_link_stays_closed(page):
    answer = httpx.post(page.link(valid=timedelta(seconds=-1)))
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
