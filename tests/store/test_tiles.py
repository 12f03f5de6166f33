"""What is known of a tile as a whole: a shard for each tile, written beside its pixels."""

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.errors import StoreError
from cvlarray.names import COVERAGE_VARIABLES, QUALITY, TILE
from cvlarray.store import create_store, open_raw, write_region

GRID = GeoBox((64, 64), Affine(10, 0, 400_000, 0, -10, 8_600_000), "EPSG:32719")
NAMES = ["r000c000", "r000c001"]
DAYS = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")


def create(path, n_dates):
    create_store(
        path, geobox=GRID, times=DAYS[:n_dates], variables=(QUALITY, *COVERAGE_VARIABLES),
        shard_px=32, chunk_px=16, time_shard=4, coords={TILE: NAMES},
    )  # fmt: skip


def coverage(shares, name):
    shares = np.array(shares, np.float32)[:, None]
    values = {"masked_share": (("time", TILE), shares), "needs_sar": (("time", TILE), shares > 0.6)}
    return xr.Dataset(values, coords={TILE: [name]})


WHERE = {"y": slice(0, 64), "x": slice(0, 32)}


def test_tiles_are_written_alone_and_dates_added(tmp_path):
    path = tmp_path / "cube.zarr"
    create(path, 3)
    write_region(path, coverage([0.1, 0.7, 0.2], NAMES[1]), **WHERE, tile=slice(1, 2))
    create(path, 5)
    later = {"time": slice(4, 5), "tile": slice(1, 2)}
    write_region(path, coverage([0.9], NAMES[1]), **WHERE, **later)
    found = open_raw(path)
    np.testing.assert_allclose(found["masked_share"][:, 1], [0.1, 0.7, 0.2, np.nan, 0.9], rtol=1e-6)
    np.testing.assert_array_equal(found["needs_sar"][:, 1], [False, True, False, False, True])
    assert found["masked_share"][:, 0].isnull().all()
    plain = xr.open_zarr(path)
    assert plain["tile"].to_numpy().tolist() == NAMES
    assert "grid_mapping" not in plain["needs_sar"].attrs
    assert "grid_mapping" in {**plain["quality"].attrs, **plain["quality"].encoding}


def test_values_of_another_tile_are_refused(tmp_path):
    path = tmp_path / "cube.zarr"
    create(path, 4)
    with pytest.raises(StoreError, match="tile of the region is r000c000"):
        write_region(path, coverage([0.1] * 4, NAMES[1]), **WHERE, tile=slice(0, 1))
