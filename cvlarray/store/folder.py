"""A store in a folder of a file system."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cvlarray.errors import StoreError
from cvlarray.store.atomic import FileBatch, remove_leftovers, replacing
from cvlarray.store.place import Span
from cvlarray.store.shard import DamagedShardError


@dataclass(frozen=True)
class Folder:
    """A folder, a `Place`."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def is_consolidated(self) -> bool:
        """Always: one file tells all, in one write."""
        return True

    def exists(self) -> bool:
        """Return whether the folder is there."""
        return self.path.exists()

    def state(self) -> Hashable:
        """Return what changes when the root's metadata are written."""
        status = (self.path / "zarr.json").stat()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def read(self, key: str) -> bytes:
        """Return a file."""
        return (self.path / key).read_bytes()

    def array(self, name: str) -> ArrayFolder:
        """Return the folder of an array."""
        return ArrayFolder(self.path.absolute() / name)

    def create(self, files: Mapping[str, bytes]) -> None:
        """Write the files beside and rename their folder: it is there whole or not at all."""
        with replacing(self.path) as temporary:
            for key, content in files.items():
                file = temporary / key
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

    def clean(self) -> None:
        """Remove what killed writers left."""
        remove_leftovers(self.path)

    @contextmanager
    def changing(self, message: str) -> Iterator[FolderChanges]:  # noqa: ARG002 (no history here)
        """Yield changes of which none is made before all are on the disk."""
        changes = FolderChanges(self.path)
        try:
            with changes.files:
                yield changes
        finally:
            changes.touch()

    def zarr_store(self) -> Path:
        """Return the path."""
        return self.path


@dataclass
class FolderChanges:
    """Files that are replaced together."""

    path: Path
    files: FileBatch = field(default_factory=FileBatch)
    arrays: set[str] = field(default_factory=set)

    def write(self, key: str, parts: Iterable[bytes]) -> None:
        """Write what a file is going to have, under another name."""
        self.arrays.add(key.split("/", maxsplit=1)[0])
        self.files.write(self.path / key, parts)

    def remove(self, key: str) -> None:
        """Let a file, if there is one, be gone."""
        self.arrays.add(key.split("/", maxsplit=1)[0])
        self.files.remove(self.path / key)

    def touch(self) -> None:
        """Tell `open_raw` that values are other ones, even if only some have been replaced."""
        for name in self.arrays:
            if (self.path / name).is_dir():
                os.utime(self.path / name)


@dataclass(frozen=True)
class ArrayFolder:
    """The folder of an array, an `ArrayPlace`."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Return whether the folder is there."""
        return self.path.is_dir()

    def state(self) -> Hashable:
        """Return what changes with the values.

        One look at the folder stands for all of its shards, of which there may be a hundred
        thousand: whoever writes one touches it.
        """
        try:
            status = self.path.stat()
        except OSError as error:
            raise StoreError(
                f"{self.path} is gone: {error}; run the stage that makes it"
            ) from error
        return status.st_ino, status.st_mtime_ns

    @contextmanager
    def open_shard(self, position: Sequence[int]) -> Iterator[FolderShard]:
        """Open a shard's file."""
        descriptor = os.open(self.path.joinpath("c", *map(str, position)), os.O_RDONLY)
        try:
            yield FolderShard(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class FolderShard:
    """An open file, a `ShardFile`."""

    descriptor: int

    def footer(self, size: int) -> tuple[bytes, int]:
        """Return the last bytes and how many precede them."""
        data_size = max(0, os.fstat(self.descriptor).st_size - size)
        return os.pread(self.descriptor, size, data_size), data_size

    def chunks(self, spans: Sequence[Span]) -> Iterator[memoryview]:
        """Yield parts of the file through one buffer."""
        buffer = memoryview(bytearray(max((length for _, length in spans), default=0)))
        for offset, length in spans:
            part = buffer[:length]
            if os.preadv(self.descriptor, [part], offset) != length:
                raise DamagedShardError("it ended while it was read")
            yield part
