"""Polygons of any number, written to a file as they are found."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.kernels.wkb import polygons_to_wkb
from cvlarray.store import replacing
from cvlarray.vectorize.merging import Patches
from cvlarray.vectorize.polygons import (
    Connectivity,
    drop_small,
    patch_polygons,
    raster_chunks,
    raster_geobox,
    read_block,
    split_touching,
    trace_patches,
)

__all__ = ["patch_wkb", "write_polygons"]

SCHEMA_VERSION = "1.1.0"


def write_polygons(
    values: xr.DataArray,
    path: Path,
    *,
    connectivity: Connectivity = 4,
    min_pixels: int = 1,
    max_workers: int = 1,
) -> int:
    """Write patches of equal values as polygons to a GeoParquet file, as if `vectorize` had.

    Neither the raster nor the polygons are ever in memory as a whole: polygons are written as soon
    as no further block can add to them. Their order therefore depends on the blocks.

    Parameters
    ----------
    values, connectivity, min_pixels, max_workers
        As for `cvlarray.vectorize.vectorize`.
    path
        File to write or replace, whole or not at all.

    Returns
    -------
    The number of polygons. The file has the columns ``value``, ``n_pixels`` and ``geometry`` (WKB)
    in the CRS of the grid.

    Raises
    ------
    StoreError
        If the file can't be written; the old one is as it was.
    ValueError, TypeError
        As `cvlarray.vectorize.vectorize`.
    """
    geobox = raster_geobox(values)
    batches = trace_patches(
        partial(read_block, values),
        raster_chunks(values),
        connectivity=connectivity,
        max_workers=max_workers,
    )
    encode = partial(_valid_wkb if connectivity == 8 else patch_wkb, transform=geobox.affine)
    schema = _schema(geobox, connectivity)
    n_polygons = 0
    with replacing(path) as temporary, _open(temporary, schema) as file:
        for patches in (drop_small(batch, min_pixels) for batch in batches):
            columns = [pa.array(patches.values), pa.array(patches.n_pixels), encode(patches)]
            file.write_table(pa.table(columns, schema=schema))
            n_polygons += patches.values.size
    return n_polygons


def _open(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file without a dictionary or statistics of geometries, which cost memory only."""
    return pq.ParquetWriter(
        path, schema, use_dictionary=["value"], write_statistics=["value", "n_pixels"]
    )


def patch_wkb(patches: Patches, transform: Affine) -> pa.LargeBinaryArray:
    """Return patches as WKB polygons, the same as of `patch_polygons` but without a detour.

    Parameters
    ----------
    patches
        Rings on the vertex grid.
    transform
        From (column, row) of vertices to coordinates.
    """
    if transform.b or transform.d:  # rotated: a vertex's x isn't its column's
        return pa.array(shapely.to_wkb(patch_polygons(patches, transform)), pa.large_binary())
    last_row, last_col = patches.points.max(axis=0, initial=0).tolist()
    wkb, offsets = polygons_to_wkb(
        patches.points,
        patches.ring_offsets,
        patches.polygon_offsets,
        _coordinate_bytes(transform.a, transform.c, last_col),
        _coordinate_bytes(transform.e, transform.f, last_row),
    )
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(wkb)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), offsets.size - 1, buffers)


def _coordinate_bytes(step: float, origin: float, last: int) -> npt.NDArray[np.uint8]:
    """Return the bytes (n, 8) of the coordinates of rows or columns 0 to ``last``."""
    coordinates = step * np.arange(last + 1) + origin
    return coordinates.astype("<f8").view(np.uint8).reshape(-1, 8)


def _valid_wkb(patches: Patches, transform: Affine) -> pa.LargeBinaryArray:
    """Return 8-connected patches, with multipolygons where a ring touches itself."""
    polygons = split_touching(patch_polygons(patches, transform))
    return pa.array(shapely.to_wkb(polygons), pa.large_binary())


def _schema(geobox: GeoBox, connectivity: Connectivity) -> pa.Schema:
    """Return the columns, and GeoParquet's description of them."""
    types = ["Polygon"] if connectivity == 4 else ["Polygon", "MultiPolygon"]
    column = {
        "encoding": "WKB",
        "geometry_types": types,
        "crs": geobox.crs.proj.to_json_dict() if geobox.crs else None,
        "bbox": list(geobox.boundingbox.bbox),
    }
    geo = {"version": SCHEMA_VERSION, "primary_column": "geometry", "columns": {"geometry": column}}
    return pa.schema(
        [("value", pa.int32()), ("n_pixels", pa.int64()), ("geometry", pa.large_binary())],
        metadata={"geo": json.dumps(geo)},
    )
