"""The verification page of the demo's own run, served by its command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import geopandas as gpd
import httpx
import pytest

CONFIG = "configs/demo.yaml"


@pytest.fixture(scope="module")
def workspace(demo_workspace, tmp_path_factory):
    """Return a copy of the demo's workspace that may be written to."""
    copy = tmp_path_factory.mktemp("review") / "run"
    shutil.copytree(demo_workspace, copy)
    return copy


@contextmanager
def serving(workspace):
    """Run the command; yield the link that it prints."""
    command = [sys.executable, "-m", "cvlarray.cli", "review", CONFIG, "--port", "0"]
    with subprocess.Popen(
        [*command, "--workspace", str(workspace)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            line = server.stdout.readline()
            yield re.fullmatch(r"open within the hour: (http://127\.0\.0\.1:\d+/link/\S+)\n", line)[
                1
            ]
        finally:
            server.terminate()
            server.communicate(timeout=30)


def test_the_demos_alerts_are_reviewed_and_become_labels(workspace, cvlarray):
    alerts = gpd.read_parquet(workspace / "alerts" / "alerts.parquet")
    one, other = alerts["event_id"].iloc[:2]
    with (
        serving(workspace) as link,
        httpx.Client(base_url=link.split("/link/")[0], follow_redirects=True, timeout=60) as client,
    ):
        page = client.post(link)
        client.headers["x-csrf-token"] = re.search(r'"csrf": "([^"]+)"', page.text)[1]
        counts = client.get("/api/alerts").json()["counts"]["open"]
        series = client.get(f"/api/alerts/{one}/series").json()
        pictures = [client.get(f"/api/alerts/{one}/{when}.png") for when in ("before", "after")]
        backdrop = client.get("/backdrop.webp")
        for event, body in (
            (one, {"decision": "confirmed"}),
            (other, {"decision": "dismissed", "reason": "natural_disturbance"}),
        ):
            said = {**body, "request_id": f"request-{event}"}
            client.post(f"/api/alerts/{event}/verdicts", json=said).raise_for_status()
    assert sum(counts.values()) == len(alerts)
    assert series["feature"] == "ndvi"
    assert series["first_detected"] == str(alerts["first_detected"].iloc[0].date())
    assert len(series["dates"]) > 60
    assert all(picture.content.startswith(b"\x89PNG") for picture in pictures)
    assert backdrop.content[8:12] == b"WEBP"

    output = workspace / "labels.parquet"
    result = cvlarray("labels", CONFIG, output, "--workspace", workspace)
    assert result.returncode == 0, result.stderr
    assert "1 changes and 1 verified negatives" in result.stdout
    labels = gpd.read_parquet(output).set_index("event_id")
    assert labels["is_change"].to_dict() == {one: True, other: False}
    assert labels.loc[other, "reason"] == "natural_disturbance"


def test_an_invitation_needs_a_partner_of_the_run(workspace, cvlarray):
    result = cvlarray("invite", CONFIG, "--partner", "nobody", "--workspace", workspace)
    assert result.returncode == 1
    assert result.stderr.startswith("error: there is no partner 'nobody'")


def test_without_alerts_there_is_nothing_to_review(tmp_path, cvlarray):
    result = cvlarray("review", CONFIG, "--workspace", tmp_path, "--port", "0")
    assert result.returncode == 1
    assert "this run has made no alerts yet" in result.stderr
    assert "Traceback" not in result.stderr
