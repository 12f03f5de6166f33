"""What a run fits and watches of a tile, and how it fits it."""

from __future__ import annotations

import datetime as dt

import xarray as xr

from cvlarray.baseline import fit_baseline, stable_history
from cvlarray.config import RunConfig
from cvlarray.features import bands_of, feature_cube
from cvlarray.grid import Tile
from cvlarray.names import QUALITY
from cvlarray.pipeline.normalize import corrected
from cvlarray.pipeline.quality import clear_mask
from cvlarray.store import StoreLocation, open_raw


def fit_season(
    features: xr.DataArray,
    first: dt.date,
    last: dt.date,
    config: RunConfig,
    prior: xr.Dataset | None,
) -> xr.Dataset:
    """Return the seasons of a history as the run fits them, lazily."""
    significance = config.baseline.stable_history_significance
    if significance is not None:
        features = stable_history(features, significance=significance)
    return fit_baseline(
        features,
        history=slice(str(first), str(last)),
        harmonic_order=config.baseline.harmonic_order,
        min_observations=config.baseline.min_observations,
        prior=prior,
    )


def read_features(cube: StoreLocation, tile: Tile, time: slice, config: RunConfig) -> xr.DataArray:
    """Return the watched features of a tile, lazily, in strips that fit into memory."""
    strips = {"time": -1, "y": config.store.chunk_px, "x": tile.x.stop - tile.x.start}
    bands = bands_of(config.baseline.features, config.cube.bands)
    raw = open_raw(cube, chunks=strips)[[*bands, QUALITY.name]]
    seen = raw.isel(time=time, y=tile.y, x=tile.x)
    seen = corrected(seen, tile, config)
    return feature_cube(seen, clear_mask(seen, config), config.baseline.features)
