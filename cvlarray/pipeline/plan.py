"""What a run will read, store and need, before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cvlarray.config import RadarConfig, RunConfig, Threads
from cvlarray.features import bands_of
from cvlarray.kernels.season import coefficient_names, moment_names
from cvlarray.names import READ_STATUS
from cvlarray.pipeline.context import RunContext, threads_of_a_worker, workspace_of
from cvlarray.pipeline.execute import to_do
from cvlarray.pipeline.ingest import Ingest, count_ingest_units, ingest_units
from cvlarray.pipeline.lease_memory import lease_bytes, model_bytes
from cvlarray.pipeline.models import land_cover_model
from cvlarray.pipeline.radar import POLARISATIONS
from cvlarray.pipeline.search import find_context
from cvlarray.pipeline.segment import leases
from cvlarray.pipeline.source_bytes import source_bytes
from cvlarray.pipeline.state import state_bytes
from cvlarray.pipeline.stored_bytes import changes_bytes, stored_bytes
from cvlarray.pipeline.units import Stage
from cvlarray.radar.departure import AROUND_PX, CHANNELS
from cvlarray.store import Ledger

PROCESS_BYTES = 600e6
"""A process that does it all, from the search to the report, on next to no pixels."""

WORKER_BYTES = 480e6
"""A worker process that does the tiled stages only."""


@dataclass(frozen=True)
class Plan:
    """A run's size."""

    name: str
    n_items: int
    n_dates: int
    n_tiles: int
    tile_px: int
    n_pixels: int
    """Of the grid, one date."""
    n_units: Mapping[Stage, int]
    """Tasks of each stage."""
    n_units_done: Mapping[Stage, int]
    """Of these, how many the ledger knows as done."""
    n_bytes_to_read: int
    """Compressed bytes of the source files' blocks."""
    n_bytes_to_store: int
    """Bytes on disk of the four stores."""
    peak_worker_bytes: int
    """Resident memory of one worker process at its largest."""

    @property
    def n_tasks(self) -> int:
        """Tasks of all stages."""
        return sum(self.n_units.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            **asdict(self),
            "n_units": {str(stage): n for stage, n in self.n_units.items()},
            "n_units_done": {str(stage): n for stage, n in self.n_units_done.items()},
            "n_tasks": self.n_tasks,
        }


def make_plan(config: RunConfig, *, last: Stage = Stage.REPORT) -> Plan:
    """Predict a run; asks the catalogue if this workspace hasn't yet, and saves nothing.

    Parameters
    ----------
    config
        What to run.
    last
        Last stage; that of a reanalysis is `Stage.ANNUAL`.

    Raises
    ------
    SearchError
        If the catalogue can't be read or holds nothing for the run.
    """
    context = find_context(config, workspace_of(config))
    per_tile = dict.fromkeys((Stage.BASELINE, Stage.MONITOR), len(context.tiles))
    whole = dict.fromkeys((Stage.ALERTS, Stage.REPORT), 1)
    models = config.models
    by_radar = 0 if models.radar is None else len(context.tiles)
    n_corrected = 2 * len(context.tiles) if config.normalize.enabled else 0
    counts = {
        Stage.SEARCH: 1 + (models.radar is not None),
        Stage.INGEST: count_ingest_units(context),
        Stage.NORMALIZE: n_corrected,
        Stage.PRIOR: int(config.baseline.regional_prior),
        Stage.SEGMENT: sum(1 for _ in leases(context)) if models.land_cover else 0,
        Stage.RADAR: by_radar,
        Stage.FUSE: by_radar if models.land_cover else 0,
        **per_tile,
        **whole,
    }
    looks_back = last in {Stage.CHANGES, Stage.ANNUAL}
    counts[Stage.CHANGES] = len(context.tiles) if looks_back else 0
    counts[Stage.ANNUAL] = int(last is Stage.ANNUAL)
    done = dict.fromkeys(Stage, 0)
    if context.workspace.ledger.exists():
        with Ledger(context.workspace.ledger) as ledger:
            done = {stage: len(ledger.done(stage)) for stage in Stage}
            if done[Stage.INGEST]:
                missing, n_units = to_do(ingest_units(context, ledger), ledger, Stage.INGEST)
                done[Stage.INGEST] = n_units - len(missing)
    return Plan(
        name=config.name,
        n_items=len(context.scenes),
        n_dates=len(context.days),
        n_tiles=len(context.tiles),
        tile_px=config.grid.tile_px,
        n_pixels=math.prod(context.geobox.shape),
        n_units={stage: counts[stage] for stage in Stage},
        n_units_done=done,
        n_bytes_to_read=round(source_bytes(context)),
        n_bytes_to_store=round(stored_bytes(context) + looks_back * changes_bytes(context)),
        peak_worker_bytes=round(_peak_bytes(context)),
    )


REVISIT_DAYS = 12
"""Between dates of one orbit of one satellite of Sentinel-1."""

N_MASK_ARRAYS = 3
"""Bytes a pixel while a mask is worked out: flags before and after, and where they change."""


def _peak_bytes(context: RunContext) -> float:
    """Return the base plus what the units hold that run at the same time, of the largest stage."""
    n_threads = threads_of_a_worker(context.config)
    n_tiles = min(n_threads, len(context.tiles))
    largest = max(
        min(n_threads, count_ingest_units(context)) * _ingest_bytes(context),
        n_tiles * _baseline_bytes(context),
        n_tiles * _monitor_bytes(context),
    )
    model = land_cover_model(context.config)
    if model is not None:
        n_leases = min(n_threads, sum(1 for _ in leases(context)))
        lease = model_bytes(context.config) + n_leases * lease_bytes(context, model)
        largest = max(largest, lease)
    radar = context.config.models.radar
    if radar is not None:
        largest = max(largest, n_tiles * _radar_bytes(context, radar))
    does_all = isinstance(context.config.cluster, Threads)
    return (PROCESS_BYTES if does_all else WORKER_BYTES) + largest


def _ingest_bytes(context: RunContext) -> float:
    """Return what a unit of ingest holds: a band, what its mask needs, a shard being encoded.

    Where a file is broken it holds its tile in all bands, which is rare.
    """
    read = Ingest.of(context).read
    itemsizes = {variable.name: np.dtype(variable.dtype).itemsize for variable in read.variables}
    of_mask = sum(itemsizes[name] for name in (*read.provider.bands, READ_STATUS.name))
    store = context.config.store
    n_dates = min(context.config.cube.time_block, len(context.days))
    shard = store.time_shard * store.shard_px**2 * max(itemsizes.values())
    buffers = sum(np.dtype(dtype).itemsize for dtype in {v.dtype for v in read.variables})
    held = of_mask + max(buffers, N_MASK_ARRAYS)
    return _tile_pixels(context) * n_dates * held + shard


def _baseline_bytes(context: RunContext) -> float:
    n_dates = context.history.stop - context.history.start
    return _strip_bytes(context, n_dates) + _model_bytes(context)


def _monitor_bytes(context: RunContext) -> float:
    """Return a tile's state, before and after, and a block of dates as features."""
    n_dates = min(context.config.cube.time_block, context.monitoring.stop)
    n_features = len(context.config.baseline.features)
    features = 2 * 2 * n_features * n_dates
    of_pixel = features + 3 * state_bytes(context.config)
    return _strip_bytes(context, n_dates) + float(_tile_pixels(context) * of_pixel)


def _radar_bytes(context: RunContext, radar: RadarConfig) -> float:
    """Return what a unit of radar holds of an orbit, with the border that is read with the tile.

    Its dates of two polarisations are there as read and in dB, those watched as departures too.
    """
    period = context.config.periods.monitoring
    n_watched = (period.end - period.start).days / REVISIT_DAYS
    n_dates = radar.history_days / REVISIT_DAYS + n_watched
    side = math.isqrt(_tile_pixels(context)) + 2 * AROUND_PX
    return side**2 * 4 * (len(POLARISATIONS) * 2 * n_dates + (len(CHANNELS) + 3) * n_watched)


def _strip_bytes(context: RunContext, n_dates: int) -> float:
    """Return bands, mask and features of the strip of a tile that is computed at once."""
    config = context.config
    height, width = context.tiles[0].geobox.shape
    n_bands = len(bands_of(config.baseline.features, config.cube.bands))
    n_features = len(config.baseline.features)
    per_pixel = 2 * n_bands + 2 + 2 * 2 * n_features
    return min(height, config.store.chunk_px) * width * n_dates * per_pixel


def _model_bytes(context: RunContext) -> float:
    """Return the models of a tile, once as computed and once as they are written."""
    order = context.config.baseline.harmonic_order
    n_of_feature = len(coefficient_names(order)) + 2
    n_values = len(context.config.baseline.features) * n_of_feature + len(moment_names(order))
    return 2 * _tile_pixels(context) * n_values * 4


def _tile_pixels(context: RunContext) -> int:
    return math.prod(context.tiles[0].geobox.shape)
