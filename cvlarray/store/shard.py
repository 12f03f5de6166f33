"""A Zarr v3 shard as bytes, encoded and decoded in the calling thread.

zarr-python sends every inner chunk through its event loop and a thread pool of its own: 2.7 times
the CPU of the compression alone, 3.4 times that of the decompression, and more threads than the
worker was given. The format is short
(https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed): the compressed chunks one
after the other, then their offsets and lengths, then the CRC-32C of those.

Blosc itself starts no threads either: zarr-python, imported by `metadata`, switches them off.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc

_EMPTY = np.uint64(2**64 - 1)
_CRC_SIZE = 4

# Sizes of the data, of a block and of the buffer, after four bytes of flags:
# https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
_BLOSC_HEADER = struct.Struct("<4xIII")


class DamagedShardError(Exception):
    """Bytes that are no shard of this format; the message says what is wrong with the file."""


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

    @property
    def chunk_counts(self) -> tuple[int, ...]:
        """Inner chunks along each dimension of a shard."""
        return tuple(s // c for s, c in zip(self.shard, self.chunk, strict=True))

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """The dtype of the bytes on disk."""
        return self.dtype.newbyteorder("<")

    @property
    def footer_size(self) -> int:
        """Bytes of the index and its checksum at the end of a shard."""
        return math.prod(self.chunk_counts) * 2 * _EMPTY.itemsize + _CRC_SIZE


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
    counts = shard_format.chunk_counts
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
    dtype = shard_format.stored_dtype
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
    return data, _checksum(data)


def _checksum(data: bytes) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(_CRC_SIZE, "little")


@dataclass(frozen=True)
class ShardIndex:
    """Where the inner chunks of a shard lie in its file."""

    entries: np.ndarray[Any, Any]
    """Offset and length of each chunk [bytes] (*chunk_counts, 2), uint64."""
    data_size: int
    """Bytes of the file before the index."""

    def span(self, position: tuple[int, ...]) -> tuple[int, int] | None:
        """Return the offset and length of a chunk in bytes, or None if it is all fill.

        Raises
        ------
        DamagedShardError
            If the file ends before the chunk does.
        """
        if (self.entries[position] == _EMPTY).all():
            return None
        offset, length = self.entries[position].tolist()
        if offset + length > self.data_size:
            raise DamagedShardError(
                f"chunk {position} ends at byte {offset + length}, the data at {self.data_size}"
            )
        return offset, length


def decode_index(footer: bytes, data_size: int, shard_format: ShardFormat) -> ShardIndex:
    """Decode the last `footer_size` bytes of a shard, and check them.

    Parameters
    ----------
    footer
        The index and its CRC-32C.
    data_size
        Bytes of the file before them.
    shard_format
        Shapes, dtype, fill value and compression.

    Raises
    ------
    DamagedShardError
        If it is too short, or the checksum is that of other bytes.
    """
    if len(footer) != shard_format.footer_size:
        raise DamagedShardError(
            f"its index takes {shard_format.footer_size} bytes, the file has {len(footer)}"
        )
    data, checksum = footer[:-_CRC_SIZE], footer[-_CRC_SIZE:]
    if _checksum(data) != checksum:
        raise DamagedShardError("the checksum of its index is wrong")
    entries = np.frombuffer(data, "<u8").reshape(*shard_format.chunk_counts, 2)
    return ShardIndex(entries, data_size)


def decode_chunk(encoded: memoryview, shard_format: ShardFormat, out: np.ndarray[Any, Any]) -> None:
    """Decode an inner chunk. The GIL is released meanwhile.

    Parameters
    ----------
    encoded
        The chunk's bytes.
    shard_format
        Shapes, dtype, fill value and compression.
    out
        Takes the values; contiguous, of the shape of a chunk and the dtype `stored_dtype`.

    Raises
    ------
    DamagedShardError
        If they are not the bytes of such a chunk. Blosc has no checksum: another value can't be
        told from the one that was written.
    """
    # Blosc believes its header, and would read or write beyond the buffers.
    sizes = _BLOSC_HEADER.unpack_from(encoded) if len(encoded) >= _BLOSC_HEADER.size else (0, 0, 0)
    if (sizes[0], sizes[2]) != (out.nbytes, len(encoded)):
        raise DamagedShardError("a chunk has another size than its header says")
    try:
        shard_format.codec.decode(encoded, out)
    except RuntimeError as error:
        raise DamagedShardError(f"a chunk can't be decoded: {error}") from error
