"""The same cube built by us, by our peers, and the bare decoding of its pixels."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import dask
import numpy as np
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from zarr.codecs import BloscCodec

from benchmarks.cubes_scenes import BANDS, EPSG, FOLDER, granules, grid, scenes
from benchmarks.worker import Work
from cvlarray.cube import block_dataset, cube_variables, group_by_day, read_bands, times
from cvlarray.grid import tiles
from cvlarray.sensors import Scene, read_item
from cvlarray.store import create_store, open_region

SIZE = 1024, 1536
LARGE = 2048, 2560
SHIFT_PX = 200
"""By how much the misaligned grid lies off the files' blocks."""
TILE_PX, SHARD_PX, CHUNK_PX, N_DATES = 1024, 512, 128, 24
HOT = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")


def aligned(size: tuple[int, int] = SIZE) -> GeoBox:
    """Return the grid that starts where blocks do."""
    return grid(*size)


def misaligned() -> GeoBox:
    """Return a grid within it that starts elsewhere."""
    return grid(*SIZE)[SHIFT_PX:-56, SHIFT_PX:-56]


def decode(geobox: GeoBox, items: Sequence[dict[str, Any]]) -> None:
    """Read the windows that the cube needs, the overlap once, in one thread."""
    for item in items:
        is_second = item["id"].split("_")[1].endswith("G")
        for band in BANDS:
            with rasterio.open(item["assets"][band]["href"]) as source:
                source.read(1, window=needed(source, geobox, is_second))


def needed(source: rasterio.DatasetReader, geobox: GeoBox, is_second: bool) -> Window:
    """Return the window of a file under the grid, without what the first granule covers."""
    first = granules(SIZE[1])[0]
    left = max(geobox.affine.c, CORNER_X + 10 * first.stop) if is_second else geobox.affine.c
    right = geobox.affine.c + 10 * geobox.shape[1]
    top, bottom = geobox.affine.f, geobox.affine.f - 10 * geobox.shape[0]
    (row0, col0), (row1, col1) = (
        source.index(x + 1, y - 1) for x, y in ((left, top), (right - 2, bottom + 2))
    )
    rows = slice(max(0, row0), min(source.height, row1 + 1))
    cols = slice(max(0, col0), min(source.width, col1 + 1))
    return Window.from_slices(rows, cols)


CORNER_X = grid(1, 1).affine.c


def fresh(name: str) -> Path:
    """Return a path where nothing is: an earlier store is put aside, and goes with the process.

    Removing a store is no part of building the next.
    """
    path = FOLDER / name
    if path.exists():
        path.rename(Path(_put_aside()) / f"{time.monotonic_ns()}")
    return path


@cache
def _put_aside() -> str:
    folder = tempfile.mkdtemp(dir=FOLDER)
    atexit.register(shutil.rmtree, folder)
    return folder


def units(
    path: Path,
    geobox: GeoBox,
    items: Sequence[dict[str, Any]],
    time_shard: int = N_DATES,
    tile_px: int = TILE_PX,
) -> Iterator[Callable[[], None]]:
    """Make the store; yield what reads and writes each tile."""
    read: list[Scene] = [read_item(item) for item in items]
    days, variables = group_by_day(read), cube_variables(read, BANDS)
    create_store(
        path,
        geobox=geobox,
        times=times(days),
        variables=variables,
        shard_px=SHARD_PX,
        chunk_px=CHUNK_PX,
        time_shard=time_shard,
    )
    for tile in tiles(geobox, tile_px):
        yield partial(_build_tile, path, tile, days, variables)


def _build_tile(path: Path, tile: Any, days: Any, variables: Any) -> None:
    names = [variable.name for variable in variables]
    known = dict(zip(names, variables, strict=True))
    with open_region(path, names, y=tile.y, x=tile.x, time=slice(0, len(days))) as region:
        for block in read_bands(days, tile.geobox, variables):
            (name,) = block.arrays
            region.write(block_dataset(block, days, tile.geobox, [known[name]]))


def build(geobox: GeoBox, items: Sequence[dict[str, Any]], **layout: int) -> None:
    """Build our cube in this thread."""
    for unit in units(fresh("ours.zarr"), geobox, items, **layout):
        unit()


def build_in_threads(n_threads: int, tile_px: int) -> None:
    """Build the large cube in threads."""
    work = units(fresh("large.zarr"), aligned(LARGE), scenes(*LARGE), tile_px=tile_px)
    with ThreadPoolExecutor(n_threads) as pool:
        for done in [pool.submit(unit) for unit in work]:
            done.result()


def odc_stac(geobox: GeoBox, items: Sequence[dict[str, Any]]) -> None:
    """Build with odc-stac, a chunk a date: the quickest of its ways."""
    import odc.stac
    import pystac

    cube = odc.stac.load(
        [pystac.Item.from_dict(item) for item in items],
        bands=BANDS,
        geobox=geobox,
        groupby="solar_day",
        resampling="nearest",
        dtype="uint16",
        chunks={"y": -1, "x": -1},
    )
    _store(cube, fresh("odc.zarr"))


def stackstac_mosaic(geobox: GeoBox, items: Sequence[dict[str, Any]], **options: Any) -> None:
    """Build with stackstac in its own way: chunks of 512 pixels, and a mosaic of each date.

    What its documentation has for a mosaic, with its defaults (float64, rescaled), unless the
    options say otherwise; the grid and where its pixels lie are the cube's.
    """
    import stackstac

    known = [{**item, "properties": {**item["properties"], "proj:epsg": EPSG}} for item in items]
    box = geobox.boundingbox
    stack = stackstac.stack(
        known,
        assets=list(BANDS),
        epsg=EPSG,
        resolution=10,
        bounds=(box.left, box.bottom, box.right, box.top),
        snap_bounds=False,
        chunksize=SHARD_PX,
        xy_coords="center",
        **options,
    )
    mosaic = stack.groupby("time").map(stackstac.mosaic, nodata=options.get("fill_value", np.nan))
    bands = [mosaic.sel(band=name, drop=True).rename(name) for name in BANDS]
    kept = [band.drop_vars(set(band.coords) - {"time", "y", "x"}) for band in bands]
    _store(xr.merge(kept), fresh("stackstac.zarr"))


def stackstac_in_dn(geobox: GeoBox, items: Sequence[dict[str, Any]]) -> None:
    """Build with stackstac in DN, which takes a quarter of the memory and reads the same pixels."""
    options = {"dtype": np.dtype("uint16"), "fill_value": np.uint16(0), "rescale": False}
    stackstac_mosaic(geobox, items, **options)


def _store(cube: xr.Dataset, path: Path) -> None:
    plain = cube.drop_attrs().drop_encoding()
    chunks = (1, SHARD_PX, SHARD_PX)
    encoding = {name: {"chunks": chunks, "compressors": (HOT,)} for name in plain.data_vars}
    with dask.config.set(scheduler="synchronous"):
        plain.to_zarr(path, mode="w", encoding=encoding, zarr_format=3, consolidated=False)


def _side(work: Callable[..., None], geobox: GeoBox, **options: int) -> Work:
    return partial(work, geobox, scenes(*SIZE), **options), 1


def decode_aligned() -> Work:
    """Decode the aligned windows."""
    return _side(decode, aligned())


def decode_misaligned() -> Work:
    """Decode the misaligned windows."""
    return _side(decode, misaligned())


def build_aligned() -> Work:
    """Build the aligned cube."""
    return _side(build, aligned())


def build_misaligned() -> Work:
    """Build the misaligned cube."""
    return _side(build, misaligned())


def build_date_by_date() -> Work:
    """Build the aligned cube in shards of one date."""
    return _side(build, aligned(), time_shard=1)


def build_stackstac() -> Work:
    """Build the aligned cube with stackstac."""
    return _side(stackstac_mosaic, aligned())


def build_stackstac_in_dn() -> Work:
    """Build the aligned cube with stackstac in DN."""
    return _side(stackstac_in_dn, aligned())


def build_odc_stac() -> Work:
    """Build the aligned cube with odc-stac."""
    return _side(odc_stac, aligned())


if __name__ == "__main__":
    build_in_threads(*map(int, sys.argv[1:]))
