"""The whole line: its cost over that of its parts, its plan, and what it finds in a real forest."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import rasterio
import xarray as xr
from numpy.typing import NDArray

from benchmarks.line_scenes import FOLDER, mirrored_run
from benchmarks.line_sides import FOLDER_VARIABLE
from benchmarks.measure import ONE_THREAD, ROOT, Usage, Worker, compare, run_command
from benchmarks.reference import reference_folder
from benchmarks.registry import Measurement, measures
from cvlarray.baseline import fit_baseline
from cvlarray.demo import write_romania
from cvlarray.features import feature_cube
from cvlarray.monitor import monitor
from tests import romania

CVLARRAY = str(Path(sys.executable).parent / "cvlarray")
SIZE_PX = 1024
"""Of the scenes for the cost: large enough that starting the program doesn't count."""
PAIRS = 3
LOGGED = np.datetime64("2024-04-08")
"""First changed observation of the logging series."""


def run_line(config: Path, workspace: Path) -> Usage:
    """Run the line from nothing, in threads of one process."""
    shutil.rmtree(workspace, ignore_errors=True)
    command = [CVLARRAY, "run", str(config), "--workspace", str(workspace), "--cluster", "threads"]
    return run_command(command)


@cache
def cost() -> tuple[Measurement, Usage, Path]:
    """Return CPU over that of decode and kernels, and the last run's usage and folder."""
    run_line(*mirrored_run(100))  # compiles the kernels, where nobody has yet
    config, workspace = mirrored_run(SIZE_PX)
    usages: list[Usage] = []

    def end_to_end() -> float:
        usages.append(run_line(config, workspace))
        return usages[-1].cpu_s

    env = {**ONE_THREAD, FOLDER_VARIABLE: str(config.parent / "source")}
    with (
        Worker("benchmarks.line_sides:decode", env=env) as decode,
        Worker("benchmarks.line_sides:kernels", env=env) as kernels,
    ):
        parts = [decode.cpu_per_unit(), kernels.cpu_per_unit()]
        both = compare(
            end_to_end, lambda: decode.cpu_per_unit() + kernels.cpu_per_unit(), pairs=PAIRS
        )
    ratio = 1 / both.ratio
    note = (
        f"{both.ours:.3g} CPU-s; decode {parts[0]:.3g} + kernels {parts[1]:.3g} CPU-s; "
        f"{SIZE_PX}² px, 140 dates, 5 bands, {PAIRS} pairs"
    )
    return Measurement(ratio, "×", both.peer, ratio, note), usages[-1], workspace


@measures("end_to_end_cpu")
def end_to_end_cpu() -> Measurement:
    """Everything counts, from starting Python to writing the report."""
    return cost()[0]


@measures("peak_memory")
def peak_memory() -> Measurement:
    """Of the one process that a run in threads has."""
    peak = cost()[1].peak_rss_bytes / 1e6
    return Measurement(peak, "MB", note=f"{SIZE_PX}² px, 140 dates, 5 bands, threads")


@measures("stage_shares")
def stage_shares() -> Measurement:
    """From the ledger; what isn't in it is starting up, creating stores and waiting."""
    _, usage, workspace = cost()
    with closing(sqlite3.connect(workspace / "ledger.db")) as ledger:
        rows = ledger.execute("SELECT stage, sum(cpu_s) FROM unit GROUP BY stage").fetchall()
    shares = {stage: 100 * cpu_s / usage.cpu_s for stage, cpu_s in rows}
    shares["outside units"] = 100 - sum(shares.values())
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    note = ", ".join(f"{stage} {share:.0f} %" for stage, share in ordered)
    return Measurement(ordered[0][1], "%", note=note)


@measures("plan_error_demo")
def plan_error_demo() -> Measurement:
    """On the square as it is."""
    return plan_error(*mirrored_run(100))


@measures("plan_error_16x")
def plan_error_16x() -> Measurement:
    """On 4 × 4 of it."""
    return plan_error(*mirrored_run(400))


def plan_error(config: Path, workspace: Path) -> Measurement:
    """Return the largest error of the plan, which is made before anything else."""
    shutil.rmtree(workspace, ignore_errors=True)
    options = ["--workspace", str(workspace), "--cluster", "threads"]
    command = [CVLARRAY, "plan", str(config), "--json", *options]
    planned = json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
    happened = what_happened(workspace, run_line(config, workspace))
    errors = {name: 100 * (planned[name] / value - 1) for name, value in happened.items()}
    note = ", ".join(
        f"{name} {value:.3g} ({errors[name]:+.0f} %)" for name, value in happened.items()
    )
    return Measurement(max(map(abs, errors.values())), "%", note=note)


def what_happened(workspace: Path, usage: Usage) -> dict[str, float]:
    """Return the true values of what a plan predicts."""
    with closing(sqlite3.connect(workspace / "ledger.db")) as ledger:
        units = ledger.execute("SELECT stage, unit FROM unit").fetchall()
    items = pq.read_table(workspace / "items.parquet")
    stores = [workspace / f"{name}.zarr" for name in ("cube", "baseline", "state", "detections")]
    return {
        "n_items": items.num_rows,
        "n_tiles": len({unit.split("/")[0] for stage, unit in units if stage == "ingest"}),
        "n_tasks": len(units),
        "n_bytes_to_read": sum(map(_block_bytes, (workspace.parent / "source").glob("*/*/*.tif"))),
        "n_bytes_to_store": sum(
            file.stat().st_size for store in stores for file in store.rglob("*") if file.is_file()
        ),
        "peak_worker_bytes": usage.peak_rss_bytes,
    }


def _block_bytes(file: Path) -> int:
    """Return the compressed bytes of a file's pixels at full resolution, overviews left out."""
    with rasterio.open(file) as source:
        n_rows, n_cols = (
            -(-size // step)
            for size, step in zip(source.shape, source.block_shapes[0], strict=True)
        )
        sizes = [
            source.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=1)
            for row in range(n_rows)
            for col in range(n_cols)
        ]
    return sum(int(size) for size in sizes if size)


@cache
def _found(config: str, resolution_m: int) -> tuple[xr.Dataset, xr.Dataset, romania.Truth]:
    """Run the line on the real square; return its detections, the cube, and what happened there."""
    workspace = FOLDER / config
    shutil.rmtree(workspace, ignore_errors=True)
    write_romania(workspace)
    run = [CVLARRAY, "run", str(ROOT / "configs" / f"{config}.yaml"), "--cluster", "threads"]
    run_command([*run, "--workspace", str(workspace)])
    with xr.open_zarr(workspace / "detections.zarr", decode_cf=False) as detections:
        loaded = detections.load()
    cube = romania.load(resolution_m)
    return loaded, cube, romania.truth(cube)


def score(within: NDArray[np.bool_] | None = None) -> romania.Score:
    """Return how well the demo's detections fit."""
    detections, _, known = _found("demo", 10)
    return romania.evaluate(detections, known, within)


@measures("cuts_covered")
def cuts_covered() -> Measurement:
    """Of both campaigns together."""
    known = _found("demo", 10)[2]
    n_cut = np.count_nonzero(known.campaign_a | known.campaign_b)
    return Measurement(100 * score().covered, "%", note=f"of {n_cut} pixels")


@measures("flags_right")
def flags_right() -> Measurement:
    """Share of what was flagged."""
    return Measurement(100 * score().true, "%", note=f"of {score().n_detected} flagged pixels")


@measures("campaign_a_dated")
def campaign_a_dated() -> Measurement:
    """Of the pixels of A that were found."""
    return Measurement(100 * score().a_in_time, "%")


@measures("campaign_b_dated")
def campaign_b_dated() -> Measurement:
    """Of the pixels of B that were found."""
    return Measurement(100 * score().b_in_time, "%")


@measures("flags_on_river_and_regrowth")
def flags_on_river_and_regrowth() -> Measurement:
    """Regrowing is what gained more than 0.1 of NDVI between the summers of 2016 and 2018.

    As on the river, a flag beside a fresh drop is that drop's edge, seen one pixel off. The note
    counts those on regrowth too.
    """
    detections, cube, known = _found("demo", 10)
    is_flagged = detections["first_flagged"].to_numpy() >= 0
    is_regrowing = _summer_ndvi(cube, 2018) - _summer_ndvi(cube, 2016) > 0.1
    grows_back = is_flagged & is_regrowing & ~known.dropped
    n_regrowing = int(np.count_nonzero(grows_back & ~romania.grown(known.dropped)))
    n_edge = np.count_nonzero(grows_back) - n_regrowing
    n_water = score().n_on_water
    note = f"water {n_water}, regrowth {n_regrowing}; {n_edge} more on regrowth that adjoins a drop"
    return Measurement(n_water + n_regrowing, "px", note=note)


def _summer_ndvi(cube: xr.Dataset, year: int) -> NDArray[np.float64]:
    time = cube["time"].dt
    summer = cube.sel(time=(time.year == year) & time.month.isin([5, 6, 7]))
    red, nir = (summer[band].astype(float).where(summer["scl"] == 4) for band in ("red", "nir"))
    return ((nir - red) / (nir + red)).quantile(0.5, "time", skipna=True).to_numpy()


@measures("cuts_covered_20m")
def cuts_covered_20m() -> Measurement:
    """The same thresholds on other bands and other pixels."""
    detections, _, known = _found("demo_20m", 20)
    found = romania.evaluate(detections, known)
    note = f"right {found.true:.1%}, A {found.a_in_time:.1%}, B {found.b_in_time:.1%} in time"
    return Measurement(100 * found.covered, "%", note=note)


@measures("cuts_covered_held_out")
def cuts_covered_held_out() -> Measurement:
    """The default threshold was chosen on the western half (tests/test_monitor.py)."""
    is_east = np.zeros((100, 100), bool)
    is_east[:, 50:] = True
    east = score(is_east)
    note = f"right {east.true:.1%}, A {east.a_in_time:.1%}, B {east.b_in_time:.1%} in time"
    return Measurement(100 * east.covered, "%", note=note)


@cache
def _logging_alarms() -> list[np.datetime64]:
    """Return when changes were confirmed to begin in a real HLS series of 2023-24, one at most."""
    files = sorted(reference_folder("pyxccd_series").glob("7_logging_hls_w*.csv"))
    table = pd.concat(map(pd.read_csv, files)).drop_duplicates("dates").sort_values("dates")
    coords = {"time": pd.to_datetime(table["dates"] - 719_163, unit="D"), "y": [0], "x": [0]}
    values = {"red": table["Red"], "nir": table["NIR"], "clear": table["qa"].isin([0, 1])}
    dims = ("time", "y", "x")
    layers = {name: (dims, one.to_numpy()[:, None, None]) for name, one in values.items()}
    cube = xr.Dataset(layers, coords)
    bands = cube[["red", "nir"]].astype(np.int16)
    features = feature_cube(bands, cube["clear"], ["ndvi", "red"])
    baseline = fit_baseline(features, history=slice("2020-01-01", "2022-12-31"))
    found = monitor(features.sel(time=slice("2023-01-01", None)), baseline)
    first = int(found["first_flagged"].item())
    return [np.datetime64(first, "D")] if first >= 0 else []


@measures("logging_date_error")
def logging_date_error() -> Measurement:
    """Of the first confirmed change."""
    alarms = _logging_alarms()
    errors = [abs((alarm - LOGGED) / np.timedelta64(1, "D")) for alarm in alarms]
    return Measurement(
        min(errors, default=math.inf), "days", note=f"found: {', '.join(map(str, alarms))}"
    )


@measures("logging_early_alarms")
def logging_early_alarms() -> Measurement:
    """The monitor stops at its first confirmed change, so there is one at most."""
    return Measurement(sum(alarm < LOGGED for alarm in _logging_alarms()), "alarms")


@measures("tests_wall")
def tests_wall() -> Measurement:
    """Other work on the machine counts too."""
    return Measurement(run_command(["make", "test"]).wall_s, "s")
