"""The baseline stage: a tile's history, from the cube to its seasonal models."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

import cvlarray
from cvlarray.config import RunConfig
from cvlarray.grid import Tile
from cvlarray.kernels.season import TimeAxis, coefficient_names, moment_names
from cvlarray.names import BASELINE_VARIABLES
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.normalize import prepared
from cvlarray.pipeline.prior import read_prior
from cvlarray.pipeline.run_store import create_run_store
from cvlarray.pipeline.season import fit_season, read_features
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, Workspace, input_hash, write_region


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
    create_run_store(
        context.workspace.baseline,
        context,
        BASELINE_VARIABLES,
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
    prior = ledger.done(Stage.PRIOR) if config.baseline.regional_prior else {}
    common = input_hash(cvlarray.__version__, *(part.model_dump() for part in settings), prior)
    n_dates = context.history.stop - context.history.start
    return [
        WorkUnit(
            stage=Stage.BASELINE,
            key=tile.name,
            input_hash=input_hash(common, inputs.identity(tile)),
            n_pixels=math.prod(tile.geobox.shape) * n_dates,
            work=partial(
                fit_tile,
                context.workspace,
                tile,
                context.history,
                config,
            ),
        )
        for tile in context.tiles
        if inputs.has(tile)
    ]


def fit_tile(workspace: Workspace, tile: Tile, history: slice, config: RunConfig) -> UnitOutcome:
    """Fit the seasonal models of a tile and write them."""
    features = read_features(workspace.cube, tile, history, config)
    period = config.periods.history
    prior = read_prior(workspace, config)
    fitted = fit_season(features, period.start, period.end, config, prior)
    fitted = fitted[[variable.name for variable in BASELINE_VARIABLES]]
    fitted = fitted.compute(scheduler="synchronous")
    n_written = write_region(workspace.baseline, fitted, y=tile.y, x=tile.x)
    return UnitOutcome(n_bytes_read=features.nbytes, n_bytes_written=n_written)
