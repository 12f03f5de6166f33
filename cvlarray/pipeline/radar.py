"""The radar stage: changes of each tile in Sentinel-1, from its files, orbit by orbit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

import cvlarray
from cvlarray.config import RunConfig
from cvlarray.cube import load_cube
from cvlarray.errors import UnitError
from cvlarray.grid import Tile, outlines
from cvlarray.inference import change_probability, infer
from cvlarray.kernels.sightings import CONFIRMED as IS_CONFIRMED
from cvlarray.kernels.sightings import SIGHTING
from cvlarray.models import Model
from cvlarray.names import (
    IS_FOREST,
    NEEDS_SAR,
    NO_DATE,
    RADAR_BELIEF,
    RADAR_VARIABLES,
)
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.ingest import scene_hash
from cvlarray.pipeline.models import identity_of, windows_of
from cvlarray.pipeline.run_store import create_run_store
from cvlarray.pipeline.search import radar_scenes
from cvlarray.pipeline.sightings import write_sightings
from cvlarray.pipeline.state import read_log, read_state
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.radar import radar_belief, radar_changes, radar_departure
from cvlarray.radar.departure import AROUND_PX, LEAST_HISTORY
from cvlarray.sensors import Scene
from cvlarray.store import Ledger, Workspace, input_hash, n_shared_dates, open_raw, write_region

POLARISATIONS = ("vv", "vh")
MAX_AGE_DAYS = 12
"""How long a date says something of those after it; one revisit."""


def create_radar(context: RunContext) -> None:
    """Make the store of what radar says, or check that the one there is this run's.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    place, dates = context.workspace.radar, context.dates[context.monitoring]
    create_run_store(
        place,
        context,
        (*RADAR_VARIABLES, RADAR_BELIEF),
        times=dates,
        n_kept_dates=n_shared_dates(place, dates),
    )


def radar_units(context: RunContext, ledger: Ledger, model: Model) -> list[WorkUnit]:
    """Return a unit for each tile that was watched and that scenes of Sentinel-1 reach."""
    config, dates = context.config, context.dates[context.monitoring]
    watched = ledger.done(Stage.MONITOR)
    common = input_hash(
        cvlarray.__version__,
        model.spec.name,
        identity_of(model, config),
        config.models.model_dump(include={"radar": {"history_days"}}),
        config.periods.monitoring.start,
        config.masking.model_dump(),
        dates,
    )
    scenes = radar_scenes(context.workspace)
    footprints = shapely.STRtree([scene.footprint for scene in scenes])
    units = []
    for tile in context.tiles:
        reached = np.sort(footprints.query(outlines([tile.geobox])[0], predicate="intersects"))
        if tile.name not in watched or not reached.size:
            continue
        over = tuple(scenes[number] for number in reached)
        identity = [scene_hash(scene, POLARISATIONS) for scene in over]
        units.append(
            WorkUnit(
                Stage.RADAR,
                tile.name,
                input_hash(common, watched[tile.name], identity),
                math.prod(tile.geobox.shape) * len(over),
                partial(look_by_radar, context.workspace, tile, over, dates, model, config),
                needs_gpu=bool(model.spec.version) and config.models.device != "cpu",
            )
        )
    return units


def look_by_radar(
    workspace: Workspace,
    tile: Tile,
    scenes: Sequence[Scene],
    dates: NDArray[np.datetime64],
    model: Model,
    config: RunConfig,
) -> UnitOutcome:
    """Find and write what radar says of a tile's forest."""
    log = read_log(workspace, tile)
    if log is None:
        raise UnitError(f"tile {tile.name} was never watched; run the monitor stage first")
    forest = read_state(workspace, tile, log)[IS_FOREST.name]
    said = dict(_by_orbit(scenes, tile, model, config))
    found = _together(said, tile, forest.to_numpy())
    changes = radar_changes(found)
    belief = radar_belief(found).reindex(
        time=dates.astype("datetime64[ns]"), method="ffill",
        tolerance=np.timedelta64(MAX_AGE_DAYS, "D"),  # type: ignore[arg-type]  # xarray lacks it
    )  # fmt: skip
    layers = {name: (one.dims, one.to_numpy()) for name, one in changes.data_vars.items()}
    layers[RADAR_BELIEF.name] = (belief.dims, belief.to_numpy())
    whole = slice(0, len(dates))
    n_written = write_region(workspace.radar, xr.Dataset(layers), y=tile.y, x=tile.x, time=whole)
    asked = _asked(workspace, tile, changes)
    n_written += write_sightings(workspace.radar_sightings, tile, asked, kept_until=int(NO_DATE))
    confirmed = changes["confirmed"].to_numpy() != NO_DATE
    return UnitOutcome(
        n_bytes_read=sum(one.size for one in said.values()) * len(POLARISATIONS) * 4,
        n_bytes_written=n_written,
        detail={
            "n_dates": {orbit: one.sizes["time"] for orbit, one in said.items()},
            "n_changed_pixels": int(confirmed.sum()),
            "n_where_asked": len(asked),
        },
    )


def _by_orbit(
    scenes: Sequence[Scene], tile: Tile, model: Model, config: RunConfig
) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield each orbit's probabilities (time, y, x) of its dates watched, on the tile.

    An orbit with too short a history, or no date to watch, says nothing.
    """
    start, windows = config.periods.monitoring.start, windows_of(config)
    reach = 2 * (AROUND_PX // 2) + 2 + model.spec.halo
    wide = tile.geobox.pad(_stepped(reach, model.spec.stride))
    inside = {
        dim: slice((wide.shape[k] - size) // 2, (wide.shape[k] + size) // 2)
        for k, (dim, size) in enumerate(zip(("y", "x"), tile.geobox.shape, strict=True))
    }
    for orbit, some in groupby(sorted(scenes, key=lambda one: one.series), lambda one: one.series):
        members = list(some)
        days = {scene.solar_day for scene in members}
        n_history = sum(day < start for day in days)
        if n_history < LEAST_HISTORY or n_history == len(days):
            continue
        series = load_cube(members, wide, bands=POLARISATIONS).compute(scheduler="synchronous")
        departures = radar_departure(series[list(POLARISATIONS)], until=start)
        maps = infer(
            departures, model, window=windows.window, overlap=windows.overlap,
            batch_size=windows.batch_size,
        )  # fmt: skip
        yield orbit, change_probability(maps, model.spec.output).isel(inside)


def _stepped(reach: int, stride: int) -> int:
    """Return a reach in whole strides."""
    return -(-reach // stride) * stride


def _together(
    said: Mapping[str, xr.DataArray], tile: Tile, is_forest: NDArray[np.bool_]
) -> xr.DataArray:
    """Return what all orbits say of the forest, in order of time and one a day; perhaps nothing."""
    if not said:
        shape = (0, *tile.geobox.shape)
        return xr.DataArray(
            np.empty(shape, np.float32), {"time": np.empty(0, "datetime64[ns]")}, ("time", "y", "x")
        )
    joined = xr.concat(said.values(), "time", coords="minimal", compat="override")
    one_a_day = joined.sortby("time").drop_duplicates("time")
    plain = one_a_day.drop_vars([name for name in one_a_day.coords if name != "time"])
    return plain.where(is_forest)


def _asked(workspace: Workspace, tile: Tile, changes: xr.Dataset) -> NDArray[np.void]:
    """Return the changes confirmed on days on which optical images left too much of the tile open.

    That is so where the last date of `MAX_AGE_DAYS` had more than ``masking.max_masked_share``
    masked, or where there was none.
    """
    confirmed = changes["confirmed"].to_numpy().ravel()
    pixels = np.flatnonzero(confirmed != NO_DATE)
    open_days = _open_days(workspace, tile, np.unique(confirmed[pixels]))
    pixels = pixels[np.isin(confirmed[pixels], open_days)]
    found = np.zeros(pixels.size, SIGHTING)
    found["day"], found["pixel"], found["status"] = confirmed[pixels], pixels, IS_CONFIRMED
    for name in ("first_flagged", "interval_start", "confidence"):
        found[name] = changes[name].to_numpy().ravel()[pixels]
    found["magnitude"] = np.nan
    return found[np.lexsort((found["pixel"], found["day"]))]


def _open_days(workspace: Workspace, tile: Tile, days: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the days, of some, on which the tile needs radar."""
    coverage = open_raw(workspace.cube)[NEEDS_SAR.name].sel(tile=tile.name)
    times = coverage["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
    needs = coverage.compute(scheduler="synchronous").to_numpy()
    last = np.searchsorted(times, days, side="right") - 1
    is_recent = (last >= 0) & (days - times[np.maximum(last, 0)] <= MAX_AGE_DAYS)
    chosen: NDArray[np.int32] = days[~is_recent | needs[np.maximum(last, 0)]]
    return chosen
