"""A Zarr v3 shard as bytes, encoded in the calling thread.

zarr-python sends every inner chunk through its event loop and a thread pool of its own: 2.7 times
the CPU of the compression alone, and more threads than the worker was given. The format is short
(https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed): the compressed chunks one
after the other, then their offsets and lengths, then the CRC-32C of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc

_EMPTY = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class ShardFormat:
    """How the shards of one array are encoded."""

    shard: tuple[int, ...]
    """Shape of a shard in elements."""
    chunk: tuple[int, ...]
    """Shape of an inner chunk; divides `shard`."""
    dtype: np.dtype[Any]
    fill_value: np.generic[Any]
    """Value of what is not written: chunks of nothing else are left out."""
    codec: Blosc


def encode_shard(block: np.ndarray[Any, Any], shard_format: ShardFormat) -> list[bytes]:
    """Encode one shard.

    Parameters
    ----------
    block
        The shard's values; smaller than the shard where the array ends within it.
    shard_format
        Shapes, dtype, fill value and compression.

    Returns
    -------
    The parts of the file in their order; none if every value is the fill value.
    """
    counts = tuple(s // c for s, c in zip(shard_format.shard, shard_format.chunk, strict=True))
    index = np.full((*counts, 2), _EMPTY, dtype="<u8")
    parts: list[bytes] = []
    offset = 0
    for position in np.ndindex(*counts):
        chunk = _chunk(block, position, shard_format)
        if chunk is None:
            continue
        encoded = shard_format.codec.encode(chunk)
        index[position] = offset, len(encoded)
        offset += len(encoded)
        parts.append(encoded)
    return [*parts, *_footer(index)] if parts else []


def _chunk(
    block: np.ndarray[Any, Any], position: tuple[int, ...], shard_format: ShardFormat
) -> np.ndarray[Any, Any] | None:
    """Return an inner chunk, contiguous and padded to its full shape, or None if all fill."""
    shape = shard_format.chunk
    window = tuple(slice(p * c, (p + 1) * c) for p, c in zip(position, shape, strict=True))
    values = block[window]
    if values.size == 0 or _is_fill(values, shard_format.fill_value):
        return None
    dtype = shard_format.dtype.newbyteorder("<")
    if values.shape == shape:
        return np.ascontiguousarray(values, dtype=dtype)
    padded = np.full(shape, shard_format.fill_value, dtype=dtype)
    padded[tuple(map(slice, values.shape))] = values
    return padded


def _is_fill(values: np.ndarray[Any, Any], fill_value: np.generic[Any]) -> bool:
    """Compare bits, so that NaN equals NaN and -0.0 is kept."""
    bits = np.dtype(f"u{fill_value.dtype.itemsize}")
    fill = fill_value.view(bits)
    values = values.view(bits)
    # One pixel of each date settles it for nearly every chunk.
    return bool(np.all(values[..., 0, 0] == fill) and np.all(values == fill))


def _footer(index: np.ndarray[Any, Any]) -> tuple[bytes, bytes]:
    data = index.tobytes()
    return data, int(google_crc32c.value(data)).to_bytes(4, "little")
