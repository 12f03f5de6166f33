"""What a store holds: its arrays, coordinates and fingerprint."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import zarr
from numcodecs.blosc import BITSHUFFLE, NOSHUFFLE, SHUFFLE, Blosc
from zarr.codecs import BloscCodec

from cvlarray.errors import StoreError
from cvlarray.store.location import StoreLocation, place_of
from cvlarray.store.place import Place
from cvlarray.store.shard import ShardFormat

FINGERPRINT = "cvlarray_fingerprint"
"""Root attribute with the JSON of what the store was made for."""

_SHUFFLE = {"noshuffle": NOSHUFFLE, "shuffle": SHUFFLE, "bitshuffle": BITSHUFFLE}


@dataclass(frozen=True)
class StoredArray:
    """One data variable of a store."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    format: ShardFormat

    @property
    def shard(self) -> dict[str, int]:
        """Length of a shard along each dimension."""
        return dict(zip(self.dims, self.format.shard, strict=True))


@dataclass(frozen=True)
class StoreMetadata:
    """All of a store but its values."""

    arrays: Mapping[str, StoredArray]
    coords: Mapping[str, np.ndarray[Any, Any]]
    """Values along each dimension; ``time`` as datetime64[s]."""
    names: tuple[str, ...]
    """Of all arrays, coordinates among them."""
    fingerprint: Mapping[str, Any]
    version: Hashable
    """Changes when the metadata do, or the store is replaced; the same for every process."""


def read_metadata(location: StoreLocation) -> StoreMetadata:
    """Read what a store holds; kept in memory until the store's metadata changes.

    Raises
    ------
    StoreError
        If there is no store that `create_store` has made.
    """
    place = place_of(location)
    try:
        state = place.state()
        return _read(place, state)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{place} is not a Zarr v3 store: {error}; run the stage that makes it"
        ) from error


# The state makes a store that was extended or replaced another entry.
@lru_cache(maxsize=8)
def _read(place: Place, state: Hashable) -> StoreMetadata:
    root = json.loads(place.read("zarr.json"))
    if FINGERPRINT not in root.get("attributes", {}):
        raise StoreError(f"{place} is a Zarr store of another program; choose another path")
    group = zarr.open_group(
        place.zarr_store(), mode="r", use_consolidated=place.is_consolidated or None
    )
    members = dict(group.arrays())
    arrays = {name: _stored(name, array) for name, array in members.items() if array.shards}
    dims = {dim for array in arrays.values() for dim in array.dims}
    coords = {dim: np.asarray(members[dim][...]) for dim in dims & members.keys()}
    if "time" in coords:
        coords["time"] = coords["time"].astype("datetime64[s]")
    fingerprint = json.loads(str(group.attrs[FINGERPRINT]))
    return StoreMetadata(arrays, coords, tuple(members), fingerprint, state)


def _stored(name: str, array: zarr.Array[Any]) -> StoredArray:
    dims = tuple(str(dim) for dim in getattr(array.metadata, "dimension_names", None) or ())
    (compressor,) = array.compressors
    if not isinstance(compressor, BloscCodec) or array.shards is None:
        raise StoreError(f"{array.store_path} is not a sharded array compressed with blosc")
    codec = Blosc(
        cname=compressor.cname.value,
        clevel=compressor.clevel,
        shuffle=_SHUFFLE[compressor.shuffle.value],
        blocksize=compressor.blocksize,
        typesize=compressor.typesize,
    )
    fill_value = array.dtype.type(array.fill_value)
    shard_format = ShardFormat(array.shards, array.chunks, array.dtype, fill_value, codec)
    return StoredArray(name, dims, array.shape, shard_format)


def consolidated(root: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    """Return a root's metadata with a copy of its arrays'.

    zarr-python's own function does the same, and warns that the Zarr v3 specification does not
    mention it yet; readers that don't know it read the arrays' own metadata, which is equal.
    """
    inline = {"kind": "inline", "must_understand": False, "metadata": dict(members)}
    return {**root, "consolidated_metadata": inline}


def to_json(content: Mapping[str, Any]) -> bytes:
    """Return a JSON object as the content of a file."""
    return json.dumps(content, indent=2, ensure_ascii=False).encode()
