"""Any window of a stored array, read in the calling thread: only the inner chunks it touches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from cvlarray.errors import StoreError
from cvlarray.store.shard import (
    DamagedShardError,
    ShardFormat,
    ShardIndex,
    decode_chunk,
    decode_index,
)

Window = tuple[slice, ...]
"""Start and stop along each dimension, in elements; no steps."""


def read_window(
    folder: Path, shard_format: ShardFormat, window: Sequence[slice]
) -> np.ndarray[Any, Any]:
    """Read a part of an array.

    Each shard is opened once, so its values are of one moment though a writer may replace it; of
    its chunks only those are read and decoded that have an element in the window.

    Parameters
    ----------
    folder
        Folder of the array within its store.
    shard_format
        Shapes, dtype, fill value and compression of its shards.
    window
        Start and stop along each dimension, within the array.

    Returns
    -------
    The values; the fill value where nothing was written.

    Raises
    ------
    StoreError
        If a shard is damaged or can't be read, or the array is gone.
    """
    shape = [bounds.stop - bounds.start for bounds in window]
    out = np.empty(shape, shard_format.dtype)
    reader = _ShardReader(shard_format)
    for position, inside, target in _overlaps(window, shard_format.shard):
        path = folder.joinpath("c", *map(str, position))
        try:
            reader.read(path, inside, out[target])
        except FileNotFoundError as error:
            if not folder.is_dir():
                raise StoreError(f"{folder} is gone; run the stage that makes it") from error
            out[target] = shard_format.fill_value
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error}; mend it and run again") from error
        except DamagedShardError as error:
            raise StoreError(
                f"{path} is damaged: {error}; check the disk, delete the file and the row of the "
                "work unit that wrote it in the ledger, and run again (without its file but with "
                "its row the unit counts as done and reads as fill)"
            ) from error
    return out


def _overlaps(
    window: Sequence[slice], lengths: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Window, Window]]:
    """Cut a window where the pieces of a regular grid meet.

    Yields
    ------
    The piece's position in the grid, the part of the piece, and the part of the window.
    """
    along = [_overlaps_1d(bounds, n) for bounds, n in zip(window, lengths, strict=True)]
    for pieces in product(*along):
        position, inside, target = zip(*pieces, strict=True)
        yield position, inside, target


def _overlaps_1d(bounds: slice, length: int) -> list[tuple[int, slice, slice]]:
    found = []
    for piece in range(bounds.start // length, -(-bounds.stop // length)):
        start, stop = max(bounds.start, piece * length), min(bounds.stop, (piece + 1) * length)
        inside = slice(start - piece * length, stop - piece * length)
        found.append((piece, inside, slice(start - bounds.start, stop - bounds.start)))
    return found


class _ShardReader:
    """Reads shards one after the other through the same buffers."""

    def __init__(self, shard_format: ShardFormat) -> None:
        self._format = shard_format
        self._encoded = memoryview(bytearray())
        self._chunk = np.empty(shard_format.chunk, shard_format.stored_dtype)

    def read(self, path: Path, window: Window, out: np.ndarray[Any, Any]) -> None:
        """Read a part of a shard into `out`."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            index = self._index(descriptor)
            for position, inside, target in _overlaps(window, self._format.chunk):
                self._read_chunk(descriptor, index.span(position), inside, out[target])
        finally:
            os.close(descriptor)

    def _index(self, descriptor: int) -> ShardIndex:
        size, footer_size = os.fstat(descriptor).st_size, self._format.footer_size
        data_size = max(0, size - footer_size)
        footer = os.pread(descriptor, footer_size, data_size)
        return decode_index(footer, data_size, self._format)

    def _read_chunk(
        self,
        descriptor: int,
        span: tuple[int, int] | None,
        window: Window,
        out: np.ndarray[Any, Any],
    ) -> None:
        """Read a part of a chunk into `out`."""
        if span is None:
            out[...] = self._format.fill_value
            return
        offset, length = span
        if length > len(self._encoded):
            self._encoded = memoryview(bytearray(length))
        encoded = self._encoded[:length]
        if os.preadv(descriptor, [encoded], offset) != length:
            raise DamagedShardError("it ended while it was read")
        whole = out.shape == self._chunk.shape and out.dtype == self._chunk.dtype
        if whole and out.flags.c_contiguous:
            decode_chunk(encoded, self._format, out)
        else:
            decode_chunk(encoded, self._format, self._chunk)
            out[...] = self._chunk[window]
