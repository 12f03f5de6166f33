"""All files of a new Zarr v3 store: its metadata and coordinates, none of its pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from zarr.codecs import BloscCodec
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from cvlarray.names import Variable
from cvlarray.store.metadata import consolidated, to_json

_TIME_UNITS = "seconds since 1970-01-01"
# Fixed, so that dates can be added without writing the earlier ones anew.
_TIME_CHUNK = 1024
_TIME_ENCODING = {"units": _TIME_UNITS, "dtype": "int64", "chunks": (_TIME_CHUNK,)}

_CONVENTIONS = [
    {
        "schema_url": f"https://raw.githubusercontent.com/zarr-conventions/{repository}/refs/tags/v1/schema.json",
        "spec_url": f"https://github.com/zarr-conventions/{repository}/blob/v1/README.md",
        "uuid": uuid,
        "name": name,
        "description": description,
    }
    for repository, uuid, name, description in (
        (
            "geo-proj",
            "f17cb550-5864-4468-aeb7-f3180cfb622f",
            "proj:",
            "Coordinate reference system information for geospatial data",
        ),
        (
            "spatial",
            "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
            "spatial:",
            "Spatial coordinate information",
        ),
    )
]
"""Of GeoZarr: https://github.com/zarr-conventions, registered as their README asks."""


def store_template(
    geobox: GeoBox,
    times: np.ndarray[Any, Any] | None,
    variables: Sequence[Variable],
    coords: Mapping[str, Sequence[str]],
) -> xr.Dataset:
    """Return the store as a lazy Dataset of raw values, with CF's and GeoZarr's attributes.

    Parameters
    ----------
    geobox
        Grid of the pixels.
    times
        datetime64[s] (time), None for a store without time.
    variables
        What the store holds.
    coords
        Names along each further dimension.
    """
    labels: dict[str, xr.Variable] = _grid_coords(geobox)
    if times is not None:
        attrs = {"standard_name": "time", "long_name": "solar day", "axis": "T"}
        labels["time"] = xr.Variable("time", times.astype("datetime64[ns]"), attrs)
    for dim, names in coords.items():
        # NumPy's fixed-width strings have no Zarr v3 specification; variable-length ones do.
        labels[dim] = xr.Variable(dim, np.asarray(names, dtype=object))
    sizes = {dim: label.size for dim, label in labels.items()}
    data = {variable.name: _empty(variable, sizes) for variable in variables}
    attrs = {"Conventions": "CF-1.11", **_geozarr(geobox)}
    return xr.Dataset(data, coords=labels, attrs=attrs)


def _geozarr(geobox: GeoBox) -> dict[str, Any]:
    """Return the grid as the conventions ``proj:`` and ``spatial:`` have it."""
    crs = geobox.crs
    code = crs.to_epsg() if crs is not None else None
    where = {"proj:code": f"EPSG:{code}"} if code else {"proj:wkt2": crs and crs.to_wkt()}
    return {
        "zarr_conventions": _CONVENTIONS,
        **where,
        "spatial:dimensions": ["y", "x"],
        "spatial:transform_type": "affine",
        "spatial:transform": list(geobox.affine[:6]),
        "spatial:bbox": list(geobox.boundingbox.bbox),
        "spatial:shape": list(geobox.shape),
        "spatial:registration": "pixel",
    }


def _grid_coords(geobox: GeoBox) -> dict[str, xr.Variable]:
    """Return y, x (pixel centres) and spatial_ref with CF names."""
    found = {str(name): coord.variable for name, coord in xr_coords(geobox).items()}
    for dim, name in zip(("y", "x"), geobox.dimensions, strict=True):
        coord = found.pop(name)
        attrs = {
            "standard_name": f"projection_{dim}_coordinate" if name == dim else name,
            "long_name": f"{name} of the pixel's centre",
            "units": coord.attrs["units"],
            "axis": dim.upper(),
        }
        # CF: a coordinate has no missing values.
        found[dim] = xr.Variable(dim, coord.values, attrs, {"_FillValue": None})
    return found


def _empty(variable: Variable, sizes: Mapping[str, int]) -> xr.Variable:
    on_grid = {"grid_mapping": "spatial_ref"} if variable.dims[-2:] == ("y", "x") else {}
    attrs = {**variable.attrs, **on_grid}
    if variable.fill_value is not None:
        attrs["_FillValue"] = variable.fill_value
    shape = tuple(sizes[dim] for dim in variable.dims)
    return xr.Variable(variable.dims, da.zeros(shape, dtype=variable.dtype, chunks=-1), attrs)


def _encoding(
    template: xr.Dataset,
    variables: Sequence[Variable],
    shard: Mapping[str, int],
    chunk: Mapping[str, int],
) -> dict[str, dict[str, Any]]:
    """Return how each variable is cut and compressed; dims other than time, y, x are whole."""
    compressor = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
    whole = {str(dim): size for dim, size in template.sizes.items()}
    encoding: dict[str, dict[str, Any]] = {
        variable.name: {
            "shards": tuple((whole | dict(shard))[dim] for dim in variable.dims),
            "chunks": tuple((whole | dict(chunk))[dim] for dim in variable.dims),
            "compressors": (compressor,),
            "fill_value": 0 if variable.fill_value is None else variable.fill_value,
        }
        for variable in variables
    }
    if "time" in template.coords:
        encoding["time"] = _TIME_ENCODING
    return encoding


def template_files(
    template: xr.Dataset,
    variables: Sequence[Variable],
    shard: Mapping[str, int],
    chunk: Mapping[str, int],
    is_consolidated: bool,
) -> dict[str, bytes]:
    """Return the files of a store by their keys, the root's metadata last.

    Parameters
    ----------
    template
        From `store_template`.
    variables
        What it was made of.
    shard, chunk
        Length of a shard and of an inner chunk along each dimension that is split.
    is_consolidated
        Whether the root gets a copy of the arrays' metadata.
    """
    files = _written(template, _encoding(template, variables, shard, chunk))
    root = files.pop("zarr.json")
    if is_consolidated:
        members = {str(name): json.loads(files[f"{name}/zarr.json"]) for name in template.variables}
        root = to_json(consolidated(json.loads(root), members))
    return {**files, "zarr.json": root}


def time_files(times: np.ndarray[Any, Any]) -> dict[str, bytes]:
    """Return the files of a store's dates, by their keys.

    Parameters
    ----------
    times
        datetime64[s] (time).
    """
    coord = xr.Variable("time", times.astype("datetime64[ns]"))
    files = _written(xr.Dataset(coords={"time": coord}), {"time": _TIME_ENCODING})
    return {key: content for key, content in files.items() if key.startswith("time/c/")}


def _written(dataset: xr.Dataset, encoding: dict[str, dict[str, Any]]) -> dict[str, bytes]:
    """Return what xarray writes of a Dataset: coordinates, and of pixels the metadata only."""
    written: dict[str, Buffer] = {}
    dataset.to_zarr(
        MemoryStore(written),
        compute=False,
        consolidated=False,
        encoding=encoding,
        mode="w-",
        zarr_format=3,
    )
    return {key: content.to_bytes() for key, content in written.items()}
