"""Radar in a run: what clouds hide is found, dated and left to a person; the 60 % rule decides."""

from __future__ import annotations

import datetime as dt
import os

import numpy as np
import pytest
import xarray as xr
import yaml

from cvlarray.alerts import read_alerts
from cvlarray.config import load_config
from cvlarray.errors import SearchError
from cvlarray.grid import outline
from cvlarray.models.shipped import shipped_checkpoint
from cvlarray.names import Source
from cvlarray.pipeline import Stage, make_plan
from cvlarray.pipeline.context import workspace_of
from cvlarray.simulate import Calendar, Product, write_catalog, write_scene
from cvlarray.simulate.items import RADAR_NODATA, radar_file, radar_json
from cvlarray.simulate.scene import Layer, write_item
from cvlarray.store import Ledger, open_raw
from tests.pipeline.forest import DATES, GEOBOX, SIZE_PX, run_settings
from tests.pipeline.runs import run

BANDS = {"green": 600, "red": 300, "nir": 3400, "swir16": 1700, "swir22": 600}
BY_RADAR = slice(18, 32), slice(24, 42)
"""Cleared under clouds; it crosses the border between two tiles at column 32."""
SEEN_BY_BOTH = slice(44, 54), slice(4, 18)
"""The same kind of change on the same day, where the tile stays clear."""
CLEARED_ON = dt.date(2021, 6, 10)
CLOUDY = slice(0, 32), slice(0, 64)
"""Two tiles that no date shows from the clearing on."""
MONITORING = {"start": "2021-05-10", "end": "2021-08-20"}
PASSES = Calendar(dt.date(2020, 9, 1), dt.date(2021, 8, 20)).sentinel1()


def optical_items(folder):
    rng = np.random.default_rng(3)
    watched = [date for date in DATES if MONITORING["start"] <= str(date) <= MONITORING["end"]]
    for date in [*DATES[:-32:5], *watched]:
        bands = {name: rng.normal(value, 20, (SIZE_PX, SIZE_PX)) for name, value in BANDS.items()}
        scl = np.full((SIZE_PX, SIZE_PX), 4, np.uint8)
        if date >= CLEARED_ON:
            scl[CLOUDY] = 9
        yield write_scene(
            folder,
            item_id=f"S2A_19LDF_{date:%Y%m%d}_0_L2A",
            datetime=dt.datetime.combine(date, dt.time(15, 0), dt.UTC),
            bands={name: layer.round().astype(np.uint16) for name, layer in bands.items()},
            scl=scl,
            geobox=GEOBOX,
            product=Product(platform="sentinel-2a", grid_tile="19LDF", processing_baseline="05.10"),
        )


def radar_items(folder):
    rng = np.random.default_rng(4)
    for at in PASSES:
        layers = {}
        for name, decibels in (("vv", -7.7), ("vh", -13.3)):
            level = np.full((SIZE_PX, SIZE_PX), decibels)
            if at.date >= CLEARED_ON:
                level[BY_RADAR] -= 5
                level[SEEN_BY_BOTH] -= 5
            power = 10 ** (level / 10) * rng.gamma(4.4, 1 / 4.4, level.shape)
            layers[radar_file(name)] = Layer(power.astype(np.float32), GEOBOX, RADAR_NODATA)
        yield write_item(folder, radar_json(at, -69.9, GEOBOX), layers)


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    """Flush nothing in this process; none of these tests cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def rains(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rains")
    write_catalog(folder, [*optical_items(folder), *radar_items(folder)])
    return folder


def configured(source, folder, radar):
    settings = run_settings(source, folder / "workspace") | {
        "cube": {"bands": [*BANDS, "scl"]},
        "models": {"land_cover": {}, "radar": radar, "window": 32, "overlap": 0, "lease_px": 32},
        "periods": {
            "history": {"start": "2018-01-01", "end": "2020-12-31"},
            "monitoring": MONITORING,
        },
        "baseline": {"min_observations": 8},
        "monitor": {"detector": {"kind": "consecutive", "count": 2, "threshold": 3}},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings))
    return load_config(path)


@pytest.fixture(scope="module")
def config(rains, tmp_path_factory):
    return configured(rains, tmp_path_factory.mktemp("run"), {})


@pytest.fixture(scope="module")
def done(config):
    planned = make_plan(config)
    return planned, run(config, last=Stage.ALERTS)


def test_what_clouds_hide_is_an_alert_that_a_person_must_look_at(config, done):
    alerts = read_alerts(workspace_of(config).alerts_parquet)
    assert len(alerts) == 1  # the other change was not asked of radar
    (alert,) = alerts.itertuples()
    assert (alert.sensor, alert.needs_review) == ("sentinel-1", True)
    cleared = outline(GEOBOX[BY_RADAR])
    assert alert.geometry.intersection(cleared).area / cleared.area > 0.9
    assert alert.geometry.area / cleared.area < 1.5
    assert alert.interval_start.date() < CLEARED_ON <= alert.interval_end.date()
    assert abs((alert.first_detected.date() - CLEARED_ON).days) <= 24


def test_the_store_says_what_radar_found_wherever_it_looked(config, done):
    radar = open_raw(workspace_of(config).radar).compute()
    day = (CLEARED_ON - dt.date(1970, 1, 1)).days
    for place in (BY_RADAR, SEEN_BY_BOTH):
        inner = tuple(slice(one.start + 3, one.stop - 3) for one in place)
        part = radar.isel(y=inner[0], x=inner[1])
        assert (part["confirmed"] >= day).all()
        inside = (part["interval_start"] < day) & (day <= part["interval_end"])
        assert inside.mean() > 0.9  # speckle may speak too soon
        assert part["needs_review"].all()
    assert (radar["confirmed"][:, 56:] == -1).all()
    assert radar.sizes["time"] == open_raw(workspace_of(config).land_cover).sizes["time"]


def test_both_are_fused_where_each_may_speak(config, done):
    fused = open_raw(workspace_of(config).fused).compute()
    late = fused.isel(time=fused["time"].to_numpy() > np.datetime64("2021-07-15"))
    hidden, seen = late.isel(y=CLOUDY[0], x=CLOUDY[1]), late.isel(y=slice(32, 64))
    assert (hidden["source"] == Source.RADAR).mean() > 0.9
    assert set(np.unique(seen["source"])) <= {Source.OPTICAL, Source.BOTH}
    cleared = late.isel(y=slice(22, 28), x=slice(28, 38))
    assert cleared["confidence"].mean() > 0.9
    assert cleared["needs_review"].all()
    assert not seen["needs_review"].any()


def test_the_plan_knew_the_units_and_nothing_is_done_twice(config, done):
    planned, counted = done
    for stage in (Stage.SEARCH, Stage.RADAR, Stage.FUSE):
        assert counted[stage] == planned.n_units[stage] > 0
    assert not {Stage.RADAR, Stage.FUSE, Stage.ALERTS} & set(run(config, last=Stage.ALERTS))


def test_lost_rows_give_the_same_bytes(config, done):
    workspace = workspace_of(config)
    stores = [workspace.radar, workspace.fused]

    def stored():
        files = (path for one in stores for path in one.rglob("c/*") if path.is_file())
        return {path: path.read_bytes() for path in files}

    before = stored()
    with Ledger(workspace.ledger) as ledger:
        for stage in (Stage.RADAR, Stage.FUSE):
            ledger.forget(stage, [ledger.rows(stage)[0].unit])
    assert run(config, last=Stage.FUSE) == {Stage.RADAR: 1, Stage.FUSE: 1}
    assert before == stored()


@pytest.mark.slow
def test_tiles_of_any_size_say_the_same(config, done, rains, tmp_path):
    whole = configured(rains, tmp_path, {})
    whole = whole.model_copy(update={"grid": whole.grid.model_copy(update={"tile_px": 64})})
    run(whole, last=Stage.RADAR)
    one, other = (open_raw(workspace_of(each).radar).compute() for each in (config, whole))
    xr.testing.assert_equal(one["confirmed"], other["confirmed"])


@pytest.mark.slow
def test_the_network_that_ships_finds_it_too(rains, tmp_path):
    pytest.importorskip("torch", reason="make models")
    checkpoint = str(shipped_checkpoint("radar-change-small"))
    config = configured(rains, tmp_path, {"checkpoint": checkpoint})
    run(config, last=Stage.RADAR)
    radar = open_raw(workspace_of(config).radar).compute()
    found = (radar["confirmed"] != -1).to_numpy()
    assert found[BY_RADAR].mean() > 0.9
    found[BY_RADAR] = found[SEEN_BY_BOTH] = False
    assert found.mean() < 0.05


def test_a_catalogue_without_radar_is_named(rains, tmp_path):
    config = configured(rains, tmp_path, {"collection": "sentinel-1-grd"})
    with pytest.raises(SearchError, match="sentinel-1-grd"):
        run(config, last=Stage.SEARCH)
