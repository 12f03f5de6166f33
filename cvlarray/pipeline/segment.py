"""The segment stage: a model of land cover over every date watched, lease by lease."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

import numpy as np
import xarray as xr

import cvlarray
from cvlarray.config import RunConfig
from cvlarray.inference import Lease, create_maps, run_lease, superblocks
from cvlarray.models import Model
from cvlarray.names import NODATA_DN
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.ingested import Ingested
from cvlarray.pipeline.models import identity_of, windows_of
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, input_hash, n_shared_dates, open_raw


def create_land_cover(context: RunContext, ledger: Ledger, model: Model) -> None:
    """Make the store of the maps, or check that the one there is this model's; add new dates.

    A date that comes late, before others, moves those: they are forgotten and done anew.

    Raises
    ------
    StoreError
        If the store there holds the maps of another model; it names the difference.
    """
    store, path = context.config.store, context.workspace.land_cover
    dates = context.dates[context.monitoring]
    n_kept = n_shared_dates(path, dates)
    if n_kept is not None and n_kept < len(dates):
        first = str(dates[n_kept])
        moved = [unit for unit in ledger.hashes(Stage.SEGMENT) if unit.split("/")[1] >= first]
        ledger.forget(Stage.SEGMENT, moved)
    create_maps(
        path,
        model.spec,
        geobox=context.geobox,
        times=dates,
        shard_px=store.shard_px,
        chunk_px=store.chunk_px,
        made_by=identity_of(model, context.config),
        n_kept_dates=n_kept,
    )


def segment_units(context: RunContext, ledger: Ledger, model: Model) -> list[WorkUnit]:
    """Return a unit for each date watched and each lease in which something was ingested."""
    config = context.config
    common = input_hash(
        cvlarray.__version__,
        model.spec.name,
        identity_of(model, config),
        config.masking.model_dump(),
    )
    ingested = Ingested.of(context, ledger, context.monitoring)
    inputs = {tile.name: dict(ingested.dates(tile)) for tile in context.tiles}
    units = []
    near: dict[str, list[str]] = {}
    for name, lease in leases(context):
        date = str(context.dates[context.monitoring.start + lease.date])
        if name not in near:
            near[name] = _tiles_near(context, lease)
        seen = [(tile, inputs[tile][date]) for tile in near[name] if date in inputs[tile]]
        if not seen:
            continue
        work = partial(segment_lease, lease, context.monitoring.start, model, config)
        n_pixels = (lease.y.stop - lease.y.start) * (lease.x.stop - lease.x.start)
        key = f"{name}/{date}"
        units.append(
            WorkUnit(
                stage=Stage.SEGMENT,
                key=key,
                input_hash=input_hash(common, seen),
                n_pixels=n_pixels,
                work=work,
                year=int(date[:4]),
                needs_gpu=config.models.device != "cpu",
            )
        )
    return units


def leases(context: RunContext) -> Iterator[tuple[str, Lease]]:
    """Yield the leases of the dates watched that have a pixel of a tile, date by date, named."""
    store, size_px = context.config.store, context.config.models.lease_px
    blocks = [
        (y, x)
        for y, x in superblocks(context.geobox.shape, shard_px=store.shard_px, size_px=size_px)
        if any(_meet(tile.y, y) and _meet(tile.x, x) for tile in context.tiles)
    ]
    for date in range(context.monitoring.stop - context.monitoring.start):
        for y, x in blocks:
            yield f"y{y.start:06d}x{x.start:06d}", Lease(y, x, date)


def segment_lease(lease: Lease, first_date: int, model: Model, config: RunConfig) -> UnitOutcome:
    """Classify what was seen of a lease, and write it."""
    workspace = workspace_of(config)
    cube = clear_pixels(first_date + lease.date, config)
    found = run_lease(cube, lease, workspace.land_cover, model, windows_of(config))
    itemsize = sum(cube[band.name].dtype.itemsize for band in model.spec.bands)
    return UnitOutcome(
        n_bytes_read=found.n_pixels * itemsize,
        n_bytes_written=found.n_bytes_written,
        detail={
            **{key: value for key, value in asdict(found).items() if key != "n_bytes_written"},
            "pixels_per_s": round(found.pixels_per_s),
        },
    )


def clear_pixels(date: int, config: RunConfig) -> xr.Dataset:
    """Return the cube's bands on a date where the ground was seen, lazily."""
    cube = open_raw(workspace_of(config).cube).isel(time=date)
    is_clear = clear_mask(cube, config)
    bands = [name for name in config.cube.bands if cube[name].dtype == np.int16]
    return xr.Dataset({name: cube[name].where(is_clear, NODATA_DN) for name in bands})


def _tiles_near(context: RunContext, lease: Lease) -> list[str]:
    """Return the names of the tiles whose pixels the lease's windows can see."""
    reach = context.config.models.window
    y, x = _widened(lease.y, reach), _widened(lease.x, reach)
    return [tile.name for tile in context.tiles if _meet(tile.y, y) and _meet(tile.x, x)]


def _meet(first: slice, second: slice) -> bool:
    return bool(first.start < second.stop and second.start < first.stop)


def _widened(along: slice, by: int) -> slice:
    return slice(along.start - by, along.stop + by)
