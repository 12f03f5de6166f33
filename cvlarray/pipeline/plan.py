"""What a run will read, store and need, before anything is computed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cvlarray.config import LocalCluster, RunConfig, Threads
from cvlarray.cube import cube_variables
from cvlarray.features import bands_of
from cvlarray.names import BASELINE_VARIABLES, DETECTION_VARIABLES
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.execute import missing_units
from cvlarray.pipeline.ingest import ingest_units
from cvlarray.pipeline.search import find_context
from cvlarray.pipeline.source_bytes import source_bytes
from cvlarray.pipeline.units import Stage
from cvlarray.store import Ledger, Workspace

STORED_PER_SOURCE_BYTE = 1.25
"""Bytes in the cube's blosc-lz4 shards per byte of the same pixels in deflated COGs."""

STORED_SHARE = {"coefficients": 0.93, "sigma": 0.9, "n_valid": 0.3}
"""What compression leaves of the baseline; floats hardly shrink."""

DETECTION_BYTES_PER_PIXEL = 1.5
"""Most pixels never change: counts of clear observations are nearly all there is to store."""

BASE_BYTES = 330e6
"""A worker that has imported everything and done nothing."""


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
    """Bytes on disk of the three stores."""
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


def make_plan(config: RunConfig) -> Plan:
    """Predict a run; asks the catalogue if this workspace hasn't yet, and saves nothing.

    Raises
    ------
    SearchError
        If the catalogue can't be read or holds nothing for the run.
    """
    context = find_context(config, Workspace(config.workspace))
    units = ingest_units(context)
    per_tile = dict.fromkeys((Stage.BASELINE, Stage.MONITOR), len(context.tiles))
    whole = dict.fromkeys((Stage.SEARCH, Stage.ALERTS, Stage.REPORT), 1)
    counts = {Stage.INGEST: len(units), **per_tile, **whole}
    done = dict.fromkeys(Stage, 0)
    if context.workspace.ledger.exists():
        with Ledger(context.workspace.ledger) as ledger:
            done = {stage: len(ledger.done(stage)) for stage in Stage}
            n_missing = len(missing_units(units, ledger, Stage.INGEST))
            done[Stage.INGEST] = len(units) - n_missing
    n_read = source_bytes(context)
    return Plan(
        name=config.name,
        n_items=len(context.scenes),
        n_dates=len(context.days),
        n_tiles=len(context.tiles),
        tile_px=config.grid.tile_px,
        n_pixels=math.prod(context.geobox.shape),
        n_units={stage: counts[stage] for stage in Stage},
        n_units_done=done,
        n_bytes_to_read=round(n_read),
        n_bytes_to_store=round(_stored_bytes(context, n_read)),
        peak_worker_bytes=round(_peak_bytes(context)),
    )


def _stored_bytes(context: RunContext, n_read: float) -> float:
    """Return what the three stores will take."""
    n_pixels = math.prod(context.geobox.shape)
    config = context.config.baseline
    n_coefficients = 2 + 2 * config.harmonic_order
    per_feature = sum(
        STORED_SHARE[variable.name]
        * np.dtype(variable.dtype).itemsize
        * (n_coefficients if "coefficient" in variable.dims else 1)
        for variable in BASELINE_VARIABLES
    )
    baseline = n_pixels * len(config.features) * per_feature
    return n_read * STORED_PER_SOURCE_BYTE + baseline + n_pixels * DETECTION_BYTES_PER_PIXEL


def _peak_bytes(context: RunContext) -> float:
    """Return the base plus what the largest units hold that run at the same time."""
    largest = max(_ingest_bytes(context), _baseline_bytes(context), _monitor_bytes(context))
    return BASE_BYTES + _threads_of_a_worker(context.config) * largest


def _ingest_bytes(context: RunContext) -> float:
    """Return what a unit of ingest holds: its block, and the copy of a shard being encoded."""
    variables = cube_variables(context.scenes, context.config.cube.bands)
    itemsizes = [np.dtype(variable.dtype).itemsize for variable in variables]
    store = context.config.store
    n_dates = min(context.config.cube.time_block, len(context.days))
    shard = store.time_shard * store.shard_px**2 * max(itemsizes)
    return _tile_pixels(context) * n_dates * sum(itemsizes) + shard


def _baseline_bytes(context: RunContext) -> float:
    n_dates = context.history.stop - context.history.start
    return _strip_bytes(context, n_dates) + _model_bytes(context)


def _monitor_bytes(context: RunContext) -> float:
    n_dates = context.monitoring.stop - context.monitoring.start
    record = sum(np.dtype(variable.dtype).itemsize for variable in DETECTION_VARIABLES)
    return _strip_bytes(context, n_dates) + _tile_pixels(context) * record


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
    n_values = 4 + 2 * context.config.baseline.harmonic_order
    n_features = len(context.config.baseline.features)
    return 2 * _tile_pixels(context) * n_features * n_values * 4


def _tile_pixels(context: RunContext) -> int:
    return math.prod(context.tiles[0].geobox.shape)


def _threads_of_a_worker(config: RunConfig) -> int:
    """Return how many units a worker process runs at once."""
    if isinstance(config.cluster, Threads):
        return config.cluster.n_threads or os.cpu_count() or 1
    if isinstance(config.cluster, LocalCluster):
        return config.cluster.threads_per_worker or 1
    return 1
