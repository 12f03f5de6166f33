"""What years cost: a Mpx·date of one year and of eight, and 853 Mpx on paper."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from benchmarks.line_scenes import mirrored_run
from benchmarks.reanalysis_cluster import SIDES_PX, TILE_PX, flatness
from benchmarks.registry import Measurement, measures
from cvlarray.cluster import InlineExecutor
from cvlarray.config import load_config
from cvlarray.grid import outline
from cvlarray.pipeline import Stage, calibrate, run_pipeline, workspace_of
from cvlarray.pipeline.progress import LogProgress
from cvlarray.simulate import Product, write_catalog, write_scene
from cvlarray.store import Ledger
from tests.pipeline.forest import (
    CLEARED_ON,
    GEOBOX,
    SIZE_PX,
    forest_dn,
    run_settings,
    scene_classes,
)

N_YEARS = 1, 2, 4, 8
"""That are watched, after two of history."""
WIDER = 4
"""The tests' forest stands so many times beside itself, and below."""
FIRST, WATCH = dt.date(CLEARED_ON.year - 3, 1, 1), dt.date(CLEARED_ON.year - 1, 1, 1)
"""Its clearing is of the second year."""
STEP_DAYS = 12
WIDE = GeoBox((WIDER * SIZE_PX, WIDER * SIZE_PX), GEOBOX.affine, GEOBOX.crs)
PRODUCT = Product(platform="sentinel-2a", grid_tile="19LDF", processing_baseline="05.10")

PAPER_MPX, PAPER_DATES, PAPER_HISTORY = 853, 730, 0.3
"""85,300 km² at 10 m, ten years of a date every five days, three of them history."""
N_WORKERS = 100
ONCE = {Stage.SEARCH, Stage.PRIOR, Stage.REPORT}
"""Stages that take as long whatever the region is."""


@measures("cost_over_years")
def cost_over_years() -> Measurement:
    """Of watched dates: reading, the fit of each year, watching, and hindsight."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_years(folder / "source", dt.date(WATCH.year + N_YEARS[-1], 1, 1))
        cost_of_years(folder, N_YEARS[0])  # compiles
        costs = {n: cost_of_years(folder, n) for n in N_YEARS}
    return flatness(costs, "core-s a watched Mpx·date at 1, 2, 4 and 8 years")


def write_years(folder: Path, after: dt.date) -> None:
    """Write the forest, seen every twelve days."""
    rng = np.random.default_rng(7)
    items = []
    for n in range((after - FIRST).days // STEP_DAYS):
        date = FIRST + dt.timedelta(days=STEP_DAYS * n)
        scl = wide(scene_classes(date, rng))
        bands = {name: wide(dn) for name, dn in forest_dn(date, rng).items()}
        items.append(
            write_scene(
                folder,
                item_id=f"S2A_19LDF_{date:%Y%m%d}_0_L2A",
                datetime=dt.datetime.combine(date, dt.time(15, 0), dt.UTC),
                bands={
                    n: np.where(scl == 9, 6000, dn).astype(np.uint16) for n, dn in bands.items()
                },
                scl=scl,
                geobox=WIDE,
                product=PRODUCT,
            )
        )
    write_catalog(folder, items)


def wide(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the forest beside itself."""
    return np.tile(values, (WIDER, WIDER))


def cost_of_years(folder: Path, n_years: int) -> float:
    """Run a reanalysis anew; return core seconds a Mpx and watched date."""
    workspace = folder / f"years_{n_years}"
    shutil.rmtree(workspace, ignore_errors=True)
    west, south, east, north = outline(WIDE.pad(-1)).bounds
    end = dt.date(WATCH.year + n_years, 1, 1) - dt.timedelta(days=1)
    settings = run_settings(folder / "source", workspace) | {
        "region": {"bbox": [west, south, east, north]},
        "grid": {"crs": str(WIDE.crs), "resolution_m": 10, "tile_px": 128},
        "store": {"shard_px": 128, "chunk_px": 128},
        "periods": {
            "history": {"start": str(FIRST), "end": str(WATCH - dt.timedelta(days=1))},
            "monitoring": {"start": str(WATCH), "end": str(end)},
        },
    }
    path = folder / f"years_{n_years}.yaml"
    path.write_text(yaml.safe_dump(settings))
    config = load_config(path)
    run_pipeline(config, InlineExecutor(), LogProgress(), last=Stage.CHANGES)
    with Ledger(workspace_of(config).ledger) as ledger:
        watched = [row for row in ledger.rows(Stage.INGEST) if row.unit[-10:] >= str(WATCH)]
        rest = [
            row
            for stage in (Stage.BASELINE, Stage.MONITOR, Stage.CHANGES)
            for row in ledger.rows(stage)
        ]
    n_dates = sum(len(row.detail["dates"]) for row in watched if row.unit.startswith("r000c000/"))
    core_s = sum(row.cpu_s for row in (*watched, *rest))
    return core_s / (np.prod(WIDE.shape) * n_dates / 1e6)


@measures("paper_core_hours")
def paper_core_hours() -> Measurement:
    """The demo's square in its mirrored forest is calibrated, one tile of it on one core."""
    path, _ = mirrored_run(SIDES_PX[0])
    changed = {"grid": {"tile_px": TILE_PX}, "store": {"shard_px": TILE_PX}}
    config = load_config(path, changed)
    shutil.rmtree(workspace_of(config).path / "calibration", ignore_errors=True)
    calibration = calibrate(config, LogProgress())
    n_watched = round(PAPER_DATES * (1 - PAPER_HISTORY))
    dates = {
        Stage.INGEST: PAPER_DATES,
        Stage.NORMALIZE: PAPER_DATES,
        Stage.BASELINE: PAPER_DATES - n_watched,
        Stage.MONITOR: n_watched,
        Stage.CHANGES: n_watched,
    }
    hours = {
        stage: rate * (1 if stage in ONCE else PAPER_MPX * dates.get(stage, 1)) / 3600
        for stage, rate in calibration.core_s.items()
    }
    alone = sum(value for stage, value in hours.items() if not stage.is_tiled)
    total = sum(hours.values())
    stages = ", ".join(f"{stage} {value:.0f}" for stage, value in hours.items() if value >= 1)
    note = (
        f"{(total - alone) / N_WORKERS + alone:.1f} h on {N_WORKERS} workers of one core, of which "
        f"{alone:.1f} h are stages on one core; {stages}; assumed: every pixel and date costs what "
        "one tile of real Sentinel-2 costs here (five bands, files on a local disk, workers never "
        "wait for the network, cores as fast as this one), the share of changed pixels is the "
        "tile's, and cost is flat over area and years (rows cost_over_area, cost_over_years)"
    )
    return Measurement(total, "core-hours", note=note)
