"""Runs day by day: only what is new is read, and the state is that of all dates in order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from cvlarray.cluster import executor
from cvlarray.config import RunConfig, load_config
from cvlarray.pipeline import Stage, run_pipeline
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.search import search_units
from cvlarray.store import Ledger, Workspace

WriteConfig = Callable[..., Path]
HISTORY = {"start": "2018-01-01", "end": "2019-12-31"}
STORES = ("cube", "baseline", "detections")


@pytest.fixture
def write(write_config: WriteConfig) -> Callable[..., RunConfig]:
    """Return a function that writes the config of one tile, watched to a day of the second year."""

    def write(source: Path, name: str, end: str = "2021-09-30", **sections: object) -> RunConfig:
        settings = {
            "periods": {"history": HISTORY, "monitoring": {"start": "2020-01-01", "end": end}},
            "grid": {"crs": "EPSG:32719", "resolution_m": 10, "tile_px": 64},
            "store": {"shard_px": 64, "chunk_px": 32, "time_shard": 8},
            "cube": {"bands": ["red", "nir", "scl"], "time_block": 8},
        }
        return load_config(write_config(source, name, **settings, **sections))

    return write


def run(config: RunConfig) -> None:
    with executor(config.cluster) as workers:
        run_pipeline(config, workers, LogProgress(), last=Stage.MONITOR)


def contents(config: RunConfig) -> dict[str, xr.Dataset]:
    workspace = Workspace(config.workspace)
    log = json.loads((workspace.state_logs / "r000c000.json").read_text())
    places = {name: getattr(workspace, name) for name in STORES}
    places["state"] = workspace.states[log["place"]]
    return {
        name: xr.open_zarr(place, mask_and_scale=False, decode_times=False).load().drop_attrs()
        for name, place in places.items()
    }


def assert_same(one: RunConfig, other: RunConfig) -> None:
    found, expected = contents(one), contents(other)
    for name, dataset in expected.items():
        xr.testing.assert_identical(found[name], dataset)
    one_seen, other_seen = (
        pd.read_parquet(Workspace(config.workspace).sightings) for config in (one, other)
    )
    pd.testing.assert_frame_equal(one_seen, other_seen)


def rows(config: RunConfig, stage: Stage) -> list:
    with Ledger(Workspace(config.workspace).ledger) as ledger:
        return ledger.rows(stage)


@pytest.fixture(scope="module")
def in_one_go(forest_source, tmp_path_factory):
    """Return the config of a run over all dates, finished."""
    from tests.pipeline.forest import run_settings  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("whole")
    path = folder / "run.yaml"
    settings = run_settings(forest_source, folder / "workspace") | {
        "periods": {"history": HISTORY, "monitoring": {"start": "2020-01-01", "end": "2021-09-30"}},
        "grid": {"crs": "EPSG:32719", "resolution_m": 10, "tile_px": 64},
        "store": {"shard_px": 64, "chunk_px": 32, "time_shard": 8},
        "cube": {"bands": ["red", "nir", "scl"], "time_block": 8},
    }
    path.write_text(json.dumps(settings))
    config = load_config(path)
    run(config)
    return config


def test_days_in_runs_of_their_own_give_the_same_bits(forest_source, write, in_one_go):
    for end in ("2020-02-20", "2021-06-14", "2021-06-20", "2021-09-30"):
        config = write(forest_source, "daily", end)
        run(config)
    assert_same(config, in_one_go)
    found = contents(config)["detections"]
    assert (found["first_flagged"] >= 0).sum() >= 140


def test_a_day_reads_no_more_than_the_state_and_the_day(forest_source, write):
    run(write(forest_source, "daily", "2021-06-17"))
    config = write(forest_source, "daily", "2021-06-20")
    run(config)
    (watched,) = rows(config, Stage.MONITOR)
    assert watched.detail["n_new_dates"] == 1
    n_bytes_a_date = 64 * 64 * (2 + 2 + 1 + 1 + 1)  # two bands, scl, quality, status
    latest = max(rows(config, Stage.INGEST), key=lambda row: row.written_at)
    assert latest.bytes_read < 1.05 * n_bytes_a_date  # and the coordinates
    state = sum(one.nbytes for one in contents(config)["state"].data_vars.values())
    assert watched.bytes_read < 1.05 * (state + 64 * 64 * 2 * 2)  # and two features of the date


def test_yearly_the_season_is_fitted_anew(in_one_go):
    workspace = Workspace(in_one_go.workspace)
    log = json.loads((workspace.state_logs / "r000c000.json").read_text())
    first, last = (int(np.datetime64(day, "D").astype(int)) for day in ("2019-01-01", "2020-12-31"))
    assert log["attrs"]["time_origin"] == (first + last) / 2
    season, state = (contents(in_one_go)[name] for name in ("baseline", "state"))
    assert not np.array_equal(season["moments"], state["moments"])


def take_away(source: Path, date: str) -> Path:
    """Take the items of a date out of the catalog; return where they are kept."""
    catalog = source / "sentinel-2-l2a" / "collection.json"
    collection = json.loads(catalog.read_text())
    kept = source / f"{date}.json"
    kept.write_text(json.dumps(collection))
    links = [link for link in collection["links"] if date not in link["href"]]
    assert len(links) == len(collection["links"]) - 1
    catalog.write_text(json.dumps({**collection, "links": links}))
    return kept


def search_anew(config: RunConfig) -> None:
    """Let the next run ask the catalogue again, as another day's would."""
    workspace = Workspace(config.workspace)
    with Ledger(workspace.ledger) as ledger:
        ledger.forget(Stage.SEARCH, [unit.key for unit in search_units(config, workspace)])


def test_late_and_reprocessed_scenes_are_replayed_in_order(source, write):
    kept = take_away(source, "20200412")
    config = write(source, "late", "2020-09-30")
    run(config)
    before = contents(config)
    late = int(np.datetime64("2020-04-12", "s").astype(int))
    assert late not in before["cube"]["time"]
    shutil.copy(kept, source / "sentinel-2-l2a" / "collection.json")
    for path in source.glob("*/S2A_19LDF_20200623_0_L2A/B04.tif"):
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            dataset.write(dataset.read() + 40)
    search_anew(config)
    run(config)
    reference = write(source, "reference", "2020-09-30")
    run(reference)
    assert_same(config, reference)
    assert late in contents(config)["cube"]["time"]
    assert not contents(config)["state"].identical(before["state"])


def test_another_detector_starts_the_state_anew(source, write, in_one_go):
    copy = shutil.copytree(in_one_go.workspace, source / "copy")
    monitor = {"detector": {"kind": "mosum", "window": 4}}
    config = write(source, "mosum", monitor=monitor, workspace=str(copy))
    run(config)
    state = contents(config)["state"]
    assert state["detector_memory"].shape == (4, 64, 64)
    assert (contents(config)["detections"]["first_flagged"] >= 0).sum() >= 140


@pytest.mark.parametrize("lost", ["state.zarr", "state_next.zarr", "state_logs"])
def test_a_state_that_was_deleted_is_made_anew(in_one_go, tmp_path, lost):
    copy = Path(shutil.copytree(in_one_go.workspace, tmp_path / "copy"))
    shutil.rmtree(copy / lost)
    config = in_one_go.model_copy(update={"workspace": copy})
    run(config)
    assert_same(config, in_one_go)
