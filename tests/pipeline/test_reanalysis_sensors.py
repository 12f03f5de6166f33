"""A sensor that begins midway: Landsat alone at first, then Sentinel-2 beside it."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import pandas as pd
import pytest
import yaml

from cvlarray.config import load_config
from cvlarray.grid import outline
from cvlarray.pipeline import Stage, workspace_of
from cvlarray.simulate import Acquisitions, Calendar, Landscape, LandUse, simulate_region
from tests.pipeline.runs import run

SIZE_PX = 96
START, END = dt.date(2018, 1, 1), dt.date(2021, 12, 31)
BEGINS = dt.date(2021, 1, 1)
QUIET = LandUse(
    rivers=0, mining_sites=0, old_mining_sites=0, clearings=0, old_fields=0, logging_roads=0,
    highway=False, blowdowns=0, burns=0,
)  # fmt: skip


@pytest.mark.slow
def test_it_makes_no_change_of_its_own_and_is_named(tmp_path):
    landscape = Landscape.of_size(5, SIZE_PX, start=START, end=END, land_use=QUIET)
    calendar = Calendar(START, END)
    late = tuple(one for one in calendar.sentinel2() if one.date >= BEGINS)
    passes = Acquisitions(
        late, landsat=calendar.landsat(), duplicate_share=0, tile_px=SIZE_PX, overlap_px=0
    )
    source = simulate_region(tmp_path / "source", landscape, passes)
    path = tmp_path / "run.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "name": "midway",
                "workspace": str(tmp_path / "workspace"),
                "region": {"bbox": list(outline(landscape.geobox.pad(-6)).bounds)},
                "grid": {"crs": "EPSG:32719", "resolution_m": 10, "tile_px": 128},
                "search": {
                    "source": str(source),
                    "collections": ["sentinel-2-l2a", "landsat-c2-l2"],
                },
                "periods": {
                    "history": {"start": str(START), "end": "2019-12-31"},
                    "monitoring": {"start": "2020-01-01", "end": str(END)},
                },
                "cube": {"bands": ["red", "nir08"]},
                "baseline": {"features": ["ndvi", "red"]},
                "store": {"shard_px": 128},
                "cluster": {"kind": "threads", "n_threads": 2},
            }
        )
    )
    config = load_config(path)
    run(config, last=Stage.ANNUAL)
    folder = workspace_of(config).annual
    areas = pd.read_csv(folder / "areas.csv", keep_default_na=False)
    whole = areas[(areas["domain"] == "region") & (areas["agent"] == "all")].set_index("year")
    n_dates = whole["n_dates"]
    assert n_dates[2021] > 1.5 * n_dates[2020]
    # The ground never changed, but for the banks of the one river.
    forest_ha = SIZE_PX**2 / 100
    assert whole.loc[2021, "mapped_ha"] <= whole.loc[2020, "mapped_ha"] + 0.01 * forest_ha
    compared = pd.read_csv(folder / "differences.csv", keep_default_na=False)
    later = compared[compared["year"] == 2021]
    assert not later["is_comparable"].any()
    assert later["note"].str.contains("sensors (landsat → landsat, sentinel-2)", regex=False).all()
    events = gpd.read_parquet(folder / "events.parquet")
    early = events[pd.to_datetime(events["first_detected"]) < str(BEGINS)]
    assert set(early["sensor"]) <= {"landsat"}
    assert set(events["sensor"]) <= {"landsat", "sentinel-2", "landsat,sentinel-2"}
