"""Polygons written while they are found, against those of `vectorize`."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from cvlarray.vectorize import (
    Connectivity,
    patch_polygons,
    patch_wkb,
    trace_patches,
    vectorize,
    write_polygons,
)

# odc-geo multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

NORTH_UP = Affine(10, 0, 300_000, 0, -10, 8_600_000)
DEGREES = Affine(0.00025, 0, -70.3, 0, -0.00025, -12.1)
ROTATED = Affine(3, 4, 100, 4, -3, 50)


def raster(
    values: np.ndarray, transform: Affine = NORTH_UP, crs: str = "EPSG:32719"
) -> xr.DataArray:
    geobox = GeoBox(values.shape, transform, crs)
    return xr.DataArray(values, dims=("y", "x"), coords=xr_coords(geobox))


def noise(size: int = 60) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 4, (size, size), np.uint8)


@settings(max_examples=50)
@given(
    values=arrays(
        np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)
    ),
    transform=st.sampled_from([NORTH_UP, DEGREES, ROTATED]),
)
def test_wkb_is_that_of_shapely(values: np.ndarray, transform: Affine) -> None:
    for patches in trace_patches(lambda y, x: values[y, x], ([values.shape[0]], [values.shape[1]])):
        expected = shapely.to_wkb(patch_polygons(patches, transform))
        assert patch_wkb(patches, transform).to_pylist() == list(expected)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("chunk", [13, 60])
def test_the_file_has_the_polygons_of_the_table(
    tmp_path: Path, connectivity: Connectivity, chunk: int
) -> None:
    path = tmp_path / "polygons.parquet"
    expected = vectorize(raster(noise()), connectivity=connectivity)
    n_written = write_polygons(
        raster(noise()).chunk(y=chunk, x=chunk), path, connectivity=connectivity, max_workers=2
    )
    found = gpd.read_parquet(path)
    assert n_written == len(found) == len(expected)
    assert found.crs == expected.crs
    keys = [
        sorted(zip(table["value"], table["n_pixels"], table.geometry.to_wkb(), strict=True))
        for table in (found, expected)
    ]
    assert keys[0] == keys[1]


def test_rows_are_written_as_blocks_are_done(tmp_path: Path) -> None:
    path = tmp_path / "polygons.parquet"
    write_polygons(raster(noise()).chunk(y=20, x=60), path)
    assert pq.ParquetFile(path).num_row_groups == 3


def test_small_patches_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "polygons.parquet"
    write_polygons(raster(noise()), path, min_pixels=5)
    assert gpd.read_parquet(path)["n_pixels"].min() == 5


def test_nothing_gives_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "polygons.parquet"
    assert write_polygons(raster(np.zeros((5, 5), np.uint8)), path) == 0
    found = gpd.read_parquet(path)
    assert found.empty
    assert found.crs == "EPSG:32719"


def test_a_raster_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "polygons.parquet"
    write_polygons(raster(noise()), path)
    before = path.read_bytes()
    broken = raster(noise().astype(float))
    with pytest.raises(TypeError, match="must be integers"):
        write_polygons(broken, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["polygons.parquet"]
