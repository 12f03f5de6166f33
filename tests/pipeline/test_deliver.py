"""Alerts of a run over the small forest, delivered: what partners find, and what they don't."""

from __future__ import annotations

import base64
import datetime as dt
import json
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from cvlarray.alerts import read_alerts, write_alerts
from cvlarray.alerts.deliver import Outbox, Secrets
from cvlarray.alerts.evidence import verify_package
from cvlarray.alerts.feedback import Decision, Reason
from cvlarray.alerts.route import PackageFormat
from cvlarray.cli.app import app
from cvlarray.config import RunConfig, load_config
from cvlarray.errors import DeliveryError
from cvlarray.pipeline.deliver import deliver_alerts, make_package
from cvlarray.review import read_key
from cvlarray.review.access import LinkRefusedError, open_link
from cvlarray.review.database import ReviewDatabase
from cvlarray.review.listing import list_alerts
from cvlarray.review.verdicts import Judgement, give_verdict
from cvlarray.store import Workspace
from tests.pipeline.forest import CLEARED, CLEARED_ON, DATES, GEOBOX, run_settings
from tests.pipeline.runs import run

PEM = (
    Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
SECRETS = Secrets({"CVLARRAY_SIGNING_KEY": PEM})
PARTNERS = [
    {"name": "rangers", "tier": "field_organisation", "package": "kml"},
    {"name": "fiscalia", "tier": "government"},
    {"name": "elsewhere", "tier": "academic", "codes": ["PN99"]},
]
CHANNELS = [
    {"kind": "directory", "partner": "rangers", "path": "out/rangers"},
    {"kind": "directory", "partner": "fiscalia", "path": "out/fiscalia"},
    {"kind": "directory", "partner": "elsewhere", "path": "out/elsewhere"},
    {"kind": "feed", "partner": "rangers", "path": "out/feed", "url": "https://a.example.org/f"},
]


def write_park(path: Path) -> None:
    gpd.GeoDataFrame(
        {"anp_codi": ["PN03"], "anp_nomb": ["Manu"]},
        geometry=[GEOBOX[CLEARED[0], CLEARED[1]].extent.geom],
        crs="EPSG:32719",
    ).to_file(path)


@pytest.fixture(scope="module")
def routed(finished: RunConfig, forest_source: Path, tmp_path_factory) -> Callable[..., Path]:
    """Return a function that copies a run with a park, and gives its YAML's path."""
    folder = tmp_path_factory.mktemp("routed")
    shutil.copytree(finished.workspace, folder / "workspace")
    write_park(folder / "anp.gpkg")
    layer = {
        "name": "parks",
        "role": "strict_protection",
        "source": {"path": str(folder / "anp.gpkg")},
        "columns": {"code": "anp_codi", "name": "anp_nomb"},
        "valid": "2025-01-01",
    }
    settings = run_settings(forest_source, folder / "workspace") | {
        "layers": [layer],
        "routing": {"partners": PARTNERS},
        "delivery": {
            "channels": CHANNELS,
            "max_age_days": 3660,
            "verification_url": "https://review.example.org/?event={event_id}",
            "signing": {"name": "Canopy Vision Lab"},
        },
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
    run(load_config(folder / "run.yaml"))

    def copy(target: Path, **delivery: object) -> Path:
        shutil.copytree(folder / "workspace", target / "workspace")
        own = settings | {"workspace": str(target / "workspace")}
        own["delivery"] = own["delivery"] | delivery
        (target / "run.yaml").write_text(yaml.safe_dump(own))
        return target / "run.yaml"

    return copy


def ignore(attempt: object) -> None:
    pass


def test_each_partner_gets_its_own_once(routed, tmp_path):
    config = load_config(routed(tmp_path))
    attempts = []
    assert deliver_alerts(config, told=attempts.append, secrets=SECRETS) == []
    assert sorted(attempt.entry.destination for attempt in attempts) == [
        "fiscalia/directory", "rangers/directory", "rangers/feed",
    ]  # fmt: skip
    assert deliver_alerts(config, told=attempts.append, secrets=SECRETS) == []
    assert len(attempts) == 3

    out = tmp_path / "out"
    (alert,) = read_alerts(Workspace(config.workspace).alerts_parquet).to_dict("records")
    assert not (out / "elsewhere").exists()
    (folder,) = (out / "rangers").iterdir()
    assert folder.name.startswith(alert["event_id"])
    outline = gpd.read_file(folder / "alert.geojson")
    assert outline["verification_url"].tolist() == [
        f"https://review.example.org/?event={alert['event_id']}"
    ]
    cleared = GEOBOX[CLEARED[0], CLEARED[1]].extent.geom
    found = outline.to_crs(32719).geometry[0]
    assert found.intersection(cleared).area / found.union(cleared).area > 0.9
    assert pystac.Collection.from_file(out / "feed" / "collection.json").get_items()


def test_a_link_lets_the_one_partner_in_to_the_one_alert(routed, tmp_path):
    """Opened as the page opens it; what anybody can read holds none."""
    review = {"review_url": "https://review.example.org/", "review_days": 3}
    config = load_config(routed(tmp_path, **review))
    deliver_alerts(config, told=ignore, secrets=SECRETS)
    workspace = Workspace(config.workspace)
    (event_id,) = read_alerts(workspace.alerts_parquet)["event_id"]
    key = read_key(workspace.review)
    database = ReviewDatabase(tmp_path / "opened.db")
    tokens = {}
    for partner in ("rangers", "fiscalia"):
        (folder,) = (tmp_path / "out" / partner).iterdir()
        told = json.loads((folder / "alert.geojson").read_text())["properties"]
        start, tokens[partner] = told["verification_url"].split("/link/")
        assert start == "https://review.example.org"
        visitor = open_link(database, key, tokens[partner], None)
        assert (visitor.partner, visitor.event_id) == (partner, event_id)
    with pytest.raises(LinkRefusedError):
        open_link(database, key, tokens["rangers"], None)  # a second time
    packed = base64.urlsafe_b64decode(tokens["rangers"].split(".")[1] + "==")  # .zlib.signature
    payload = json.loads(zlib.decompress(packed))
    left = dt.datetime.fromisoformat(payload["expires_at"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=2.9) < left <= dt.timedelta(days=3)
    public = (tmp_path / "out" / "feed").rglob("*.atom")
    assert all("/link/" not in path.read_text() for path in public)
    (told,) = json.loads((tmp_path / "out" / "feed" / "alerts.geojson").read_text())["features"]
    assert told["properties"]["verification_url"] == (
        f"https://review.example.org/?event={event_id}"
    )
    assert verify_package(next((tmp_path / "out" / "fiscalia").iterdir())).is_intact


def test_what_evidence_holds(routed, tmp_path):
    config = load_config(routed(tmp_path))
    deliver_alerts(config, told=ignore, secrets=SECRETS)
    (folder,) = (tmp_path / "out" / "fiscalia").iterdir()
    found = verify_package(folder)
    assert found.is_intact
    assert found.is_signed
    assert found.signer == "Canopy Vision Lab"

    told = json.loads((folder / "alert.geojson").read_text())["properties"]
    assert told["priority"] == "high"
    assert told["jurisdiction"][0]["code"] == "PN03"
    assert [layer["name"] for layer in told["layers"]] == ["parks"]
    latency = {step: at and dt.datetime.fromisoformat(at) for step, at in told["latency"].items()}
    assert latency["acquired"].date().isoformat() == told["acquisition"]
    assert latency["acquired"] < latency["read"] <= latency["inferred"] <= latency["enriched"]
    manifest = json.loads((folder / "manifest.json").read_text())
    roles = {entry["path"]: entry["role"] for entry in manifest["files"]}
    assert {path for path, role in roles.items() if role == "input"} == {
        f"inputs/{name}" for name in ("run.yaml", "items.json", "before.tif", "after.tif")
    }
    chips = {"before", "after", "index_before", "index_after"}
    assert {path.stem for path in (folder / "chips").iterdir()} == chips
    assert {s["kind"] for s in manifest["references"]} == {"scene", "layer"}

    red = {}
    for moment in ("before", "after"):
        with rasterio.open(folder / "inputs" / f"{moment}.tif") as file:
            red[moment] = file.read(file.descriptions.index("red") + 1).astype(float)
            window = file.window(*GEOBOX[CLEARED[0], CLEARED[1]].extent.boundingbox.bbox)
    rows, cols = (s for s in window.round_offsets().round_lengths().toslices())
    rise = np.median(red["after"][rows, cols]) - np.median(red["before"][rows, cols])
    assert 800 < rise < 1000  # the forest's clearing is 900 brighter
    days = [item["properties"]["datetime"][:10] for item in _items(folder)]
    assert min(days) < CLEARED_ON.isoformat() < max(days)
    assert str(tmp_path) not in (folder / "inputs" / "run.yaml").read_text()


def _items(folder: Path) -> list[dict[str, object]]:
    return json.loads((folder / "inputs" / "items.json").read_text())


def test_the_latency_is_kept(routed, tmp_path):
    config = load_config(routed(tmp_path))
    deliver_alerts(config, told=ignore, secrets=SECRETS)
    path = Workspace(config.workspace).latency_parquet
    (row,) = pd.read_parquet(path).to_dict("records")
    with Outbox(Workspace(config.workspace).outbox) as outbox:
        assert row["delivered"] == min(entry.sent_at for entry in outbox.sent())
    assert row["found"] <= row["read"] <= row["inferred"] <= row["enriched"] < row["delivered"]


def test_one_alert_as_a_package(routed, tmp_path):
    config = load_config(routed(tmp_path))
    (event_id,) = read_alerts(Workspace(config.workspace).alerts_parquet)["event_id"]

    def make(folder: str) -> Path:
        form = PackageFormat.EVIDENCE
        return make_package(
            config, event_id, tmp_path / folder, form=form, is_zipped=True, secrets=SECRETS
        )

    assert make("one").read_bytes() == make("two").read_bytes()
    with pytest.raises(DeliveryError, match="no alert of the run is called nobody"):
        make_package(config, "nobody", tmp_path, form=PackageFormat.KML)


def test_by_command(routed, tmp_path, monkeypatch):
    path = routed(tmp_path)
    monkeypatch.setenv("CVLARRAY_SIGNING_KEY", PEM)
    result = CliRunner().invoke(app, ["deliver", str(path)])
    assert (result.exit_code, result.exception) == (0, None)
    assert result.output.count("sent ") == 3
    assert "mine" not in CliRunner().invoke(app, ["deliver", str(path)]).output
    (event_id,) = read_alerts(tmp_path / "workspace/alerts/alerts.parquet")["event_id"]
    made = CliRunner().invoke(
        app, ["package", str(path), event_id, "--folder", str(tmp_path / "p"), "--zip"]
    )
    assert made.exit_code == 0
    (package,) = (tmp_path / "p").iterdir()
    assert CliRunner().invoke(app, ["verify", str(package)]).exit_code == 0


def test_what_waits_makes_another_exit_code(routed, tmp_path, monkeypatch):
    (tmp_path / "blocked").write_text("a file where the folder should be")
    channel = {"kind": "directory", "partner": "rangers", "path": str(tmp_path / "blocked")}
    path = routed(tmp_path, channels=[channel])
    result = CliRunner().invoke(app, ["deliver", str(path)])
    assert result.exit_code == 3
    assert "waits rangers/directory" in result.output
    (tmp_path / "blocked").unlink()
    assert CliRunner().invoke(app, ["deliver", str(path), "--retry"]).exit_code == 0
    assert len(list((tmp_path / "blocked").iterdir())) == 1


def test_nothing_is_sent_without_key_or_channel_or_alerts(routed, tmp_path):
    config = load_config(routed(tmp_path))
    with pytest.raises(DeliveryError, match="CVLARRAY_SIGNING_KEY"):
        deliver_alerts(config, told=ignore, secrets=Secrets({}))
    with pytest.raises(DeliveryError, match=r"delivery\.channels"):
        deliver_alerts(
            load_config(tmp_path / "run.yaml", {"delivery": {"channels": []}}), told=ignore
        )
    with pytest.raises(DeliveryError, match="has no alerts yet"):
        deliver_alerts(
            load_config(tmp_path / "run.yaml", {"workspace": str(tmp_path / "new")}),
            told=ignore,
            secrets=SECRETS,
        )
    assert not (tmp_path / "out").exists()


def test_alerts_that_concern_nobody_knows_whom_are_kept(routed, tmp_path, forest_source):
    path = routed(tmp_path)
    settings = yaml.safe_load(path.read_text())
    settings["layers"][0]["source"]["path"] = str(tmp_path / "gone.gpkg")
    path.write_text(yaml.safe_dump(settings))
    config = load_config(path)
    run(config)
    with pytest.raises(DeliveryError, match=r"nothing new is sent: no priority: .*'parks'"):
        deliver_alerts(config, told=ignore, secrets=SECRETS)
    assert not (tmp_path / "out").exists()


def test_no_secret_is_written_anywhere(routed, tmp_path):
    config = load_config(routed(tmp_path))
    deliver_alerts(config, told=ignore, secrets=SECRETS)
    line = PEM.splitlines()[1].encode()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert not any(line in path.read_bytes() for path in files)


def test_the_report_is_made_anew_after_a_delivery(routed, tmp_path):
    config = load_config(routed(tmp_path))
    page = Workspace(config.workspace).report_html
    before = page.read_text()
    run(config)
    assert page.read_text() == before
    deliver_alerts(config, told=ignore, secrets=SECRETS)
    run(config)
    assert page.read_text() != before
    assert "Nothing is said of latency" in page.read_text()  # images of 2021


def test_the_statistics_of_a_period(routed, tmp_path):
    path = routed(tmp_path)
    config = load_config(path)
    deliver_alerts(config, told=ignore, secrets=SECRETS)
    workspace = Workspace(config.workspace)
    (alert,) = read_alerts(workspace.alerts_parquet).to_dict("records")
    database = ReviewDatabase(workspace.review / "review.db")
    list_alerts(database, read_alerts(workspace.alerts_parquet), ())
    dismissed = Judgement(
        alert["event_id"], "", "ana", Decision.DISMISSED, "click-1", Reason.CLOUD_HAZE
    )
    give_verdict(database, dismissed)

    arguments = ["stats", str(path), "--from", "2021-06-01", "--to", "2021-12-31"]
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert found["n_alerts"] == found["n_delivered"] == 1
    assert found["delivered"] == {"rangers": 1, "fiscalia": 1}
    assert found["feedback"]["calibration_error"] == pytest.approx(alert["confidence"])
    assert found["by_priority"] == {"high": {"n": 1, "share": 1.0}}
    assert found["feedback"]["reasons"]["cloud_haze"] == 1
    assert found["feedback"]["precision"] == 0
    assert found["monitored_km2"] == pytest.approx(0.62**2, rel=0.02)
    assert found["latency"]["processing"]["n"] == 0  # images of 2021 are history
    windows = pd.DataFrame(found["coverage"]["windows"])
    whole = windows[windows["layer"] == "region"]
    n_dates = sum(dt.date(2021, 6, 1) <= day <= dt.date(2021, 12, 31) for day in DATES)
    assert whole["n_dates"].sum() == n_dates
    assert whole.loc[whole["n_dates"] == 0, "clear_share"].eq(0).all()
    blind = pd.DataFrame(found["coverage"]["blind"]).set_index("layer")
    assert blind.loc["parks", "area_km2"] == pytest.approx(0.014, rel=0.02)  # 140 m × 100 m
    assert blind["longest_blind_days"].min() >= (DATES[1] - DATES[0]).days
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0
    assert "parks PN03" in shown.stdout
    assert "cloud haze" in shown.stdout
    empty = CliRunner().invoke(
        app, ["stats", str(path), "--from", "2020-01-01", "--to", "2020-01-02"]
    )
    assert "0 alerts" in empty.stdout


def test_who_was_told_of_an_alert_is_told_when_it_is_withdrawn(routed, tmp_path):
    config = load_config(routed(tmp_path))
    deliver_alerts(config, told=ignore, secrets=SECRETS)
    workspace = Workspace(config.workspace)
    alerts = read_alerts(workspace.alerts_parquet)
    (event_id,), (version,) = alerts["event_id"], alerts["version"]
    withdraw(workspace.events, event_id)
    write_alerts(alerts.iloc[:0], workspace.alerts_geojson, workspace.alerts_parquet)

    attempts = []
    deliver_alerts(config, told=attempts.append, secrets=SECRETS)
    assert sorted(attempt.entry.destination for attempt in attempts) == [
        "fiscalia/directory", "rangers/directory", "rangers/feed",
    ]  # fmt: skip
    assert all(attempt.entry.subject.startswith("WITHDRAWN: high") for attempt in attempts)
    package = tmp_path / "out" / "fiscalia" / f"{event_id}_v{version + 1}"
    assert verify_package(package).is_intact
    assert json.loads((package / "alert.geojson").read_text())["properties"]["state"] == "withdrawn"
    (in_feed,) = json.loads((tmp_path / "out/feed/alerts.geojson").read_text())["features"]
    assert in_feed["properties"]["state"] == "withdrawn"
    deliver_alerts(config, told=attempts.append, secrets=SECRETS)
    assert len(attempts) == 3


def withdraw(path: Path, event_id: str) -> None:
    """Append the version that the store of events appends when an event ends."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    (last,) = connection.execute("SELECT * FROM event WHERE event_id = ?", (event_id,))
    row = dict(last) | {"fid": None, "state": "withdrawn", "change": "withdrawn"}
    row["version"] += 1
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    added = connection.execute(f"INSERT INTO event_version ({names}) VALUES ({marks})", row)
    connection.execute(
        "UPDATE event_head SET fid = ?, version = ? WHERE event_id = ?",
        (added.lastrowid, row["version"], event_id),
    )
    connection.close()
