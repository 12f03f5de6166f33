"""The prior stage: what the seasons of the region's steady forest have in common."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

import cvlarray
from cvlarray.baseline import is_forest, regional_prior
from cvlarray.baseline.prior import MAX_REFERENCE_PIXELS
from cvlarray.config import RunConfig
from cvlarray.errors import UnitError
from cvlarray.grid import Tile
from cvlarray.names import N_VALID
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.normalize import prepared
from cvlarray.pipeline.season import fit_season, read_features
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, Workspace, input_hash, write_atomic

N_SAMPLES = 16
"""Squares of a chunk's size, spread over the region, that the prior is learned from."""


def prior_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return the one unit of the stage, or none if the run has no regional prior."""
    config = context.config
    if not config.baseline.regional_prior:
        return []
    inputs = prepared(context, ledger, context.history)
    samples = sample_squares(
        [tile for tile in context.tiles if inputs.has(tile)], config.store.chunk_px
    )
    settings = config.baseline, config.masking, config.periods.history
    wanted = [(square.name, square.y.start, square.x.start) for square in samples]
    identities = {square.name: inputs.identity(square) for square in samples}
    key = input_hash(
        cvlarray.__version__, *(part.model_dump() for part in settings), wanted, identities
    )
    n_dates = context.history.stop - context.history.start
    return [
        WorkUnit(
            stage=Stage.PRIOR,
            key="region",
            input_hash=key,
            n_pixels=sum(_n_pixels(square) for square in samples) * n_dates,
            work=partial(learn_prior, samples, context.history, config),
        )
    ]


def sample_squares(tiles: Sequence[Tile], square_px: int) -> list[Tile]:
    """Return squares of chunks, spread evenly over the tiles and within each."""
    if not tiles:
        return []
    n_chosen = min(N_SAMPLES, len(tiles))
    chosen = [tiles[int(n)] for n in np.linspace(0, len(tiles) - 1, n_chosen).round()]
    per_tile = -(-N_SAMPLES // n_chosen)
    squares = []
    for tile in chosen:
        corners = [
            (y, x)
            for y in range(tile.y.start, tile.y.stop, square_px)
            for x in range(tile.x.start, tile.x.stop, square_px)
        ]
        # The middle of each of as many equal stretches.
        picked = (np.arange(per_tile) + 0.5) * len(corners) / per_tile
        for y, x in dict.fromkeys(corners[int(n)] for n in picked):
            rows = slice(y, min(y + square_px, tile.y.stop))
            cols = slice(x, min(x + square_px, tile.x.stop))
            squares.append(replace(tile, y=rows, x=cols))
    return squares


def learn_prior(squares: Sequence[Tile], history: slice, config: RunConfig) -> UnitOutcome:
    """Learn the prior from forest that was seen well and stood throughout, and write it down.

    Raises
    ------
    UnitError
        If there is no such forest in the squares.
    """
    workspace = workspace_of(config)
    period = config.periods.history
    seasons, times, n_bytes_read = [], None, 0
    step = math.ceil(math.sqrt(sum(map(_n_pixels, squares)) / MAX_REFERENCE_PIXELS))
    thin = slice(step // 2, None, step)
    for square in squares:
        features = read_features(workspace.cube, square, history, config).isel(y=thin, x=thin)
        lazy = fit_season(features, period.start, period.end, config, None)
        season = lazy.compute(scheduler="synchronous")
        pixels = season.stack(pixel=("y", "x"), create_index=False).drop_vars(["y", "x"])
        seasons.append(pixels)
        times = features["time"].to_numpy()
        n_bytes_read += features.nbytes
    every = xr.concat(seasons, "pixel").expand_dims("y").rename(pixel="x")
    every.attrs = seasons[0].attrs
    is_reference = is_forest(every) & _is_well_observed(every)
    if not is_reference.any():
        raise UnitError(
            "baseline.regional_prior needs forest that stood through the history, found none in "
            f"{len(squares)} squares of the region; set it to false, or take a longer history"
        )
    prior = regional_prior(every, is_reference, times)
    write_atomic(workspace.prior, json.dumps(prior.to_dict()))
    n_written = workspace.prior.stat().st_size
    detail = {"n_reference_pixels": int(is_reference.sum())}
    return UnitOutcome(n_bytes_read=n_bytes_read, n_bytes_written=n_written, detail=detail)


def read_prior(workspace: Workspace, config: RunConfig) -> xr.Dataset | None:
    """Return the prior of a run, None if it has none."""
    if not config.baseline.regional_prior:
        return None
    return xr.Dataset.from_dict(json.loads(workspace.prior.read_text())).astype(np.float32)


def with_prior(state: xr.Dataset, prior: xr.Dataset | None) -> xr.Dataset:
    """Return a season, or its state, that knows how strong a prior it was fitted with."""
    if prior is None:
        return state
    strength = prior["prior_strength"].sel(feature=state["feature"].to_numpy())
    return state.assign(prior_strength=strength)


def _is_well_observed(season: xr.Dataset) -> xr.DataArray:
    """Return which pixels were seen as often as the better half of those with a season."""
    n_valid = season[N_VALID.name].min("feature")
    return n_valid >= n_valid.where(n_valid > 0).median()


def _n_pixels(square: Tile) -> int:
    height: int = square.y.stop - square.y.start
    width: int = square.x.stop - square.x.start
    return height * width
