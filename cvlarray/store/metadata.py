"""What a store on disk holds: its arrays, coordinates and fingerprint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs.blosc import BITSHUFFLE, NOSHUFFLE, SHUFFLE, Blosc
from zarr.codecs import BloscCodec

from cvlarray.errors import StoreError
from cvlarray.store.atomic import write_atomic
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
    fingerprint: Mapping[str, Any]
    version: tuple[int, ...]
    """Changes when the metadata do, or the store is replaced; the same for every process."""


def read_metadata(path: Path) -> StoreMetadata:
    """Read what a store holds; kept in memory until the store's metadata changes.

    Raises
    ------
    StoreError
        If `path` is not a store that `create_store` has made.
    """
    root = path / "zarr.json"
    try:
        stat = root.stat()
        if FINGERPRINT not in read_json(root).get("attributes", {}):
            raise StoreError(f"{path} is a Zarr store of another program; choose another path")
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} is not a Zarr v3 store: {error}; run the stage that makes it"
        ) from error
    return _read(path, (stat.st_ino, stat.st_mtime_ns, stat.st_size))


# The version makes a store that was extended or replaced another entry.
@lru_cache(maxsize=8)
def _read(path: Path, version: tuple[int, ...]) -> StoreMetadata:
    group = zarr.open_group(path, mode="r", use_consolidated=True)
    members = dict(group.arrays())
    arrays = {name: _stored(name, array) for name, array in members.items() if array.shards}
    dims = {dim for array in arrays.values() for dim in array.dims}
    coords = {dim: np.asarray(members[dim][...]) for dim in dims & members.keys()}
    if "time" in coords:
        coords["time"] = coords["time"].astype("datetime64[s]")
    return StoreMetadata(arrays, coords, json.loads(str(group.attrs[FINGERPRINT])), version)


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


def consolidate(path: Path, names: list[str]) -> None:
    """Copy the metadata of the named arrays into the root, in one atomic write.

    zarr-python's own function does the same, and warns that the Zarr v3 specification does not
    mention it yet; readers that don't know it read the arrays' own metadata, which is equal.
    """
    root = read_json(path / "zarr.json")
    members = {name: read_json(path / name / "zarr.json") for name in names}
    inline = {"kind": "inline", "must_understand": False, "metadata": members}
    write_json(path / "zarr.json", {**root, "consolidated_metadata": inline})


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file by a JSON object, atomically."""
    write_atomic(path, json.dumps(content, indent=2, ensure_ascii=False))
