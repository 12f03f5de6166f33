"""Where a store lies: what is asked of a folder, a bucket, or a repository of snapshots.

A place is named by plain values, so that units of work can carry it to any machine; keys for a
bucket come from the environment of whoever opens it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, Protocol

Span = tuple[int, int]
"""Offset and length in a file, bytes."""


class StoreKind(StrEnum):
    """What keeps the shards of a store."""

    ZARR = "zarr"
    """Plain Zarr v3 in a folder or a bucket: each shard is replaced in one step."""
    ICECHUNK = "icechunk"
    """An icechunk repository: each unit of work is one commit, seen whole or not at all."""


class ShardFile(Protocol):
    """An open shard; what is read of it is of one moment though a writer may replace it."""

    def footer(self, size: int) -> tuple[bytes, int]:
        """Return the last bytes, at most so many, and how many precede them."""

    def chunks(self, spans: Sequence[Span]) -> Iterator[memoryview]:
        """Yield parts of the file in order; each is valid until the next."""


class ArrayPlace(Protocol):
    """An array of a store. Its text is where it lies."""

    def exists(self) -> bool:
        """Return whether it is there."""

    def open_shard(self, position: Sequence[int]) -> AbstractContextManager[ShardFile]:
        """Open a shard by its place in the grid of shards; `FileNotFoundError` if all is fill."""

    def state(self) -> Hashable:
        """Return what changes with the values."""


class Changes(Protocol):
    """Files of a store that are about to be other ones; what is said last of a file holds."""

    def write(self, key: str, parts: Iterable[bytes]) -> None:
        """Set what a file is going to have."""

    def remove(self, key: str) -> None:
        """Let a file, if there is one, be gone."""


class Place(Protocol):
    """A store's files, by keys such as ``red/c/0/1/2``. Its text is where it lies.

    Every method raises `OSError` if the place can't be read, and `StoreError` if it can't be
    written; then what was there before is there still.
    """

    def __hash__(self) -> int:
        """Places are compared by value."""

    @property
    def is_consolidated(self) -> bool:
        """Whether the root has a copy of the arrays' metadata."""

    def exists(self) -> bool:
        """Return whether there is a store."""

    def state(self) -> Hashable:
        """Return what changes with the metadata, the same for every process."""

    def read(self, key: str) -> bytes:
        """Return a file."""

    def array(self, name: str) -> ArrayPlace:
        """Return the place of an array, as it is now."""

    def create(self, files: Mapping[str, bytes]) -> None:
        """Make the store; the root's metadata come last in ``files``."""

    def clean(self) -> None:
        """Remove what killed writers left. Call it only while nobody writes."""

    def changing(self, message: str) -> AbstractContextManager[Changes]:
        """Yield changes that are made when the block ends well, and not at all when it doesn't."""

    def zarr_store(self) -> Any:
        """Return what zarr and xarray open."""
