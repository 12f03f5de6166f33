"""The whole line over a small forest on disk: what it finds, what it repeats, what it refuses."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import rioxarray  # noqa: F401 (the .rio accessor)
import xarray as xr

from cvlarray.alerts.events import State, read_events, read_versions
from cvlarray.config import RunConfig, load_config
from cvlarray.errors import SearchError, StoreError, UnitError, WorkspaceBusyError
from cvlarray.pipeline import Stage, read_status, search_again
from cvlarray.pipeline.progress import LogProgress
from cvlarray.store import Ledger, Workspace
from tests.pipeline.forest import CLEARED, FIRST_CLEAR_AFTER, GEOBOX
from tests.pipeline.runs import run

WriteConfig = Callable[..., Path]


def test_the_planted_clearing_is_found_where_and_when_it_was(finished):
    found = xr.open_zarr(Workspace(finished.workspace).detections)
    flagged = found["first_flagged"].notnull().to_numpy()
    truth = np.zeros(GEOBOX.shape, bool)
    truth[CLEARED] = True
    np.testing.assert_array_equal(flagged, truth)
    dates = found["first_flagged"].to_numpy()[truth]
    assert (dates == np.datetime64(FIRST_CLEAR_AFTER)).all()


def test_alerts_have_the_contracts_columns_and_the_clearings_area(finished):
    workspace = Workspace(finished.workspace)
    alerts = gpd.read_parquet(workspace.alerts_parquet)
    assert set(alerts.columns) >= {
        "event_id", "class", "confidence", "first_detected", "confirmed", "interval_start",
        "interval_end", "area_m2", "area_uncertainty_m2", "sensor", "priority",
    }  # fmt: skip
    (alert,) = alerts.itertuples()
    # UTM's scale at this place is within 0.04 % of true.
    assert alert.area_m2 == pytest.approx(10 * 14 * 100, rel=2e-3)
    assert alert.area_uncertainty_m2 == pytest.approx(0.15 * alert.area_m2, rel=1e-4)
    assert dt.date.fromisoformat(str(alert.first_detected)[:10]) == FIRST_CLEAR_AFTER
    features = json.loads(workspace.alerts_geojson.read_text())["features"]
    assert [feature["properties"]["event_id"] for feature in features] == [alert.event_id]


def test_events_tell_how_the_alert_came_about(finished):
    workspace = Workspace(finished.workspace)
    (alert,) = gpd.read_parquet(workspace.alerts_parquet).itertuples()
    versions = read_versions(workspace.events)
    of_alert = versions[versions["event_id"] == alert.event_id]
    assert of_alert["state"].iloc[0] == "pending"
    assert of_alert["change"].tolist().count("confirmed") == 1
    assert (alert.state, alert.version) == ("confirmed", len(of_alert))
    assert alert.confidence == of_alert["confidence"].iloc[-1]
    first = of_alert["acquisition"].iloc[0]
    known = read_events(workspace.events, as_of=first.date(), states=tuple(State))
    assert known["state"].tolist() == ["pending"]


def test_the_report_and_the_filled_in_config_lie_in_the_workspace(finished):
    workspace = Workspace(finished.workspace)
    assert "<html" in workspace.report_html.read_text()
    assert load_config(workspace.run_yaml) == finished


def test_plain_xarray_opens_the_cube_as_reflectance(finished):
    cube = xr.open_zarr(Workspace(finished.workspace).cube)
    assert cube["red"].dims == ("time", "y", "x")
    assert float(np.nanmedian(cube["red"].to_numpy())) == pytest.approx(0.03, abs=0.005)
    assert cube.rio.crs.to_epsg() == 32719


def test_a_second_run_does_nothing(finished):
    assert run(finished) == {}


def test_a_changed_threshold_repeats_only_what_depends_on_it(finished, tmp_path):
    config = copied(finished, tmp_path)
    detector = config.monitor.detector.model_copy(update={"threshold": 3.0})
    monitor = config.monitor.model_copy(update={"detector": detector})
    done = run(config.model_copy(update={"monitor": monitor}))
    assert set(done) == {Stage.MONITOR, Stage.ALERTS, Stage.REPORT}


def test_another_grid_is_refused_by_name(finished, tmp_path):
    config = copied(finished, tmp_path)
    grid = config.grid.model_copy(update={"anchor_m": (5.0, 5.0)})
    with pytest.raises(StoreError, match=r"cube\.zarr.*(transform|geobox|grid|affine|x)"):
        run(config.model_copy(update={"grid": grid}))


def test_other_features_are_refused_by_name(finished, tmp_path):
    config = copied(finished, tmp_path)
    baseline = config.baseline.model_copy(update={"features": ("ndvi",)})
    with pytest.raises(StoreError, match="feature"):
        run(config.model_copy(update={"baseline": baseline}))


def test_two_runs_on_one_workspace_are_refused(finished):
    with Workspace(finished.workspace).lock(), pytest.raises(WorkspaceBusyError, match="process"):
        run(finished)


def test_from_a_stage_needs_those_before_it(forest_source, write_config):
    config = load_config(write_config(forest_source))
    run(config, last=Stage.INGEST)
    with pytest.raises(UnitError, match="--from monitor needs baseline complete"):
        run(config, first=Stage.MONITOR)
    assert run(config, first=Stage.BASELINE, last=Stage.BASELINE) == {Stage.BASELINE: 4}


def test_a_truncated_asset_is_unread_and_read_once_it_is_mended(source, write_config):
    config = load_config(write_config(source))
    broken = sorted(source.glob("*/S2A_19LDF_20210618_0_L2A/B04.tif"))[0]
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 3])
    run(config)
    workspace = Workspace(config.workspace)
    ingest = next(status for status in read_status(workspace) if status.stage == Stage.INGEST)
    assert ingest.n_partial == 4
    assert ingest.n_unread == 4
    cube = xr.open_zarr(workspace.cube)
    lost = cube.sel(time="2021-06-18")
    assert (lost["read_status"] == 2).all()
    assert lost["red"].isnull().all()
    assert "S2A_19LDF_20210618_0_L2A" in workspace.report_html.read_text()
    alerts = gpd.read_parquet(workspace.alerts_parquet)
    assert dt.date.fromisoformat(str(alerts["first_detected"][0])[:10]) == dt.date(2021, 6, 30)

    broken.write_bytes(whole)
    done = run(config)
    assert done[Stage.INGEST] == 4
    mended = xr.open_zarr(workspace.cube).sel(time="2021-06-18")
    assert (mended["read_status"] == 1).all()
    alerts = gpd.read_parquet(workspace.alerts_parquet)
    assert dt.date.fromisoformat(str(alerts["first_detected"][0])[:10]) == FIRST_CLEAR_AFTER


def test_new_dates_are_added_without_reading_the_old_ones(forest_source, write_config, finished):
    periods = {
        "history": {"start": "2018-01-01", "end": "2020-12-31"},
        "monitoring": {"start": "2021-01-01", "end": "2021-06-20"},
    }
    config = load_config(write_config(forest_source, "daily", periods=periods))
    run(config)
    periods["monitoring"]["end"] = "2021-12-31"
    config = load_config(write_config(forest_source, "daily", periods=periods))
    done = run(config)
    # 121 dates in shards of 24; those until 2021-06-20 fill four and a part of the fifth.
    assert done[Stage.INGEST] == 2 * 4
    assert Stage.BASELINE not in done
    for name in ("cube", "baseline", "detections"):
        first = xr.open_zarr(getattr(Workspace(config.workspace), name))
        second = xr.open_zarr(getattr(Workspace(finished.workspace), name))
        xr.testing.assert_identical(first.drop_attrs(), second.drop_attrs())
    daily, once = (read_versions(Workspace(one.workspace).events) for one in (config, finished))
    pd.testing.assert_frame_equal(daily, once)
    assert set(daily["revision"]) == {0}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"search": {"source": "nowhere.json"}}, "does not exist"),
        ({"region": {"bbox": [10, 10, 11, 11]}}, "outside every item"),
        (
            {"periods": {"history": {"start": "2010-01-01", "end": "2011-12-31"},
                         "monitoring": {"start": "2012-01-01", "end": "2012-12-31"}}},
            "no item over the region from 2010-01-01",
        ),
        (
            {"periods": {"history": {"start": "2018-01-01", "end": "2020-12-31"},
                         "monitoring": {"start": "2023-01-01", "end": "2023-12-31"}}},
            "no item in the monitoring period",
        ),
    ],
)  # fmt: skip
def test_a_search_that_finds_nothing_says_why(forest_source, write_config, sections, message):
    config = load_config(write_config(forest_source, **sections))
    with pytest.raises(SearchError, match=message):
        run(config)


def test_a_monitoring_period_under_cloud_raises_nothing_and_says_so(source, write_config):
    for path in source.glob("*/S2A_19LDF_2021*/SCL.tif"):
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            dataset.write(np.full((1, *GEOBOX.shape), 9, np.uint8))
    config = load_config(write_config(source))
    run(config)
    workspace = Workspace(config.workspace)
    assert len(gpd.read_parquet(workspace.alerts_parquet)) == 0
    found = xr.open_zarr(workspace.detections)
    assert int(found["n_clear"].max()) == 0
    assert "Silence is not absence" in workspace.report_html.read_text()


def test_too_short_a_history_flags_nothing(forest_source, write_config):
    periods = {
        "history": {"start": "2018-01-01", "end": "2018-12-31"},
        "monitoring": {"start": "2021-01-01", "end": "2021-12-31"},
    }
    baseline = {"min_observations": 60}
    config = load_config(write_config(forest_source, periods=periods, baseline=baseline))
    run(config)
    workspace = Workspace(config.workspace)
    assert np.isnan(xr.open_zarr(workspace.baseline)["sigma"]).all()
    assert len(gpd.read_parquet(workspace.alerts_parquet)) == 0


def test_items_that_vanish_after_the_search_do_not_change_a_rerun(source, write_config):
    config = load_config(write_config(source))
    run(config, last=Stage.SEARCH)
    shutil.move(source / "catalog.json", source / "gone.json")
    assert run(config, last=Stage.INGEST) == {Stage.INGEST: 4 * 6}
    with Ledger(Workspace(config.workspace).ledger) as ledger:
        assert ledger.rows(Stage.SEARCH)[0].detail["n_items"] == 121


def test_a_store_that_was_deleted_is_made_anew(finished, tmp_path):
    config = copied(finished, tmp_path)
    shutil.rmtree(Workspace(config.workspace).cube)
    assert run(config)[Stage.INGEST] == 4 * 6
    before, after = (
        xr.open_zarr(Workspace(one.workspace).cube, mask_and_scale=False)
        for one in (finished, config)
    )
    xr.testing.assert_identical(before.load(), after.load())


def test_searching_again_takes_what_the_catalogue_has_now(source, write_config):
    config = load_config(write_config(source))
    run(config, last=Stage.SEARCH)
    catalog = source / "sentinel-2-l2a" / "collection.json"
    collection = json.loads(catalog.read_text())
    links = [link for link in collection["links"] if "20211215" not in link["href"]]
    assert len(links) == len(collection["links"]) - 1
    catalog.write_text(json.dumps({**collection, "links": links}))
    assert run(config, last=Stage.SEARCH) == {}
    search_again(config, LogProgress())
    with Ledger(Workspace(config.workspace).ledger) as ledger:
        assert ledger.rows(Stage.SEARCH)[0].detail["n_items"] == 120


def copied(config: RunConfig, folder: Path) -> RunConfig:
    """Return the config of a copy of a finished run's workspace."""
    workspace = shutil.copytree(config.workspace, folder / "copy")
    return config.model_copy(update={"workspace": Path(workspace)})
