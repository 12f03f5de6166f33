"""The ingest stage: a tile and a block of dates, from its files into the cube's shards."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cvlarray.config import RunConfig
from cvlarray.cube import Day, Loader, cube_variables
from cvlarray.cube.align import Extent
from cvlarray.cube.geofile import noting_retries
from cvlarray.cube.raster import Patch, read_asset
from cvlarray.grid import Tile
from cvlarray.masking import tile_coverage
from cvlarray.names import (
    COVERAGE_VARIABLES,
    MASKED_SHARE,
    NEEDS_SAR,
    QUALITY,
    READ_STATUS,
    TILE,
    Variable,
)
from cvlarray.pipeline.context import DateBlock, RunContext
from cvlarray.pipeline.ingested import unit_key
from cvlarray.pipeline.quality import bands_to_read, quality_provider
from cvlarray.pipeline.read_tile import TilePart, TileReader
from cvlarray.pipeline.run_store import create_run_store
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.sensors import Asset, Scene
from cvlarray.store import (
    Ledger,
    LedgerRow,
    OpenRegion,
    StoreLocation,
    input_hash,
    n_shared_dates,
    open_raw,
    open_region,
)


def create_cube(context: RunContext, ledger: Ledger) -> None:
    """Make the cube's store, or check that the one there is this run's; add new dates to it.

    A date that comes late, before others that the cube holds, moves those: the blocks from there
    on are forgotten and ingested anew.

    Raises
    ------
    StoreError
        If the store there was made by another config; it names the difference.
    """
    path = context.workspace.cube
    n_kept = n_shared_dates(path, context.dates)
    if n_kept is not None:
        _forget_from(n_kept, context, ledger)
    create_run_store(
        path,
        context,
        stored_variables(context),
        times=context.dates,
        coords={TILE: [tile.name for tile in context.tiles]},
        n_kept_dates=n_kept,
    )


def _forget_from(position: int, context: RunContext, ledger: Ledger) -> None:
    """Forget the blocks that a date at a position moves."""
    start = position // context.config.cube.time_block * context.config.cube.time_block
    first = str(context.dates[start]) if start < len(context.dates) else ""
    moved = [unit for unit in ledger.hashes(Stage.INGEST) if unit.split("/")[1] >= first]
    ledger.forget(Stage.INGEST, moved)


def stored_variables(context: RunContext) -> tuple[Variable, ...]:
    """Return what the cube holds: bands, read status, quality, and each tile's coverage."""
    pixels = cube_variables(context.scenes, context.config.cube.bands)
    return *pixels, QUALITY, *COVERAGE_VARIABLES


@dataclass(frozen=True)
class IngestDay:
    """One date of a block."""

    day: Day
    identity: str
    """Hash of all that the day's pixels depend on."""
    is_stored: bool
    """The cube holds these very pixels."""
    offset: str = ""
    """What an earlier run found of the BOA offset."""


@dataclass(frozen=True)
class Ingest:
    """How a run reads and writes its blocks: the same for every unit."""

    cube: StoreLocation
    config: RunConfig
    read: TileReader
    kept: tuple[str, ...]
    """What goes into the cube: no bands that only the mask needs."""

    @classmethod
    def of(cls, context: RunContext) -> Ingest:
        """Return how a run reads."""
        config = context.config
        provider = quality_provider(config, context.scenes)
        variables = cube_variables(context.scenes, bands_to_read(config, provider))
        read = TileReader(config, variables, provider, LOADERS[config.cube.loader])
        kept = (*config.cube.bands, READ_STATUS.name, QUALITY.name)
        return cls(context.workspace.cube, config, read, kept)

    @property
    def identity(self) -> str:
        """Hash of what decides the pixels, but for the scenes and the grid."""
        config = self.config
        return input_hash(
            self.read.variables, self.kept, config.cube.loader, config.masking.model_dump()
        )

    def __call__(
        self, tile: Tile, number: int, time: slice, days: Sequence[IngestDay]
    ) -> UnitOutcome:
        """Write some days of the ``number``-th tile to the cube as whole shards.

        Those that are in the cube already are taken from there, the others are read.
        """
        coverages = [variable.name for variable in COVERAGE_VARIABLES]
        with (
            noting_retries() as retried,
            open_region(
                self.cube,
                [*self.kept, *coverages],
                y=tile.y,
                x=tile.x,
                time=time,
                tile=slice(number, number + 1),
            ) as region,
        ):
            last, n_bytes_read = self._write_pixels(region, tile, time, days)
            coverage = self._coverage(last.pixels[QUALITY.name], tile)
            region.write(coverage)
        every = [one.day for one in days]
        unread_scenes = {asset.scene_id for asset in last.unread}
        return UnitOutcome(
            n_bytes_read=n_bytes_read,
            n_bytes_written=region.n_bytes_written,
            unread=tuple(asdict(asset) for asset in last.unread),
            detail={
                "n_retried": len(retried - {asset.href for asset in last.unread}),
                "dates": {
                    str(one.day.date): one.identity
                    for one in days
                    if unread_scenes.isdisjoint(scene.id for scene in one.day.scenes)
                },
                "clear_share": _by_date(every, 1 - coverage[MASKED_SHARE.name].to_numpy()[:, 0]),
                "needs_sar": [
                    str(day.date)
                    for day, needs in zip(every, coverage[NEEDS_SAR.name].to_numpy(), strict=True)
                    if needs.item()
                ],
                "boa_offset": {
                    **{str(one.day.date): one.offset for one in days if one.offset},
                    **last.offsets,
                },
            },
        )

    def _write_pixels(
        self, region: OpenRegion, tile: Tile, time: slice, days: Sequence[IngestDay]
    ) -> tuple[TilePart, int]:
        """Write one variable after the other; return the last, quality, and how much was read."""
        old = time.start + np.flatnonzero([one.is_stored for one in days])
        stored = xr.Dataset()
        if old.size:  # a first run needn't open the store for each of its blocks
            stored = open_raw(self.cube)[list(self.kept)].isel(time=old, y=tile.y, x=tile.x)
        new = [one.day for one in days if not one.is_stored]
        parts = self.read(tile.geobox, new) if new else _parts(stored)
        n_bytes: dict[str, int] = {}
        last = TilePart(stored)
        for part in parts:
            (name,) = map(str, part.pixels.data_vars)
            n_bytes[name] = part.pixels[name].nbytes if new else 0
            if name in self.kept:
                is_mixed = bool(new and old.size)
                pixels = _in_order(stored[[name]], part.pixels) if is_mixed else part.pixels
                region.write(pixels)
                last = replace(part, pixels=pixels)
        return last, sum(n_bytes.values())

    def _coverage(self, quality: xr.DataArray, tile: Tile) -> xr.Dataset:
        """Return how much of the tile is masked on each date."""
        masking = self.config.masking
        found = tile_coverage(
            quality,
            max(quality.shape[1:]),
            flags=masking.obscuring_flags,
            max_masked_share=masking.max_masked_share,
        )
        return found.assign_coords({TILE: [tile.name]})


def ingest_units(context: RunContext, ledger: Ledger) -> Iterator[WorkUnit]:
    """Yield a unit for each tile and block of dates.

    Also where no scene reaches: there may be pixels of an earlier run whose scenes are gone.
    """
    ingest = Ingest.of(context)
    inputs = _BlockInputs.of(context, ingest)
    done = ledger.done(Stage.INGEST)
    for number, (tile, over) in enumerate(zip(context.tiles, context.days_over, strict=True)):
        n_pixels = math.prod(tile.geobox.shape)
        for block, days, identity in inputs.of_tile(over):
            key = unit_key(tile, block)
            # What is done isn't read again: of that the details needn't be looked at.
            row = None if done.get(key) == identity else ledger.row(Stage.INGEST, key)
            work = partial(ingest, tile, number, block.time, _with_stored(days, row))
            year = block.days[0].date.year
            yield WorkUnit(Stage.INGEST, key, identity, n_pixels * len(days), work, year)


def count_ingest_units(context: RunContext) -> int:
    """Return how many units `ingest_units` would yield."""
    return len(context.tiles) * sum(1 for _ in context.date_blocks())


_Block = tuple[DateBlock, tuple[IngestDay, ...], str]
"""A block of dates, its days over a tile, and the hash of all that its pixels depend on."""


@dataclass(frozen=True)
class _BlockInputs:
    """What each tile's blocks are made from; tiles under the same scenes share it."""

    common: str
    """Hash of how is read, and onto which grid."""
    hashes: Mapping[str, str]
    """Of scenes, by id."""
    blocks: Sequence[DateBlock]
    known: dict[int, list[_Block]] = field(default_factory=dict)
    """By the identity of the days over a tile, which the context keeps."""
    identities: dict[tuple[str, ...], str] = field(default_factory=dict)
    """Of days, by date and scenes."""

    @classmethod
    def of(cls, context: RunContext, ingest: Ingest) -> _BlockInputs:
        bands = [variable.name for variable in ingest.read.variables]
        common = input_hash(ingest.identity, context.geobox, context.config.grid.tile_px)
        hashes = {scene.id: scene_hash(scene, bands) for scene in context.scenes}
        return cls(common, hashes, list(context.date_blocks()))

    def of_tile(self, over: tuple[Day, ...]) -> list[_Block]:
        """Return the blocks of a tile with these days over it."""
        if id(over) not in self.known:
            self.known[id(over)] = [self._block(block, over[block.time]) for block in self.blocks]
        return self.known[id(over)]

    def _block(self, block: DateBlock, over: Sequence[Day]) -> _Block:
        days = tuple(IngestDay(day, self._identity(day), is_stored=False) for day in over)
        return block, days, input_hash(block.start, [day.identity for day in days])

    def _identity(self, day: Day) -> str:
        parts = (str(day.date), *(self.hashes[scene.id] for scene in day.scenes))
        if parts not in self.identities:
            self.identities[parts] = input_hash(self.common, *parts)
        return self.identities[parts]


def _with_stored(days: tuple[IngestDay, ...], row: LedgerRow | None) -> tuple[IngestDay, ...]:
    """Return days with what the ledger says of those that the cube holds."""
    if row is None:
        return days
    read, offsets = row.detail.get("dates", {}), row.detail.get("boa_offset", {})
    return tuple(
        replace(one, is_stored=True, offset=offsets.get(str(one.day.date), ""))
        if read.get(str(one.day.date)) == one.identity
        else one
        for one in days
    )


def _parts(stored: xr.Dataset) -> Iterator[TilePart]:
    """Yield what the cube holds, a variable at a time."""
    for name in stored.data_vars:
        yield TilePart(stored[[name]].compute(scheduler="synchronous"))


def _in_order(stored: xr.Dataset, read: xr.Dataset) -> xr.Dataset:
    """Return the days of a block from both sources."""
    both = xr.concat(
        [stored.compute(scheduler="synchronous"), read],
        "time",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
    )
    return both.sortby("time")


def _by_date(days: Sequence[Day], shares: NDArray[np.float32]) -> dict[str, float]:
    """Return the shares that are known, by date."""
    return {
        str(day.date): round(float(share), 6)
        for day, share in zip(days, shares, strict=True)
        if np.isfinite(share)
    }


def _load_with_stackstac(
    asset: Asset,
    crs: str | None,
    geobox: GeoBox,
    variable: Variable,
    layer: NDArray[Any],
    missing: Extent | None,
) -> Patch:
    from cvlarray.cube import stackstac_loader  # noqa: PLC0415 (needs the extra)

    return stackstac_loader.read_asset(asset, crs, geobox, variable, layer, missing)


LOADERS: dict[str, Loader] = {"direct": read_asset, "stackstac": _load_with_stackstac}


def scene_hash(scene: Scene, bands: Sequence[str]) -> str:
    """Hash what the scene's pixels depend on; a local file that was replaced counts as new."""
    assets = [scene.assets[band] for band in bands if band in scene.assets]
    sun = scene.sun_azimuth, scene.sun_elevation
    versions = [_file_version(asset.href) for asset in assets]
    # Their fields are plain values, whose text says all; it is made ten times as fast as the hash
    # of a dataclass, which counts over ten thousand scenes.
    return input_hash(scene.id, scene.crs, sun, [repr(asset) for asset in assets], versions)


def _file_version(href: str) -> tuple[int, int] | None:
    if urlsplit(href).scheme not in {"", "file"}:
        return None
    try:
        status = Path(urlsplit(href).path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
