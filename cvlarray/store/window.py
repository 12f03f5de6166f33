"""Any window of a stored array, read in the calling thread: only the inner chunks it touches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from cvlarray.errors import StoreError
from cvlarray.store.place import ArrayPlace, ShardFile
from cvlarray.store.shard import (
    DamagedShardError,
    ShardFormat,
    decode_chunk,
    decode_index,
)

Window = tuple[slice, ...]
"""Start and stop along each dimension, in elements; no steps."""


def read_window(
    array: ArrayPlace, shard_format: ShardFormat, window: Sequence[slice]
) -> np.ndarray[Any, Any]:
    """Read a part of an array.

    Each shard is opened once, so its values are of one moment though a writer may replace it; of
    its chunks only those are read and decoded that have an element in the window.

    Parameters
    ----------
    array
        Where the array lies.
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
        try:
            with array.open_shard(position) as file:
                reader.read(file, inside, out[target])
        except FileNotFoundError as error:
            if not array.exists():
                raise StoreError(f"{array} is gone; run the stage that makes it") from error
            out[target] = shard_format.fill_value
        except OSError as error:
            shard = _name(array, position)
            raise StoreError(f"cannot read {shard}: {error}; mend it and run again") from error
        except DamagedShardError as error:
            raise StoreError(
                f"{_name(array, position)} is damaged: {error}; check the disk, delete the file "
                "and the row of the work unit that wrote it in the ledger, and run again (without "
                "its file but with its row the unit counts as done and reads as fill)"
            ) from error
    return out


def _name(array: ArrayPlace, position: Sequence[int]) -> str:
    return "/".join([str(array), "c", *map(str, position)])


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
        self._chunk = np.empty(shard_format.chunk, shard_format.stored_dtype)

    def read(self, file: ShardFile, window: Window, out: np.ndarray[Any, Any]) -> None:
        """Read a part of a shard into `out`."""
        index = decode_index(*file.footer(self._format.footer_size), self._format)
        parts = [
            (index.span(position), inside, target)
            for position, inside, target in _overlaps(window, self._format.chunk)
        ]
        chunks = file.chunks([span for span, _, _ in parts if span is not None])
        for span, inside, target in parts:
            if span is None:
                out[target] = self._format.fill_value
            else:
                self._decode(next(chunks), inside, out[target])

    def _decode(self, encoded: memoryview, window: Window, out: np.ndarray[Any, Any]) -> None:
        """Decode a part of a chunk into `out`."""
        whole = out.shape == self._chunk.shape and out.dtype == self._chunk.dtype
        if whole and out.flags.c_contiguous:
            decode_chunk(encoded, self._format, out)
        else:
            decode_chunk(encoded, self._format, self._chunk)
            out[...] = self._chunk[window]
