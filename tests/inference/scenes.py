"""A stored cube for the tests of leases."""

from __future__ import annotations

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.names import NODATA_DN, band
from cvlarray.store import create_store, open_raw, write_region

BANDS = ("green", "red", "nir", "swir16", "swir22")
GRID = GeoBox((160, 224), Affine(10, 0, 500_010, 0, -10, 8_600_030), "EPSG:32719")
DATES = np.array(["2025-01-03", "2025-01-08"], "datetime64[s]")
SHARD_PX, CHUNK_PX = 32, 16


def write_cube(path, seed=0):
    """Write two dates: the second half empty, some pixels missing everywhere."""
    create_store(
        path,
        geobox=GRID,
        times=DATES,
        variables=[band(name, name) for name in BANDS],
        shard_px=SHARD_PX,
        chunk_px=CHUNK_PX,
        time_shard=2,
    )
    random = np.random.default_rng(seed)
    shape = len(DATES), *GRID.shape
    bands = random.integers(200, 6000, (len(BANDS), *shape), dtype=np.int16)
    bands[:, random.random(shape) < 0.05] = NODATA_DN
    bands[:, 1, :, 100:] = NODATA_DN
    layers = {name: (("time", "y", "x"), layer) for name, layer in zip(BANDS, bands, strict=True)}
    write_region(path, xr.Dataset(layers), y=slice(0, 160), x=slice(0, 224), time=slice(0, 2))


def one_date(path, date):
    """Return a date of the cube, lazily."""
    return open_raw(path).isel(time=date)
