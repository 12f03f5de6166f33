"""A reanalysis of two years of the small forest: what it writes, resumes and refuses."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
import yaml

from cvlarray.catalog import load_items
from cvlarray.config import RunConfig, load_config
from cvlarray.errors import ConfigError, StoreError
from cvlarray.pipeline import (
    Stage,
    calibrate,
    catalogue_change,
    estimate_costs,
    make_plan,
    plan_and_outcome,
    read_calibration,
    save_plan,
    workspace_of,
)
from cvlarray.pipeline.progress import LogProgress
from cvlarray.store import open_raw
from tests.pipeline.forest import CLEARED, run_settings
from tests.pipeline.runs import run

PERIODS = {
    "history": {"start": "2018-01-01", "end": "2019-12-31"},
    "monitoring": {"start": "2020-01-01", "end": "2021-12-31"},
}
TRUE_HA = 1.4


def settings_of(source: Path, workspace: Path, **sections: object) -> dict[str, object]:
    return run_settings(source, workspace) | {"periods": PERIODS} | sections


def load(folder: Path, settings: dict[str, object]) -> RunConfig:
    path = folder / "reanalysis.yaml"
    path.write_text(yaml.safe_dump(settings))
    return load_config(path)


@pytest.fixture(scope="module")
def reanalysed(forest_source, tmp_path_factory) -> RunConfig:
    """Return the config of a finished reanalysis; don't write to its workspace."""
    folder = tmp_path_factory.mktemp("reanalysed")
    square = gpd.GeoDataFrame(
        {"NOMBDEP": ["WEST", "EAST"], "NOMBDIST": ["W", "E"]},
        geometry=gpd.points_from_xy([400_000, 400_800], [8_599_700] * 2, crs=32719).buffer(
            480, cap_style="square"
        ),
    )
    square.to_file(folder / "districts.gpkg")
    layers = [
        {
            "name": "districts",
            "role": "admin_unit",
            "source": {"path": [str(folder / "districts.gpkg")]},
            "columns": {"name": "NOMBDIST", "department": "NOMBDEP"},
        }
    ]
    config = load(folder, settings_of(forest_source, folder / "workspace", layers=layers))
    save_plan(make_plan(config, last=Stage.ANNUAL), None, workspace_of(config))
    run(config, last=Stage.ANNUAL)
    return config


@pytest.fixture
def again(reanalysed, tmp_path) -> RunConfig:
    """Return the same reanalysis in a workspace that a test may change."""
    workspace = Path(shutil.copytree(reanalysed.workspace, tmp_path / "workspace"))
    return reanalysed.model_copy(update={"workspace": workspace})


def areas_of(config: RunConfig) -> pd.DataFrame:
    table = pd.read_csv(workspace_of(config).annual / "areas.csv", keep_default_na=False)
    return table.set_index(["domain", "name", "agent", "year"]).sort_index()


def test_the_clearing_is_of_its_year_and_place(reanalysed):
    areas = areas_of(reanalysed)
    whole = areas.loc["region", "", "all"]
    assert whole.loc[2020, "mapped_ha"] == 0
    assert whole.loc[2021, "mapped_ha"] == pytest.approx(TRUE_HA, rel=0.05)
    assert 0 < whole.loc[2021, "certain_ha"] <= whole.loc[2021, "possible_ha"]
    # The clearing lies at columns 26 to 39 of 10 m, the border between the two at column 32.
    east, west = (areas.loc["department", name, "all"].loc[2021] for name in ("EAST", "WEST"))
    assert east["mapped_ha"] + west["mapped_ha"] == pytest.approx(TRUE_HA, rel=0.05)
    assert west["mapped_ha"] == pytest.approx(TRUE_HA * 6 / 14, rel=0.25)
    assert (areas["estimated_ha"] == "").all()
    assert (whole["n_dates"] > 25).all()


def test_maps_are_cogs_with_stac_items(reanalysed):
    folder = workspace_of(reanalysed).annual / "maps"
    collection = pystac.Collection.from_file(str(folder / "collection.json"))
    items = sorted(collection.get_items(), key=lambda item: item.id)
    assert [item.id for item in items] == ["forest-2020", "forest-2021"]
    for item in items:
        assert json.loads((folder / f"{item.id}.json").read_text())["collection"] == "forest"
        for asset in item.get_assets().values():
            with rasterio.open(asset.get_absolute_href()) as file:
                assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                assert file.crs.to_epsg() == 32719
    with rasterio.open(folder / "disturbance_2021.tif") as file:
        disturbed = file.read(1) == 1
    store = open_raw(workspace_of(reanalysed).changes)
    np.testing.assert_array_equal(disturbed, store["disturbance"].isel(year=1) == 1)
    rows, cols = CLEARED
    x, y = store["x"].to_numpy(), store["y"].to_numpy()
    is_east = (x > 400_000 + 10 * cols.start) & (x < 400_000 + 10 * cols.stop)
    is_south = (y < 8_600_000 - 10 * rows.start) & (y > 8_600_000 - 10 * rows.stop)
    inside = is_south[:, None] & is_east
    assert inside.sum() == 140
    assert disturbed[inside].mean() > 0.95
    assert disturbed[~inside].mean() < 0.001


def test_events_with_lineage_sites_and_pictures(reanalysed):
    folder = workspace_of(reanalysed).annual
    events = gpd.read_parquet(folder / "events.parquet")
    assert {"event_id", "parents", "children", "site", "year", "revision"} <= set(events.columns)
    assert events["year"].tolist() == [2021] * len(events)
    sites = gpd.read_file(folder / "sites.geojson")
    assert sites["total_ha"].sum() == pytest.approx(TRUE_HA, rel=0.05)
    for name in ("areas.png", "sites.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_done_again_nothing_is_done(reanalysed, again):
    assert run(again, last=Stage.ANNUAL) == {}


def test_a_lost_or_half_done_reanalysis_ends_with_the_same_bytes(reanalysed, again):
    before = contents(reanalysed)
    workspace = workspace_of(again)
    shutil.rmtree(workspace.changes)
    shutil.rmtree(workspace.annual)
    assert run(again, last=Stage.ANNUAL) == {Stage.CHANGES: 4, Stage.ANNUAL: 1}
    assert contents(again) == before


def contents(config: RunConfig) -> dict[str, bytes]:
    workspace = workspace_of(config)
    return {
        str(path.relative_to(config.workspace)): path.read_bytes()
        for folder in (workspace.annual, workspace.changes)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".parquet"
    }


def test_a_daily_run_and_a_reanalysis_share_their_work(reanalysed, again):
    """One code path: what `run` has done, `reanalyse` doesn't do again, and the other way round."""
    assert run(again, last=Stage.REPORT) == {}


def test_people_looked_at_the_sample(reanalysed, again, tmp_path):
    folder = workspace_of(again).annual
    sample = pd.read_csv(folder / "sample.csv")
    disturbed = open_raw(workspace_of(again).changes)["disturbance"].isel(year=1).to_numpy() == 1
    seen = disturbed[sample["row"], sample["col"]]
    sample["year"], sample["agent"] = np.where(seen, 2021, 0), np.where(seen, "clearing", "")
    sample.to_csv(tmp_path / "labels.csv", index=False)
    looked = again.model_copy(
        update={
            "reanalysis": again.reanalysis.model_copy(update={"reference": tmp_path / "labels.csv"})
        }
    )
    assert run(looked, last=Stage.ANNUAL) == {Stage.ANNUAL: 1}
    whole = areas_of(looked).loc["region", "", "clearing"].loc[2021]
    whole = whole[["low_ha", "estimated_ha", "high_ha"]].astype(float)
    assert whole["low_ha"] < whole["estimated_ha"] < whole["high_ha"]
    assert whole["estimated_ha"] == pytest.approx(TRUE_HA, rel=0.05)
    sample.iloc[:10].to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(ConfigError, match="it has 10 of them"):
        run(looked, last=Stage.ANNUAL)
    sample.assign(agent="storm").to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(ConfigError, match="agent must be clearing or mining, got 'storm'"):
        run(looked, last=Stage.ANNUAL)


def items_of(source: Path) -> tuple[Path, dict]:
    """Return the collection's file and content, whose links lead to the Items."""
    path = source / "sentinel-2-l2a/collection.json"
    return path, json.loads(path.read_text())


@pytest.mark.slow
def test_a_year_without_data_is_hidden_not_undisturbed(source, tmp_path):
    """2020 has no scene at all: its forest may have been cut, and nothing is certain of it."""
    path, collection = items_of(source)
    kept = [link for link in collection["links"] if "_2020" not in link["href"]]
    assert len(kept) < len(collection["links"])
    path.write_text(json.dumps(collection | {"links": kept}))
    config = load(tmp_path, settings_of(source, tmp_path / "workspace"))
    run(config, last=Stage.ANNUAL)
    whole = areas_of(config).loc["region", "", "all"]
    assert whole.loc[2020, "n_dates"] == 0
    assert whole.loc[2020, "hidden_ha"] > 35
    assert whole.loc[2020, "certain_ha"] == 0
    # The refit of 2021 takes in 2018 for it: the two years it would have had are one.
    assert whole.loc[2021, "mapped_ha"] == pytest.approx(TRUE_HA, rel=0.05)


def test_what_the_catalogue_changed_is_named_and_left_alone(source, tmp_path):
    config = load(tmp_path, settings_of(source, tmp_path / "workspace"))
    workspace = workspace_of(config)
    assert not catalogue_change(config, workspace)
    run(config, last=Stage.SEARCH)
    assert not catalogue_change(config, workspace)
    path, collection = items_of(source)
    gone, moved, *_ = (link for link in collection["links"] if link["rel"] == "item")
    collection["links"].remove(gone)
    path.write_text(json.dumps(collection))
    item_path = path.parent / moved["href"]
    item = json.loads(item_path.read_text())
    item["properties"]["s2:processing_baseline"] = "05.11"
    item_path.write_text(json.dumps(item))
    change = catalogue_change(config, workspace)
    assert change.removed == (Path(gone["href"]).stem,)
    assert change.changed == (item["id"],)
    assert change.added == ()
    # Asked for nothing, a run goes on with what was found first.
    assert run(config, last=Stage.SEARCH) == {}
    assert gone["href"].split("/")[-2] in {item.id for item in load_items(workspace.items)}


def test_a_store_of_other_years_is_refused(again):
    longer = again.periods.monitoring.model_copy(update={"end": dt.date(2022, 1, 31)})
    periods = again.periods.model_copy(update={"monitoring": longer})
    with pytest.raises(StoreError, match="year"):
        run(again.model_copy(update={"periods": periods}), last=Stage.ANNUAL)


@pytest.mark.slow
def test_costs_follow_from_one_tile(reanalysed, again):
    plan = make_plan(again, last=Stage.ANNUAL)
    assert plan.n_units[Stage.CHANGES] == 4
    calibrate(again, LogProgress())
    calibration = read_calibration(workspace_of(again))
    assert calibration.core_s[Stage.MONITOR] > 0
    costs = estimate_costs(again, plan, calibration)
    assert costs.total_core_hours == pytest.approx(sum(costs.core_hours.values()))
    prices = again.reanalysis.costs
    money = costs.total_core_hours * prices.core_hour + costs.stored_gb * prices.stored_gb_month
    assert costs.money == pytest.approx(money)
    workspace_of(again).calibration.write_text("{}")
    with pytest.raises(StoreError, match="isn't a calibration"):
        read_calibration(workspace_of(again))


def test_the_plan_stands_beside_what_happened(reanalysed):
    rows = {
        name: (planned, happened)
        for name, planned, happened, _ in plan_and_outcome(workspace_of(reanalysed))
    }
    planned, happened = rows["units of work"]
    assert planned == happened == 4 * 6 + 3 * 4 + 4
