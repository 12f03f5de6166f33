"""The segment stage: maps of the dates watched, the same whatever happens, and what alerts show."""

from __future__ import annotations

import datetime as dt
import os

import numpy as np
import pytest
import xarray as xr
import yaml

from cvlarray.alerts import read_alerts
from cvlarray.config import load_config
from cvlarray.errors import ConfigError, StoreError
from cvlarray.grid import outline
from cvlarray.inference import infer
from cvlarray.models import SpectralRule
from cvlarray.names import NODATA_DN
from cvlarray.pipeline import Stage, make_plan
from cvlarray.pipeline.context import workspace_of
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.search import load_context
from cvlarray.pipeline.segment import leases
from cvlarray.simulate import Product, write_catalog, write_scene
from cvlarray.store import Ledger, open_raw
from tests.pipeline.forest import CLEARED, CLEARED_ON, DATES, GEOBOX, SIZE_PX, run_settings
from tests.pipeline.runs import run

BANDS = {"green": 600, "red": 300, "nir": 3400, "swir16": 1700, "swir22": 600}
POND = {"green": 1100, "red": 1000, "nir": 900, "swir16": 420, "swir22": 300}
MODELS = {"land_cover": {}, "window": 32, "overlap": 0, "batch_size": 2, "lease_px": 32}


def write_mine(folder):
    """Write a forest in which a pond appears."""
    rng = np.random.default_rng(3)
    items = []
    for date in DATES[::4]:
        bands = {name: rng.normal(value, 20, (SIZE_PX, SIZE_PX)) for name, value in BANDS.items()}
        if date >= CLEARED_ON:
            for name, value in POND.items():
                bands[name][CLEARED] += value - BANDS[name]
        scl = np.full((SIZE_PX, SIZE_PX), 4, np.uint8)
        row, col = rng.integers(0, SIZE_PX - 12, 2)
        scl[row : row + 12, col : col + 12] = 9
        items.append(
            write_scene(
                folder,
                item_id=f"S2A_19LDF_{date:%Y%m%d}_0_L2A",
                datetime=dt.datetime.combine(date, dt.time(15, 0), dt.UTC),
                bands={name: layer.round().astype(np.uint16) for name, layer in bands.items()},
                scl=scl,
                geobox=GEOBOX,
                product=Product(
                    platform="sentinel-2a", grid_tile="19LDF", processing_baseline="05.10"
                ),
            )
        )
    write_catalog(folder, items)


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    """Flush nothing in this process; none of these tests cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    write_mine(folder)
    return folder


def settings(mine, workspace, **models):
    return run_settings(mine, workspace) | {
        "cube": {"bands": [*BANDS, "scl"]},
        "models": MODELS | models,
        "baseline": {"min_observations": 8},
        "monitor": {"detector": {"kind": "consecutive", "count": 2, "threshold": 3}},
    }


@pytest.fixture(scope="module")
def config(mine, tmp_path_factory):
    return configured(mine, tmp_path_factory.mktemp("run"))


def configured(mine, folder, **models):
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings(mine, folder / "workspace", **models)))
    return load_config(path)


@pytest.fixture(scope="module")
def done(config):
    planned = make_plan(config)
    return planned, run(config)


def test_alerts_show_what_was_seen_there(config, done):
    alerts = read_alerts(workspace_of(config).alerts_parquet)
    assert alerts["class"].tolist() == ["tailings_pond"]
    assert 0.5 < alerts["class_probability"][0] <= 1
    assert alerts["first_detected"][0].date() >= CLEARED_ON


def test_the_maps_are_those_that_infer_makes(config, done):
    workspace = workspace_of(config)
    stored = open_raw(workspace.land_cover).compute()
    cube = open_raw(workspace.cube).sel(time=stored["time"]).compute()
    clear = clear_mask(cube, config)
    seen = xr.Dataset({name: cube[name].where(clear, NODATA_DN) for name in BANDS})
    expected = infer(seen, SpectralRule(), window=32, overlap=0)
    for name in ("land_cover", "probability"):
        assert stored[name].to_numpy().tobytes() == expected[name].to_numpy().tobytes()
    assert (stored["land_cover"].to_numpy()[~clear.to_numpy()] == 255).all()
    assert clear.any()


def test_the_plan_knew_how_many_leases(config, done):
    planned, counted = done
    assert counted[Stage.SEGMENT] == planned.n_units[Stage.SEGMENT] > 0
    context = load_context(config, workspace_of(config))
    assert len(list(leases(context))) == counted[Stage.SEGMENT]


def test_nothing_is_done_twice_and_a_lost_row_gives_the_same_bytes(config, done):
    assert Stage.SEGMENT not in run(config)
    store = workspace_of(config).land_cover
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    with Ledger(workspace_of(config).ledger) as ledger:
        lost = [row.unit for row in ledger.rows(Stage.SEGMENT)][:3]
        ledger.forget(Stage.SEGMENT, lost)
    assert run(config, last=Stage.SEGMENT) == {Stage.SEGMENT: 3}
    assert before == {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_another_model_or_other_windows_are_refused(config, done, mine):
    other = configured(mine, config.workspace.parent, overlap=16)
    with pytest.raises(StoreError, match=r"land_cover.zarr was made for another run: overlap"):
        run(other, last=Stage.SEGMENT)


def test_a_cube_without_a_needed_band_is_refused_before_any_work(mine, tmp_path):
    path = tmp_path / "run.yaml"
    lacking = settings(mine, tmp_path / "workspace") | {"cube": {"bands": ["red", "nir", "scl"]}}
    path.write_text(yaml.safe_dump(lacking))
    with pytest.raises(ConfigError, match=r"cube\.bands: expected green, swir16, swir22 too"):
        run(load_config(path))
    assert not (tmp_path / "workspace").exists()


def test_the_clearing_lies_where_the_alert_does(config, done):
    alerts = read_alerts(workspace_of(config).alerts_parquet)
    cleared = outline(GEOBOX[CLEARED])
    shared = alerts.geometry[0].intersection(cleared).area
    assert shared / cleared.area > 0.9
