"""Make a Zarr v3 store: all of its metadata and coordinates, none of its pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from zarr.codecs import BloscCodec

from cvlarray.errors import StoreError
from cvlarray.names import TILE, Variable
from cvlarray.store.atomic import remove_leftovers, replacing, sync_tree
from cvlarray.store.fingerprint import differences
from cvlarray.store.metadata import FINGERPRINT, consolidate, read_json, read_metadata, write_json

_LAYOUT_VERSION = 1
_TIME_UNITS = "seconds since 1970-01-01"
# Fixed, so that dates can be added without writing the earlier ones anew.
_TIME_CHUNK = 1024

# Units whose rows outlive their data would count as done.
_WAYS_OUT = "Give this run a workspace of its own, or delete {} and the ledger to make both anew"


def create_store(  # noqa: PLR0913 - the whole layout in one call, each part by its name
    path: Path,
    *,
    geobox: GeoBox,
    times: npt.ArrayLike | None,
    variables: Sequence[Variable],
    shard_px: int,
    chunk_px: int,
    time_shard: int,
    coords: Mapping[str, Sequence[str]] | None = None,
    attrs: Mapping[str, Any] | None = None,
    fingerprint: Mapping[str, Any] | None = None,
) -> None:
    """Make a store, or make sure that the one there is the same.

    A store that is there already keeps its pixels. If its dates are the first of `times`, the
    others are added to it; a shard that was not full along time must then be written again.
    Leftovers of killed writers are removed, so nobody else may write to the store meanwhile.

    Parameters
    ----------
    path
        Folder of the store.
    geobox
        Grid of the pixels, north up.
    times
        Dates (time), increasing, whole seconds; None for a store without time.
    variables
        What the store holds. Dims are ``time``, ``y``, ``x`` and those of `coords`; either the last
        two are y and x, or the last is ``tile``.
    shard_px, chunk_px
        Edge of a shard (one file, written whole) and of an inner chunk (read alone) in pixels;
        `shard_px` is a multiple of `chunk_px`.
    time_shard
        Dates in a shard and in an inner chunk.
    coords
        Names along each further dimension, which is never split; but ``tile`` has a shard for each,
        as work is done by tiles.
    attrs
        Attributes that readers need to understand the pixels, as JSON; part of the fingerprint.
    fingerprint
        What the pixels depend on, as JSON; the layout itself is added to it.

    Raises
    ------
    StoreError
        If the store there was made for something else, or can't be written.
    ValueError
        If the layout doesn't fit together.
    """
    coords = coords or {}
    seconds = None if times is None else _whole_seconds(times)
    shard = {"time": time_shard, "y": shard_px, "x": shard_px}
    chunk = {"time": time_shard, "y": chunk_px, "x": chunk_px}
    if TILE in coords:
        shard, chunk = shard | {TILE: 1}, chunk | {TILE: 1}
    _check_layout(geobox, variables, coords, seconds, shard, chunk)
    layout = _identity(geobox, variables, coords, shard, chunk)
    attrs = attrs or {}
    identity = _as_json({"has_time": seconds is not None, **layout, **attrs, **(fingerprint or {})})

    remove_leftovers(path)
    if path.exists():
        _check_identity(path, identity)
        if seconds is not None:
            _add_times(path, seconds)
        return
    template = _template(geobox, seconds, variables, coords)
    template.attrs = {**attrs, "Conventions": "CF-1.11", FINGERPRINT: json.dumps(identity)}
    _write_template(path, template, _encoding(template, variables, shard, chunk))


def _whole_seconds(times: npt.ArrayLike) -> np.ndarray[Any, Any]:
    given = np.asarray(times, dtype="datetime64[ns]")
    seconds = given.astype("datetime64[s]")
    if given.ndim != 1 or np.isnat(given).any() or (np.diff(given) <= np.timedelta64(0)).any():
        raise ValueError("times of a store must be one increasing series of dates without NaT")
    if (seconds != given).any():
        raise ValueError(
            f"times of a store must be whole seconds, got {given[seconds != given][0]}"
        )
    return seconds


def _check_layout(
    geobox: GeoBox,
    variables: Sequence[Variable],
    coords: Mapping[str, Sequence[str]],
    times: np.ndarray[Any, Any] | None,
    shard: Mapping[str, int],
    chunk: Mapping[str, int],
) -> None:
    if geobox.crs is None or not geobox.axis_aligned:
        raise ValueError(f"a store needs a grid with a CRS and no rotation, got {geobox}")
    for dim, length in shard.items():
        if not 0 < chunk[dim] <= length or length % chunk[dim]:
            raise ValueError(
                f"a shard must be a multiple of its chunks, got {length} and {chunk[dim]} in {dim}"
            )
    known = {"y", "x", *coords, *(() if times is None else ("time",))}
    for variable in variables:
        if variable.dims[-2:] != ("y", "x") and variable.dims[-1:] != (TILE,):
            raise ValueError(f"{variable.name} must end in dims y, x or tile, got {variable.dims}")
        if unknown := set(variable.dims) - known:
            raise ValueError(
                f"{variable.name} has dims {variable.dims}, but the store has no values along "
                f"{sorted(unknown)}; pass them as times or coords"
            )


def _identity(
    geobox: GeoBox,
    variables: Sequence[Variable],
    coords: Mapping[str, Sequence[str]],
    shard: Mapping[str, int],
    chunk: Mapping[str, int],
) -> dict[str, Any]:
    """Return the layout's own part of the fingerprint. Dates are compared on their own."""
    return {
        "layout_version": _LAYOUT_VERSION,
        "crs": str(geobox.crs),
        "transform": list(geobox.affine[:6]),
        "shape": list(geobox.shape),
        "shard": dict(shard),
        "chunk": dict(chunk),
        "coords": {name: list(values) for name, values in coords.items()},
        "variables": {variable.name: _variable_identity(variable) for variable in variables},
    }


def _variable_identity(variable: Variable) -> dict[str, Any]:
    meaning = ("scale_factor", "add_offset", "units")
    return {
        "dims": list(variable.dims),
        "dtype": variable.dtype,
        "fill_value": None if variable.fill_value is None else str(variable.fill_value),
        **{key: variable.attrs[key] for key in meaning if key in variable.attrs},
    }


def _as_json(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fingerprint as it will be read back."""
    try:
        content: dict[str, Any] = json.loads(json.dumps(fingerprint, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the fingerprint of a store must be JSON: {error}") from error
    return content


def _template(
    geobox: GeoBox,
    times: np.ndarray[Any, Any] | None,
    variables: Sequence[Variable],
    coords: Mapping[str, Sequence[str]],
) -> xr.Dataset:
    """Return the store as a lazy Dataset of raw values, with its CF attributes."""
    labels: dict[str, xr.Variable] = _grid_coords(geobox)
    if times is not None:
        attrs = {"standard_name": "time", "long_name": "solar day", "axis": "T"}
        labels["time"] = xr.Variable("time", times.astype("datetime64[ns]"), attrs)
    for dim, names in coords.items():
        # NumPy's fixed-width strings have no Zarr v3 specification; variable-length ones do.
        labels[dim] = xr.Variable(dim, np.asarray(names, dtype=object))
    sizes = {dim: label.size for dim, label in labels.items()}
    data = {variable.name: _empty(variable, sizes) for variable in variables}
    return xr.Dataset(data, coords=labels)


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
        encoding["time"] = {"units": _TIME_UNITS, "dtype": "int64", "chunks": (_TIME_CHUNK,)}
    return encoding


def _write_template(path: Path, template: xr.Dataset, encoding: dict[str, dict[str, Any]]) -> None:
    with replacing(path) as temporary:
        template.to_zarr(
            temporary,
            compute=False,  # coordinates are written, pixels are not
            consolidated=False,
            encoding=encoding,
            mode="w-",
            zarr_format=3,
        )
        consolidate(temporary, [str(name) for name in template.variables])


def _check_identity(path: Path, identity: Mapping[str, Any]) -> None:
    if found := differences(read_metadata(path).fingerprint, identity):
        raise StoreError(
            f"{path} was made for another run: {'; '.join(found)}. " + _WAYS_OUT.format(path)
        )


def _add_times(path: Path, times: np.ndarray[Any, Any]) -> None:
    """Make the store's dates `times`, which may only go on after its last date."""
    stored = read_metadata(path).coords["time"]
    shared = min(len(stored), len(times))
    same = int(np.argmin(np.append(stored[:shared] == times[:shared], False)))
    if same < len(stored):
        found = _date(times[same]) if same < len(times) else "no more dates"
        raise StoreError(
            f"{path} holds {_date(stored[same])} as date {same + 1} of {len(stored)}, this run has "
            f"{found}: dates can only be added after the last, {_date(stored[-1])}. "
            + _WAYS_OUT.format(path)
        )
    if len(times) > len(stored):
        _extend(path, times)


def _date(time: np.datetime64) -> str:
    return str(time).removesuffix("T00:00:00")


def _extend(path: Path, times: np.ndarray[Any, Any]) -> None:
    """Lengthen the time dimension.

    Readers go by the root's copy of the metadata, so the dates appear with the last write, all at
    once; a crash before leaves the store as it was, and the next call starts over.
    """
    root = read_json(path / "zarr.json")
    names = list(root["consolidated_metadata"]["metadata"])
    for name in names:
        _resize_time(path / name / "zarr.json", len(times))
    zarr.open_array(path / "time", mode="r+")[:] = times.astype("int64")
    sync_tree(path / "time")
    consolidate(path, names)


def _resize_time(path: Path, length: int) -> None:
    metadata = read_json(path)
    dims = metadata.get("dimension_names") or []  # spatial_ref has none
    if "time" in dims:
        metadata["shape"][dims.index("time")] = length
        write_json(path, metadata)
