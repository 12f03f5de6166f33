"""Make a Zarr v3 store: all of its metadata and coordinates, none of its pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from cvlarray.errors import StoreError
from cvlarray.names import TILE, Variable
from cvlarray.store.append import WAYS_OUT, add_times
from cvlarray.store.fingerprint import differences
from cvlarray.store.location import StoreLocation, place_of
from cvlarray.store.metadata import FINGERPRINT, read_metadata
from cvlarray.store.place import Place
from cvlarray.store.template import store_template, template_files

_LAYOUT_VERSION = 1


def create_store(  # noqa: PLR0913 - the whole layout in one call, each part by its name
    path: StoreLocation,
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
    n_kept_dates: int | None = None,
) -> None:
    """Make a store, or make sure that the one there is the same.

    A store that is there already keeps its pixels. If its dates are the first of `times`, the
    others are added to it; a shard that was not full along time must then be written again.
    Leftovers of killed writers are removed, so nobody else may write to the store meanwhile.

    Parameters
    ----------
    path
        Folder of the store, or another place.
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
    n_kept_dates
        How many of the first dates of a store that is there must be those of `times`; all by
        default. What is stored of the others becomes meaningless and must be written again.

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

    place = place_of(path)
    place.clean()
    if place.exists():
        _check_identity(place, identity)
        if seconds is not None:
            add_times(place, seconds, n_kept_dates)
        return
    template = store_template(geobox, seconds, coords)
    template.attrs |= {**attrs, FINGERPRINT: json.dumps(identity)}
    place.create(template_files(template, variables, shard, chunk, place.is_consolidated))


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


def _check_identity(place: Place, identity: Mapping[str, Any]) -> None:
    if found := differences(read_metadata(place).fingerprint, identity):
        raise StoreError(
            f"{place} was made for another run: {'; '.join(found)}. " + WAYS_OUT.format(place)
        )
