"""The monitor stage: a tile's monitoring period against its season, to dated changes."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import cvlarray
from cvlarray.baseline import is_forest
from cvlarray.config import RunConfig
from cvlarray.grid import Tile
from cvlarray.kernels.sightings import SIGHTING
from cvlarray.monitor import Consecutive, Sightings, measure_dates, reference_pixels, start, update
from cvlarray.monitor import detections as compute_detections
from cvlarray.names import DATE_OFFSET, DETECTION_VARIABLES
from cvlarray.pipeline.baseline import read_features
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.normalize import prepared
from cvlarray.pipeline.sightings import write_sightings
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, StoreLocation, create_store, input_hash, open_raw, write_region


def create_detections(context: RunContext) -> None:
    """Make the detections' store, or check that the one there is this run's.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    store = context.config.store
    create_store(
        context.workspace.detections,
        geobox=context.geobox,
        times=None,
        variables=DETECTION_VARIABLES,
        shard_px=store.shard_px,
        chunk_px=store.chunk_px,
        time_shard=store.time_shard,
    )


def monitor_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return a unit for each tile that has a baseline."""
    config = context.config
    inputs = prepared(context, ledger, context.monitoring)
    baselines = ledger.done(Stage.BASELINE)
    settings = config.monitor, config.masking, config.baseline, config.periods
    common = input_hash(
        cvlarray.__version__, config.events.pending, *(part.model_dump() for part in settings)
    )
    n_dates = context.monitoring.stop - context.monitoring.start
    return [
        WorkUnit(
            stage=Stage.MONITOR,
            key=tile.name,
            input_hash=input_hash(common, inputs[tile.name], baselines[tile.name]),
            n_pixels=math.prod(tile.geobox.shape) * n_dates,
            work=partial(
                monitor_tile,
                context.workspace.cube,
                context.workspace.baseline,
                context.workspace.detections,
                context.workspace.sightings,
                tile,
                context.monitoring,
                config,
            ),
        )
        for tile in context.tiles
        if tile.name in baselines
    ]


def monitor_tile(
    cube: StoreLocation,
    baseline: StoreLocation,
    detections: StoreLocation,
    sightings: Path,
    tile: Tile,
    monitoring: slice,
    config: RunConfig,
) -> UnitOutcome:
    """Date the changes of a tile and write them, and what each date says of them."""
    season = read_baseline(baseline, tile, config)
    # Asked for twice below, and small.
    forest = is_forest(season).compute(scheduler="synchronous")
    some = reference_pixels(forest.sizes)
    few = read_features(cube, tile, monitoring, config, pixels=some)
    dates = measure_dates(few, season.isel(some), forest.isel(some))
    dates = dates.compute(scheduler="synchronous")
    features = read_features(cube, tile, monitoring, config)
    found, seen = watch(features, season, dates, forest, config)
    n_written = write_region(detections, found, y=tile.y, x=tile.x)
    n_written += write_sightings(sightings, tile, seen)
    return UnitOutcome(
        n_bytes_read=features.nbytes + season.nbytes,
        n_bytes_written=n_written,
        detail={"unjudged_dates": unjudged(dates)},
    )


def watch(
    features: xr.DataArray,
    season: xr.Dataset,
    dates: xr.Dataset,
    forest: xr.DataArray,
    config: RunConfig,
) -> tuple[xr.Dataset, NDArray[np.void]]:
    """Return the detections of a tile and its sightings, strip by strip."""
    detector = Consecutive(config.monitor.threshold_z, config.monitor.consecutive)
    width = features.sizes["x"]
    found, seen = [], [np.empty(0, SIGHTING)]
    for first in range(0, features.sizes["y"], config.store.chunk_px):
        strip = {"y": slice(first, first + config.store.chunk_px)}
        observed = features.isel(strip).compute(scheduler="synchronous")
        expected = season.isel(strip).compute(scheduler="synchronous")
        state = start(expected, is_forest=forest.isel(strip), detector=detector)
        sightings = Sightings(config.events.pending)
        state = update(state, observed, dates=dates, detector=detector, sightings=sightings)
        found.append(compute_detections(state))
        part = sightings.table
        part["pixel"] += first * width
        seen.append(part)
    return xr.concat(found, "y"), np.concatenate(seen)


def read_baseline(baseline: StoreLocation, tile: Tile, config: RunConfig) -> xr.Dataset:
    """Return the seasonal models of a tile, lazily, in the strips of its features."""
    strips = {"y": config.store.chunk_px, "x": tile.x.stop - tile.x.start}
    return open_raw(baseline, chunks=strips).isel(y=tile.y, x=tile.x)


def unjudged(dates: xr.Dataset) -> list[str]:
    """Return the dates on which too little forest was seen to judge them."""
    is_judged = dates[DATE_OFFSET.name].notnull().all("feature")
    missing = dates["time"].where(~is_judged, drop=True).to_numpy()
    return [str(day) for day in missing.astype("datetime64[D]").astype(np.str_)]
