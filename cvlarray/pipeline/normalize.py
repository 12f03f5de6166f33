"""The normalize stage: what scenes are off by over a tile's steady forest, recorded to be undone.

The cube keeps what was read. The corrections lie beside it, a table for each tile and period, and
are applied where its bands are read to be fitted and watched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import cvlarray
from cvlarray.baseline import fit_baseline, predict, prediction_error
from cvlarray.config import RunConfig
from cvlarray.features import bands_of
from cvlarray.grid import Tile
from cvlarray.names import GAIN, IS_CORRECTED, NODATA_DN, OFFSET_DN, QUALITY
from cvlarray.normalize import (
    apply_corrections,
    correction_table,
    fit_corrections,
    invariant_forest,
    median_reference,
)
from cvlarray.normalize.scenes import MAX_REFERENCE_PX
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.ingested import Ingested
from cvlarray.pipeline.quality import clear_mask
from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit
from cvlarray.store import Ledger, Workspace, input_hash, open_raw, write_atomic

REFERENCE_BANDS = ("red", "nir", "swir22")
"""By which steady forest is told; swir22 where the cube has it."""


def normalize_units(context: RunContext, ledger: Ledger) -> list[WorkUnit]:
    """Return a unit for each ingested tile and period; none if the run doesn't normalise.

    The reference is the history's, so new dates change nothing about those before.
    """
    config = context.config
    if not config.normalize.enabled:
        return []
    settings = config.normalize, config.masking, config.periods.history, config.baseline
    common = input_hash(cvlarray.__version__, *(part.model_dump() for part in settings))
    history = Ingested.of(context, ledger, context.history)
    units = []
    for period, time in (("history", context.history), ("monitoring", context.monitoring)):
        inputs = Ingested.of(context, ledger, time)
        for tile in filter(inputs.has, context.tiles):
            work = partial(correct_tile, tile, period, time, context.history, config)
            key = input_hash(common, history.identity(tile), inputs.identity(tile))
            n_pixels = math.prod(tile.geobox.shape) * (time.stop - time.start)
            name = f"{tile.name}/{period}"
            units.append(WorkUnit(Stage.NORMALIZE, name, key, n_pixels, work))
    return units


def prepared(context: RunContext, ledger: Ledger, time: slice) -> Ingested:
    """Return what was ingested of some dates, and by what it is corrected.

    Corrections of a date follow from its pixels and from the history's.
    """
    pixels = Ingested.of(context, ledger, time)
    if not context.config.normalize.enabled:
        return pixels
    done = ledger.done(Stage.NORMALIZE)
    references = {tile.name: done.get(f"{tile.name}/history") for tile in context.tiles}
    known = {tile: hash_ for tile, hash_ in references.items() if hash_ is not None}
    return replace(pixels, corrections=known)


def correct_tile(
    tile: Tile, period: str, time: slice, history: slice, config: RunConfig
) -> UnitOutcome:
    """Find what each scene of a period is off by over a tile, and write it down."""
    workspace = workspace_of(config)
    bands = corrected_bands(config)
    step = max(1, math.isqrt(math.prod(tile.geobox.shape) // MAX_REFERENCE_PX))
    thin = {
        dim: slice(part.start + step // 2, part.stop, step)
        for dim, part in (("y", tile.y), ("x", tile.x))
    }
    needed = list(dict.fromkeys((*bands, *_reference_bands(config))))
    cube = open_raw(workspace.cube)[[*needed, QUALITY.name]].isel(thin)
    past = cube.isel(time=history).compute(scheduler="synchronous")
    seen = cube.isel(time=time).compute(scheduler="synchronous")
    is_clear = clear_mask(past, config)
    reference = median_reference(past, is_clear, tuple(needed))
    expected, error = reference.expected[list(bands)], reference.error[list(bands)]
    if config.normalize.seasonal:
        order = config.baseline.harmonic_order
        expected, error = seasonal_reference(past[list(bands)], is_clear, seen["time"], order)
    corrections = fit_corrections(
        seen,
        clear_mask(seen, config),
        expected,
        invariant_forest(reference),
        expected_error=error,
        least_deviation=config.normalize.least_deviation,
    )
    table = correction_table(corrections).reset_index()
    content = BytesIO()
    table.to_parquet(content, index=False)
    path = _path(workspace, tile, period)
    write_atomic(path, content.getvalue())
    return UnitOutcome(
        n_bytes_read=past.nbytes + seen.nbytes,
        n_bytes_written=path.stat().st_size,
        detail={"corrected": _lines(table)},
    )


def seasonal_reference(
    past: xr.Dataset, is_clear: xr.DataArray, times: xr.DataArray, harmonic_order: int
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return what the season of each pixel expects of each band, and how surely.

    Parameters
    ----------
    past
        Bands (time, y, x) of the history, int16 DN, -32768 missing. The fit is robust: a scene that
        is off counts little.
    is_clear
        Boolean (time, y, x).
    times
        Dates that are to be judged (time).
    harmonic_order
        Annual harmonics.

    Returns
    -------
    Expected DN and its standard error, each by band (time, y, x); NaN where too little was seen.
    """
    clear = past.where(is_clear, NODATA_DN).astype(np.int16)
    features = clear.to_dataarray("feature").transpose("feature", "time", "y", "x")
    season = fit_baseline(features, harmonic_order=harmonic_order)
    expected, error = (of(season, times) for of in (predict, prediction_error))
    return expected.to_dataset("feature"), error.to_dataset("feature")


def corrected(cube: xr.Dataset, tile: Tile, config: RunConfig) -> xr.Dataset:
    """Return some dates of a tile with what the normalize stage found taken off, lazily."""
    if not config.normalize.enabled:
        return cube
    paths = [_path(workspace_of(config), tile, one) for one in ("history", "monitoring")]
    table = pd.concat([pd.read_parquet(path) for path in paths if path.exists()])
    bands = [name for name in table["band"].unique() if name in cube.data_vars]
    found = table.set_index(["band", "time"]).to_xarray()
    wanted = found[[GAIN.name, OFFSET_DN.name]].sel(band=bands, time=cube.indexes["time"])
    return apply_corrections(cube, wanted.astype(np.float32))


def corrected_bands(config: RunConfig) -> tuple[str, ...]:
    """Return the bands that the watched features are made of."""
    return bands_of(config.baseline.features, config.cube.bands)


def _reference_bands(config: RunConfig) -> Sequence[str]:
    return [name for name in REFERENCE_BANDS if name in config.cube.bands]


def _path(workspace: Workspace, tile: Tile, period: str) -> Path:
    return workspace.corrections / f"{tile.name}_{period}.parquet"


def _lines(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return what is corrected, for the ledger."""
    return [
        {
            "date": f"{row['time']:%Y-%m-%d}",
            "band": row["band"],
            GAIN.name: round(float(row[GAIN.name]), 5),
            OFFSET_DN.name: round(float(row[OFFSET_DN.name]), 2),
        }
        for _, row in table[table[IS_CORRECTED.name]].iterrows()
    ]
