"""The changes stage: with hindsight, what became of each pixel of a tile in all years."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

import cvlarray
from cvlarray.annual import agents, land_cover_by_year, yearly_change, yearly_clear
from cvlarray.config import RunConfig
from cvlarray.errors import UnitError
from cvlarray.grid import Tile
from cvlarray.models.spectral import SpectralRule
from cvlarray.monitor import follow
from cvlarray.names import (
    ALARM_CONFIRMED,
    CHANGES_VARIABLES,
    IS_FOREST,
    N_EPISODES,
    NO_DATE,
    QUALITY,
)
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.normalize import corrected
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.run_store import create_run_store
from cvlarray.pipeline.season import read_features
from cvlarray.pipeline.state import read_log, read_state
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, Workspace, input_hash, open_raw, write_region


def years_of(config: RunConfig) -> list[int]:
    """Return the calendar years that were watched, at least in part."""
    period = config.periods.monitoring
    return list(range(period.start.year, period.end.year + 1))


def create_changes(context: RunContext) -> None:
    """Make the store of the changes, or check that the one there is this run's.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    create_run_store(
        context.workspace.changes,
        context,
        CHANGES_VARIABLES,
        coords={
            "year": [str(year) for year in years_of(context.config)],
            "episode": [str(number + 1) for number in range(N_EPISODES)],
        },
    )


def changes_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return a unit for each tile that was watched."""
    config = context.config
    watched = ledger.done(Stage.MONITOR)
    settings = config.reanalysis.recovery_observations, config.reanalysis.passing_days
    common = input_hash(cvlarray.__version__, years_of(config), settings)
    n_dates = context.monitoring.stop - context.monitoring.start
    return [
        WorkUnit(
            Stage.CHANGES,
            tile.name,
            input_hash(common, watched[tile.name]),
            math.prod(tile.geobox.shape) * n_dates,
            partial(follow_tile, context.workspace, tile, context.monitoring, config),
        )
        for tile in context.tiles
        if tile.name in watched
    ]


def follow_tile(workspace: Workspace, tile: Tile, time: slice, config: RunConfig) -> UnitOutcome:
    """Follow the changed pixels of a tile through all dates, and write the yearly maps."""
    log = read_log(workspace, tile)
    if log is None:
        raise UnitError(f"tile {tile.name} was never watched; run the monitor stage first")
    state = read_state(workspace, tile, log)
    n_read = n_written = n_changed = 0
    found = []
    for strip, rows in _strips(tile, config.store.chunk_px):
        changes, n_bytes = _follow_strip(workspace, strip, state.isel(y=rows), time, config)
        n_read += n_bytes
        n_changed += int((changes["disturbed"].isel(episode=0) != NO_DATE).sum())
        found.append(changes)
    whole = xr.concat(found, "y", data_vars="minimal", coords="minimal", compat="override")
    n_written += write_region(workspace.changes, whole, y=tile.y, x=tile.x)
    return UnitOutcome(
        n_bytes_read=n_read, n_bytes_written=n_written, detail={"n_changed_pixels": n_changed}
    )


def _strips(tile: Tile, height: int) -> Iterator[tuple[Tile, slice]]:
    """Yield parts of a tile, some rows each, and where they lie in it: all dates fit in memory."""
    n_rows = tile.y.stop - tile.y.start
    for start in range(0, n_rows, height):
        stop = min(start + height, n_rows)
        place = slice(tile.y.start + start, tile.y.start + stop)
        yield replace(tile, y=place, geobox=tile.geobox[start:stop]), slice(start, stop)


def _follow_strip(
    workspace: Workspace, strip: Tile, state: xr.Dataset, time: slice, config: RunConfig
) -> tuple[xr.Dataset, int]:
    """Return the changes of some rows, and the bytes read. Without a change no band is read."""
    years = years_of(config)
    place = {"time": time, "y": strip.y, "x": strip.x}
    cube = open_raw(workspace.cube)
    quality = cube[[QUALITY.name]].isel(place).compute(scheduler="synchronous")
    is_clear, n_read = clear_mask(quality, config), quality.nbytes
    if bool((state[ALARM_CONFIRMED.name] != NO_DATE).any()):
        features = read_features(workspace.cube, strip, time, config)
        features = features.compute(scheduler="synchronous")
        bands = _bands(cube, strip, place, config)
    else:
        names = config.baseline.features
        features = xr.DataArray(
            np.empty((len(names), 0, *is_clear.shape[1:]), np.int16),
            dims=("feature", "time", "y", "x"),
            coords={"feature": list(names), "time": is_clear["time"][:0]},
        )
        bands = None
    episodes = follow(
        features,
        state,
        detector=config.monitor.detector.build(),
        n_proofs=config.reanalysis.recovery_observations,
        passing_days=config.reanalysis.passing_days,
    )
    change = yearly_change(episodes, state[IS_FOREST.name], years)
    cover = land_cover_by_year(change, bands, is_clear, episodes)
    agent = agents(cover, episodes, is_classed=bands is not None)
    parts = (*episodes.data_vars.values(), agent, cover, change, yearly_clear(is_clear, years))
    # As raw arrays: the store has labels of its own.
    merged = {str(part.name): (part.dims, part.to_numpy()) for part in parts}
    n_read += features.nbytes + (0 if bands is None else bands.nbytes)
    return xr.Dataset(merged), n_read


def _bands(
    cube: xr.Dataset, strip: Tile, place: dict[str, slice], config: RunConfig
) -> xr.Dataset | None:
    """Return the bands by which open ground is classed, None if the cube lacks one."""
    names = class_bands(config.cube.bands)
    if names is None:
        return None
    seen = cube[list(names)].isel(place).compute(scheduler="synchronous")
    return corrected(seen, strip, config)


def class_bands(available: Sequence[str]) -> tuple[str, ...] | None:
    """Return the bands that tell clearing, pit and pond apart, None if one isn't there."""
    wanted = [band.name for band in SpectralRule().spec.bands]
    chosen = ["nir08" if name == "nir" and "nir" not in available else name for name in wanted]
    return tuple(chosen) if set(chosen) <= set(available) else None
