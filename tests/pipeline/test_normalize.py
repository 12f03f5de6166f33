"""A run over evergreen forest with two scenes that are off as a whole."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cvlarray.cluster import executor
from cvlarray.config import RunConfig, load_config
from cvlarray.pipeline import Stage, run_pipeline
from cvlarray.pipeline.progress import LogProgress
from cvlarray.pipeline.search import load_context
from cvlarray.pipeline.season import read_features
from cvlarray.simulate import Product, write_catalog, write_scene
from cvlarray.store import Ledger, Workspace
from tests.pipeline.forest import GEOBOX

DATES = [dt.date(2018, 1, 5) + dt.timedelta(days=n) for n in range(0, 720, 15)]
WRONG = {DATES[10]: (1.06, 90), DATES[36]: (0.95, -60)}
"""Gain and offset [DN] of the near infrared, a date of each period."""
PERIODS = {
    "history": {"start": "2017-12-25", "end": "2018-12-30"},  # 24 dates: whole shards
    "monitoring": {"start": "2018-12-31", "end": "2019-11-30"},
}
CLEAR = np.full(GEOBOX.shape, 4, np.uint8)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Write the same scenes twice, once with the errors."""
    folder = tmp_path_factory.mktemp("evergreen")
    random = np.random.default_rng(5)
    ground = {
        "red": random.normal(300, 40, GEOBOX.shape),
        "nir": random.normal(3200, 300, GEOBOX.shape),
    }
    items = {"right": [], "wrong": []}
    for date in DATES:
        seen = {name: random.normal(one, 0.01 * one.mean()) for name, one in ground.items()}
        for name, written in items.items():
            gain, offset = WRONG.get(date, (1, 0)) if name == "wrong" else (1, 0)
            bands = {"red": seen["red"], "nir": gain * seen["nir"] + offset}
            written.append(
                write_scene(
                    folder / name,
                    item_id=f"S2A_19LDF_{date:%Y%m%d}_0_L2A",
                    datetime=dt.datetime.combine(date, dt.time(15, 0), dt.UTC),
                    bands={band: dn.round().astype(np.uint16) for band, dn in bands.items()},
                    scl=CLEAR,
                    geobox=GEOBOX,
                    product=Product(
                        platform="sentinel-2a", grid_tile="19LDF", processing_baseline="05.10"
                    ),
                )
            )
    for name, written in items.items():
        write_catalog(folder / name, written)
    return folder


def run(path) -> tuple[RunConfig, Workspace]:
    config = load_config(path)
    with executor(config.cluster) as workers:
        run_pipeline(config, workers, LogProgress(), last=Stage.NORMALIZE)
    return config, Workspace(config.workspace)


def features(config: RunConfig, workspace: Workspace) -> xr.DataArray:
    """Return what is fitted and watched of the first tile."""
    context = load_context(config, workspace)
    every = slice(0, len(context.days))
    return read_features(workspace.cube, context.tiles[0], every, config).compute()


def settings(enabled: bool = True) -> dict[str, object]:
    return {
        "periods": PERIODS,
        "normalize": {"enabled": enabled},
        "baseline": {"features": ["ndvi", "nir"]},
    }


def test_scenes_that_are_off_are_put_right_and_the_others_keep_every_bit(sources, write_config):
    config, workspace = run(write_config(sources / "wrong", "wrong", **settings()))
    true = features(*run(write_config(sources / "right", "right", **settings(enabled=False))))
    found = features(config, workspace)
    is_wrong = np.isin(true["time"].dt.date, list(WRONG))
    xr.testing.assert_equal(found[:, ~is_wrong], true[:, ~is_wrong])
    nir, expected = (one.sel(feature="nir")[is_wrong].astype(float) for one in (found, true))
    assert (np.abs(nir - expected) / expected).quantile(0.95, ("y", "x")).max() < 0.01

    with Ledger(workspace.ledger) as ledger:
        before = ledger.done(Stage.NORMALIZE)
        rows = {row.unit: row.detail["corrected"] for row in ledger.rows(Stage.NORMALIZE)}
    assert len(rows) == 2 * 4
    for period, (date, (gain, offset)) in zip(PERIODS, WRONG.items(), strict=True):
        (line,) = rows[f"r000c000/{period}"]
        assert (line["date"], line["band"]) == (str(date), "nir")
        assert line["gain"] * 3200 + line["offset_dn"] == pytest.approx(gain * 3200 + offset, 0.005)
        table = pd.read_parquet(workspace.corrections / f"r000c000_{period}.parquet")
        assert table["is_corrected"].sum() == 1

    later = {**PERIODS, "monitoring": {"start": "2018-12-31", "end": "2019-12-31"}}
    longer = settings() | {"periods": later}
    _, again = run(write_config(sources / "wrong", "wrong", **longer))
    with Ledger(again.ledger) as ledger:
        after = ledger.done(Stage.NORMALIZE)
    kept = {key for key in before if before[key] == after[key]}
    assert kept == {key for key in before if key.endswith("/history")}
