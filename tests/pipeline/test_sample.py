"""The small forest's map sampled, labelled on its page in a real browser, and its accuracy."""

from __future__ import annotations

import datetime as dt
import io
import json
import shutil
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from playwright.sync_api import expect
from typer.testing import CliRunner

from cvlarray.alerts import read_alerts
from cvlarray.cli.app import app
from cvlarray.config import load_config
from cvlarray.errors import StoreError
from cvlarray.pipeline.sample import PointEvidence, draw_points
from cvlarray.pipeline.search import load_context
from cvlarray.review import ReviewDatabase
from cvlarray.review.sampling import label_point, read_sample
from cvlarray.store import Workspace
from tests.pipeline.forest import CLEARED, GEOBOX, run_settings

PERIOD = ["--from", "2021-01-01", "--to", "2021-12-31"]
CLEARED_M2 = 140 * 100
JANUARY, DECEMBER = dt.date(2021, 1, 1), dt.date(2021, 12, 31)


@pytest.fixture
def path(finished, forest_source, tmp_path):
    """Return the YAML of a copy of the run, with a layer over the western half."""
    shutil.copytree(finished.workspace, tmp_path / "workspace")
    west = GEOBOX[:, : CLEARED[1].start + 7].extent.geom
    gpd.GeoDataFrame({"code": ["W"]}, geometry=[west], crs="EPSG:32719").to_file(
        tmp_path / "west.gpkg"
    )
    layer = {
        "name": "parks",
        "role": "strict_protection",
        "source": {"path": str(tmp_path / "west.gpkg")},
        "columns": {"code": "code"},
    }
    settings = run_settings(forest_source, tmp_path / "workspace") | {"layers": [layer]}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "run.yaml"


def truth(points: pd.DataFrame) -> list[str]:
    """Return what was done to the pixels."""
    rows, cols = CLEARED
    is_cleared = points["row"].between(rows.start, rows.stop - 1) & points["col"].between(
        cols.start, cols.stop - 1
    )
    return np.where(is_cleared, "recent_clearing", "stable").tolist()


def test_a_labelled_sample_says_how_accurate_the_map_is(path):
    drawn = CliRunner().invoke(app, ["sample", str(path), *PERIOD, "--points", "160"])
    assert drawn.exit_code == 0, drawn.output
    config = load_config(path)
    workspace = Workspace(config.workspace)
    points = pd.read_parquet(workspace.sample)
    assert len(points) == 160
    assert points["map_class"].value_counts().min() >= 50
    (alert,) = read_alerts(workspace.alerts_parquet).to_dict("records")
    areas = pd.read_parquet(workspace.sample_areas).set_index(["layer", "map_class"])["area_m2"]
    assert areas["region", "recent_clearing"] == 100 * alert["n_pixels"]
    assert areas["parks", "recent_clearing"] == pytest.approx(CLEARED_M2 / 2, rel=0.05)

    database, sample = ReviewDatabase(workspace.review / "review.db"), read_sample(workspace.sample)
    for number, (name, label) in enumerate(zip(points["point_id"], truth(points), strict=True)):
        label_point(
            database, sample, point_id=name, label=label, reviewer="ana",
            request_id=f"request-{number}",
        )  # fmt: skip
    told = json.loads(CliRunner().invoke(app, ["stats", str(path), *PERIOD, "--json"]).stdout)
    rows = pd.DataFrame(told["accuracy"]).set_index(["layer", "class"])
    for layer, true_m2 in (("region", CLEARED_M2), ("parks", CLEARED_M2 / 2)):
        row = rows.loc[layer, "recent_clearing"]
        assert row["overall"] > 0.97
        assert abs(row["area_m2"] - true_m2) <= row["area_half_width_m2"] + 0.03 * true_m2
    shown = CliRunner().invoke(app, ["stats", str(path), *PERIOD])
    assert "accuracy by the labelled sample" in shown.stdout


def test_a_point_shows_before_and_after_its_period(path):
    config = load_config(path)
    draw_points(config, start=JANUARY, end=DECEMBER, n_points=40, seed=1)
    workspace = Workspace(config.workspace)
    points = pd.read_parquet(workspace.sample)
    evidence = PointEvidence(load_context(config, workspace))
    kinds = pd.Series(truth(points), index=points["point_id"])
    for kind in ("stable", "recent_clearing"):
        name = kinds.index[kinds == kind][0]
        series = evidence.series(name)
        drop = np.median(series.observed[series.dates < np.datetime64("2021-06-01")]) - np.median(
            series.observed[series.dates > np.datetime64("2021-07-01")]
        )
        assert (drop > 0.2) == (kind == "recent_clearing")
        before, after = evidence.pictures(name)
        assert all(Image.open(io.BytesIO(png)).size[0] >= 64 for png in (before, after))
    assert evidence.series("nobody") is None


def test_without_alerts_or_a_period_there_is_no_sample(path):
    config = load_config(path)
    with pytest.raises(ValueError, match="must not end"):
        draw_points(config, start=DECEMBER, end=JANUARY, n_points=40, seed=1)
    Workspace(config.workspace).alerts_parquet.unlink()
    with pytest.raises(StoreError, match="no alerts yet"):
        draw_points(config, start=JANUARY, end=DECEMBER, n_points=40, seed=1)


@pytest.mark.chromium
def test_points_are_labelled_in_a_browser_and_nothing_tells_the_map(browser, path):
    config = load_config(path)
    draw_points(config, start=JANUARY, end=DECEMBER, n_points=12, seed=1)
    command = [sys.executable, "-m", "cvlarray.cli", "review", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            label_two(browser, server.stdout.readline().removeprefix("open within the hour: "))
        finally:
            server.terminate()
    workspace = Workspace(config.workspace)
    rows = ReviewDatabase(workspace.review / "review.db").connection.execute(
        "SELECT point_id, label, reviewer FROM sample_label ORDER BY label_id"
    )
    first, second = [tuple(row) for row in rows]
    points = pd.read_parquet(workspace.sample)["point_id"].tolist()
    assert first == (points[0], "stable", "operator")
    assert second == (points[1], "unsure", "operator")


def label_two(browser, link: str) -> None:
    context = browser.new_context(locale="en-US", reduced_motion="reduce")
    tab = context.new_page()
    tab.set_default_timeout(120_000)  # pictures come from the cube, on a busy machine
    complaints, answers = [], []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("response", lambda answer: answers.append(answer) if "/api/" in answer.url else None)
    tab.goto(link.strip())
    tab.click("button.primary")
    tab.click("a[href='/sample']")
    expect(tab.locator(".progress")).to_have_text("0 / 12", timeout=120_000)
    tab.wait_for_selector(".chart")
    assert tab.locator(".label").all_inner_texts() == [
        "1. no change", "2. recent clearing", "3. can't tell",
    ]  # fmt: skip
    tab.dblclick(".label >> nth=0")
    expect(tab.locator(".progress")).to_have_text("1 / 12", timeout=120_000)
    tab.wait_for_selector(".chart")
    tab.keyboard.press("3")
    expect(tab.locator(".progress")).to_have_text("2 / 12", timeout=120_000)
    said = [answer.text() for answer in answers if answer.url.split("/")[-1] in {"sample", "label"}]
    assert said
    assert not any("map_class" in text or "stratum" in text for text in said)
    context.close()
    assert complaints == []
