"""The fuse stage: what optical and radar say together of each tile's forest, date by date."""

from __future__ import annotations

import math
from functools import partial

import xarray as xr

import cvlarray
from cvlarray.errors import UnitError
from cvlarray.fusion import fuse, no_forest_seen
from cvlarray.grid import Tile
from cvlarray.names import FUSED_VARIABLES, IS_FOREST, NEEDS_SAR, RADAR_BELIEF
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.run_store import create_run_store
from cvlarray.pipeline.state import read_log, read_state
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, Workspace, input_hash, n_shared_dates, open_raw, write_region


def create_fused(context: RunContext) -> None:
    """Make the store of what both say, or check that the one there is this run's.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    place, dates = context.workspace.fused, context.dates[context.monitoring]
    create_run_store(
        place, context, FUSED_VARIABLES, times=dates, n_kept_dates=n_shared_dates(place, dates)
    )


def fuse_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return a unit for each tile that radar looked at."""
    looked_at, time = ledger.done(Stage.RADAR), context.monitoring
    common = input_hash(cvlarray.__version__, ledger.done(Stage.SEGMENT))
    return [
        WorkUnit(
            Stage.FUSE,
            tile.name,
            input_hash(common, looked_at[tile.name]),
            math.prod(tile.geobox.shape) * (time.stop - time.start),
            partial(fuse_tile, context.workspace, tile, time),
        )
        for tile in context.tiles
        if tile.name in looked_at
    ]


def fuse_tile(workspace: Workspace, tile: Tile, time: slice) -> UnitOutcome:
    """Put together what was said of a tile's forest, and write it."""
    log = read_log(workspace, tile)
    if log is None:
        raise UnitError(f"tile {tile.name} was never watched; run the monitor stage first")
    forest = read_state(workspace, tile, log)[IS_FOREST.name].to_numpy()
    place = {"y": tile.y, "x": tile.x}
    maps = open_raw(workspace.land_cover).isel(place).compute(scheduler="synchronous")
    radar = open_raw(workspace.radar)[RADAR_BELIEF.name].isel(place)
    radar = radar.compute(scheduler="synchronous")
    needs_sar = open_raw(workspace.cube)[NEEDS_SAR.name].isel(time=time).sel(tile=tile.name)
    asked = needs_sar.compute(scheduler="synchronous").drop_vars("tile")
    optical = no_forest_seen(maps).where(forest)
    fused = fuse(optical, radar, asked.broadcast_like(optical), max_age_days=0)
    layers = {name: (one.dims, one.to_numpy()) for name, one in fused.data_vars.items()}
    whole = slice(0, time.stop - time.start)
    n_written = write_region(workspace.fused, xr.Dataset(layers), y=tile.y, x=tile.x, time=whole)
    n_pixels = {str(name): int(n) for name, n in _by_source(fused).items()}
    return UnitOutcome(
        n_bytes_read=maps.nbytes + radar.nbytes, n_bytes_written=n_written, detail=n_pixels
    )


def _by_source(fused: xr.Dataset) -> dict[str, int]:
    """Return how many pixels and dates each source speaks of."""
    meanings = str(fused["source"].attrs["flag_meanings"]).split()
    return {name: int((fused["source"] == code).sum()) for code, name in enumerate(meanings)}
