"""All files of a new Zarr v3 store: its metadata and coordinates, none of its pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

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
    coords: Mapping[str, Sequence[str]],
) -> xr.Dataset:
    """Return the store without its pixels: its coordinates, with CF's and GeoZarr's attributes.

    Parameters
    ----------
    geobox
        Grid of the pixels.
    times
        datetime64[s] (time), None for a store without time.
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
    return xr.Dataset(coords=labels, attrs={"Conventions": "CF-1.11", **_geozarr(geobox)})


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


def _one_pixel(variable: Variable) -> xr.Variable:
    """Return a variable's attributes with a single value, its fill, which isn't written."""
    on_grid = {"grid_mapping": "spatial_ref"} if variable.dims[-2:] == ("y", "x") else {}
    attrs = {**variable.attrs, **on_grid}
    if variable.fill_value is not None:
        attrs["_FillValue"] = variable.fill_value
    value = np.full([1] * len(variable.dims), variable.fill_value or 0, variable.dtype)
    return xr.Variable(variable.dims, value, attrs)


def _encoding(
    template: xr.Dataset,
    variables: Sequence[Variable],
    shard: Mapping[str, int],
    chunk: Mapping[str, int],
) -> dict[str, dict[str, Any]]:
    """Return how each variable is cut and compressed; dims other than time, y, x are whole."""
    compressor = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
    whole = {str(dim): size for dim, size in template.sizes.items()}
    return {
        variable.name: {
            "shards": tuple((whole | dict(shard))[dim] for dim in variable.dims),
            "chunks": tuple((whole | dict(chunk))[dim] for dim in variable.dims),
            "compressors": (compressor,),
            "fill_value": 0 if variable.fill_value is None else variable.fill_value,
        }
        for variable in variables
    }


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
        What the store holds.
    shard, chunk
        Length of a shard and of an inner chunk along each dimension that is split.
    is_consolidated
        Whether the root gets a copy of the arrays' metadata.
    """
    time = {"time": _TIME_ENCODING} if "time" in template.coords else {}
    # As variables: xarray would name coordinates that no variable uses in an attribute of the root.
    files = _written(template.reset_coords(), time)
    root = files.pop("zarr.json")
    arrays = _array_metadata(template, variables, _encoding(template, variables, shard, chunk))
    files |= {f"{name}/zarr.json": to_json(metadata) for name, metadata in arrays.items()}
    if is_consolidated:
        names = [*arrays, *map(str, template.variables)]
        members = {name: json.loads(files[f"{name}/zarr.json"]) for name in names}
        root = to_json(consolidated(json.loads(root), members))
    return {**files, "zarr.json": root}


def _array_metadata(
    template: xr.Dataset,
    variables: Sequence[Variable],
    encoding: dict[str, dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return the metadata of each variable as xarray writes them.

    Of arrays of one pixel, whose shape is then made the store's: lazy ones of the full shape would
    cost a dozen times as much, in tokens of Dask that nobody asks for.
    """
    scalars = {name: coord for name, coord in template.coords.items() if not coord.dims}
    data = {variable.name: _one_pixel(variable) for variable in variables}
    files = _written(xr.Dataset(data, coords=scalars), encoding)
    found = {}
    for variable in variables:
        metadata = json.loads(files[f"{variable.name}/zarr.json"])
        metadata["shape"] = [template.sizes[dim] for dim in variable.dims]
        found[variable.name] = metadata
    return found


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
