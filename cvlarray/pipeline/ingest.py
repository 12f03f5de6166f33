"""The ingest stage: a tile and a block of dates, from its files into the cube's shards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from cvlarray.cube import (
    Block,
    BlockLoader,
    Day,
    block_dataset,
    cube_variables,
    read_block,
)
from cvlarray.cube.block import ground
from cvlarray.grid import Tile
from cvlarray.names import SCL, Variable
from cvlarray.pipeline.context import DateBlock, RunContext
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.sensors import Scene
from cvlarray.store import Ledger, create_store, input_hash, write_region


def create_cube(context: RunContext) -> None:
    """Make the cube's store, or check that the one there is this run's; add new dates to it.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    store = context.config.store
    create_store(
        context.workspace.cube,
        geobox=context.geobox,
        times=context.dates,
        variables=cube_variables(context.scenes, context.config.cube.bands),
        shard_px=store.shard_px,
        chunk_px=store.chunk_px,
        time_shard=store.time_shard,
    )


def ingest_units(context: RunContext) -> list[WorkUnit]:
    """Return a unit for each tile and block of dates.

    Also where no scene reaches: there may be pixels of an earlier run whose scenes are gone.
    """
    bands = context.config.cube.bands
    variables = cube_variables(context.scenes, bands)
    loader = LOADERS[context.config.cube.loader]
    common = input_hash(variables, context.config.cube.loader)
    hashes = {scene.id: _scene_hash(scene, bands) for scene in context.scenes}
    units = []
    for tile in context.tiles:
        tile_ground = ground(tile.geobox)
        for block in context.date_blocks():
            days = tuple(_over(day, tile_ground) for day in block.days)
            inputs = [(day.date, [hashes[scene.id] for scene in day.scenes]) for day in days]
            cube = context.workspace.cube
            work = partial(ingest_block, cube, tile, block.time, days, variables, loader)
            n_pixels = math.prod(tile.geobox.shape) * len(days)
            key = input_hash(common, tile.geobox, inputs)
            units.append(WorkUnit(Stage.INGEST, unit_key(tile, block), key, n_pixels, work))
    return units


def unit_key(tile: Tile, block: DateBlock) -> str:
    """Return the name of a tile and block of dates, such as ``r000c001/2019-03-04``."""
    return f"{tile.name}/{block.days[0].date}"


def ingested(context: RunContext, ledger: Ledger, time: slice) -> dict[str, list[str]]:
    """Return what identifies the pixels of each tile over some dates, by the tile's name.

    Parameters
    ----------
    time
        Along the cube's time.

    Returns
    -------
    One hash for each block of dates with pixels; it tells a block apart from the same block
    with other assets unread.
    """
    rows = {row.unit: row for row in ledger.rows(Stage.INGEST)}
    blocks = [
        block
        for block in context.date_blocks()
        if block.time.start < time.stop and block.time.stop > time.start
    ]
    found = {tile.name: [unit_key(tile, block) for block in blocks] for tile in context.tiles}
    return {
        name: [input_hash(rows[key].input_hash, rows[key].detail) for key in keys if key in rows]
        for name, keys in found.items()
    }


def ingest_block(
    cube: Path,
    tile: Tile,
    time: slice,
    days: Sequence[Day],
    variables: Sequence[Variable],
    loader: BlockLoader,
) -> UnitOutcome:
    """Read some days of a tile and write them to the cube as whole shards."""
    read = loader(days, tile.geobox, variables)
    dataset = block_dataset(read, days, tile.geobox, variables)
    n_written = write_region(cube, dataset, y=tile.y, x=tile.x, time=time)
    return UnitOutcome(
        n_bytes_read=dataset.nbytes,
        n_bytes_written=n_written,
        unread=tuple(asdict(asset) for asset in read.unread),
        detail={"scl_counts": scl_counts(read, days)},
    )


def scl_counts(block: Block, days: Sequence[Day]) -> dict[str, list[int]]:
    """Return how many pixels each date has of each scene class, 0 to 11."""
    classes = block.arrays.get(SCL.name)
    if classes is None:
        return {}
    n_classes = len(SCL.attrs["flag_values"])
    return {
        str(day.date): np.bincount(layer.ravel(), minlength=n_classes)[:n_classes].tolist()
        for day, layer in zip(days, classes, strict=True)
    }


def _load_with_stackstac(
    days: Sequence[Day], geobox: GeoBox, variables: Sequence[Variable]
) -> Block:
    from cvlarray.cube import stackstac_loader  # noqa: PLC0415 (needs the extra)

    return stackstac_loader.read_block(days, geobox, variables)


LOADERS: dict[str, BlockLoader] = {"direct": read_block, "stackstac": _load_with_stackstac}


def _over(day: Day, place: BaseGeometry) -> Day:
    """Return the day with those of its scenes that may have pixels at the place."""
    return Day(day.date, tuple(s for s in day.scenes if s.footprint.intersects(place)))


def _scene_hash(scene: Scene, bands: Sequence[str]) -> str:
    """Hash what the scene's pixels depend on; a local file that was replaced counts as new."""
    assets = [scene.assets[band] for band in bands if band in scene.assets]
    return input_hash(scene.id, scene.crs, assets, [_file_version(asset.href) for asset in assets])


def _file_version(href: str) -> tuple[int, int] | None:
    if urlsplit(href).scheme not in {"", "file"}:
        return None
    try:
        status = Path(urlsplit(href).path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
