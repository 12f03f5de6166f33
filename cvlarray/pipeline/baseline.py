"""The baseline stage: a tile's history, from the cube to its seasonal models."""

from __future__ import annotations

import datetime as dt
import math
from functools import partial

import numpy as np
import xarray as xr

import cvlarray
from cvlarray.baseline import fit_baseline, stable_history
from cvlarray.config import RunConfig
from cvlarray.features import bands_of, feature_cube
from cvlarray.grid import Tile
from cvlarray.kernels.season import TimeAxis, coefficient_names, moment_names
from cvlarray.names import BASELINE_VARIABLES, QUALITY
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.normalize import corrected, prepared
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, StoreLocation, create_store, input_hash, open_raw, write_region


def create_baseline(context: RunContext) -> None:
    """Make the baseline's store, or check that the one there is this run's.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    config = context.config
    period = config.periods.history
    first, last = (float(np.datetime64(day, "D").astype(int)) for day in (period.start, period.end))
    axis = TimeAxis.over(first, last)
    create_store(
        context.workspace.baseline,
        geobox=context.geobox,
        times=None,
        variables=BASELINE_VARIABLES,
        shard_px=config.store.shard_px,
        chunk_px=config.store.chunk_px,
        time_shard=config.store.time_shard,
        coords={
            "feature": config.baseline.features,
            "coefficient": coefficient_names(config.baseline.harmonic_order),
            "moment": moment_names(config.baseline.harmonic_order),
        },
        attrs={
            "time_origin": axis.origin_days,
            "time_span_days": axis.span_days,
            "harmonic_order": config.baseline.harmonic_order,
        },
    )


def baseline_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return a unit for each tile that has been ingested."""
    config = context.config
    inputs = prepared(context, ledger, context.history)
    settings = config.baseline, config.masking, config.periods.history
    common = input_hash(cvlarray.__version__, *(part.model_dump() for part in settings))
    n_dates = context.history.stop - context.history.start
    return [
        WorkUnit(
            stage=Stage.BASELINE,
            key=tile.name,
            input_hash=input_hash(common, inputs[tile.name]),
            n_pixels=math.prod(tile.geobox.shape) * n_dates,
            work=partial(
                fit_tile,
                context.workspace.cube,
                context.workspace.baseline,
                tile,
                context.history,
                config,
            ),
        )
        for tile in context.tiles
        if inputs[tile.name]
    ]


def fit_tile(
    cube: StoreLocation, baseline: StoreLocation, tile: Tile, history: slice, config: RunConfig
) -> UnitOutcome:
    """Fit the seasonal models of a tile and write them."""
    features = read_features(cube, tile, history, config)
    period = config.periods.history
    fitted = fit_season(features, period.start, period.end, config)
    fitted = fitted.compute(scheduler="synchronous")
    n_written = write_region(baseline, fitted, y=tile.y, x=tile.x)
    return UnitOutcome(n_bytes_read=features.nbytes, n_bytes_written=n_written)


def fit_season(
    features: xr.DataArray, first: dt.date, last: dt.date, config: RunConfig
) -> xr.Dataset:
    """Return the seasons of a history as the run fits them, lazily."""
    significance = config.baseline.stable_history_significance
    if significance is not None:
        features = stable_history(features, significance=significance)
    return fit_baseline(
        features,
        history=slice(str(first), str(last)),
        harmonic_order=config.baseline.harmonic_order,
        min_observations=config.baseline.min_observations,
    )


def read_features(cube: StoreLocation, tile: Tile, time: slice, config: RunConfig) -> xr.DataArray:
    """Return the watched features of a tile, lazily, in strips that fit into memory."""
    strips = {"time": -1, "y": config.store.chunk_px, "x": tile.x.stop - tile.x.start}
    bands = bands_of(config.baseline.features, config.cube.bands)
    raw = open_raw(cube, chunks=strips)[[*bands, QUALITY.name]]
    seen = raw.isel(time=time, y=tile.y, x=tile.x)
    seen = corrected(seen, tile, config)
    return feature_cube(seen, clear_mask(seen, config), config.baseline.features)
