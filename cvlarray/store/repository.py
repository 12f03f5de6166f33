"""A store in an icechunk repository (extra ``cloud``): every write is one commit.

Readers see the commits before they opened the store and none since. Writers of different shards
are put in a row; of two that write the same shard the second is refused.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.core.sync import sync

from cvlarray.errors import MissingExtraError, StoreError
from cvlarray.store.place import Span

BRANCH = "main"
REBASE_TRIES = 100
"""Commits of others that one may be put after."""


@dataclass(frozen=True)
class Repository:
    """A repository in a bucket (``s3://forest/cube.icechunk``) or a folder, a `Place`.

    Keys, region and endpoint come from the environment, as for a `Bucket`.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def is_consolidated(self) -> bool:
        """Never: a snapshot knows all of its metadata anyway."""
        return False

    def exists(self) -> bool:
        """Return whether somebody has committed a store."""
        with _as_os_error(self.url):
            icechunk = _icechunk()
            if not icechunk.Repository.exists(_storage(self.url)):
                return False
            return bool(sync(_snapshot(self.url, self._head()).exists("zarr.json")))

    def state(self) -> Hashable:
        """Return the newest commit."""
        with _as_os_error(self.url):
            return self._head()

    def read(self, key: str) -> bytes:
        """Return a file of the newest commit."""
        with _as_os_error(self.url):
            return _get(_snapshot(self.url, self._head()), key, None)

    def array(self, name: str) -> ArrayRepository:
        """Return the place of an array in the newest commit."""
        with _as_os_error(self.url):
            return ArrayRepository(self.url, self._head(), name)

    def create(self, files: Mapping[str, bytes]) -> None:
        """Make the repository, and the store as one commit."""
        with _as_store_error(self.url):
            icechunk = _icechunk()
            if not icechunk.Repository.exists(_storage(self.url)):
                icechunk.Repository.create(_storage(self.url))
        with self.changing("create") as changes:
            for key, content in files.items():
                changes.write(key, [content])

    def clean(self) -> None:
        """Do nothing: what wasn't committed is in no snapshot."""

    @contextmanager
    def changing(self, message: str) -> Iterator[RepositoryChanges]:
        """Yield changes that become one commit, after those that others make meanwhile."""
        with _as_store_error(self.url):
            session = _repository(self.url).writable_session(BRANCH)
            yield RepositoryChanges(session.store)
            if not session.has_uncommitted_changes:
                return
            try:
                session.commit(
                    message,
                    rebase_with=_icechunk().ConflictDetector(),
                    rebase_tries=REBASE_TRIES,
                )
            except (_icechunk().ConflictError, _icechunk().RebaseFailedError) as error:
                raise StoreError(
                    f"cannot commit to {self.url}: another process has written the same shards "
                    "meanwhile; let one run at a time work on a store, and run again"
                ) from error

    def zarr_store(self) -> Any:
        """Return the newest commit as a store."""
        with _as_os_error(self.url):
            return _snapshot(self.url, self._head())

    def _head(self) -> str:
        return str(_repository(self.url).lookup_branch(BRANCH))


@dataclass(frozen=True)
class RepositoryChanges:
    """Files of the next commit."""

    store: Any

    def write(self, key: str, parts: Iterable[bytes]) -> None:
        """Set what a file is going to have."""
        sync(self.store.set(key, cpu.Buffer.from_bytes(b"".join(parts))))

    def remove(self, key: str) -> None:
        """Let a file, if there is one, be gone."""
        sync(self.store.delete(key))


@dataclass(frozen=True)
class ArrayRepository:
    """An array of a commit, an `ArrayPlace`."""

    url: str
    commit: str
    name: str

    def __str__(self) -> str:
        return f"{self.url}/{self.name}"

    def exists(self) -> bool:
        """Return whether it is in the commit."""
        with _as_os_error(str(self)):
            return bool(sync(_snapshot(self.url, self.commit).exists(f"{self.name}/zarr.json")))

    def state(self) -> Hashable:
        """Return the commit: its values never change."""
        return self.commit

    @contextmanager
    def open_shard(self, position: Sequence[int]) -> Iterator[RepositoryShard]:
        """Name a shard; the first request tells whether it is there."""
        key = "/".join([self.name, "c", *map(str, position)])
        with _as_os_error(str(self)):
            yield RepositoryShard(_snapshot(self.url, self.commit), key)


@dataclass
class RepositoryShard:
    """A shard of a commit, a `ShardFile`."""

    store: Any
    key: str
    data_size: int = field(default=0)

    def footer(self, size: int) -> tuple[bytes, int]:
        """Return the last bytes and how many precede them."""
        whole = sync(self.store.getsize(self.key))
        content = _get(self.store, self.key, SuffixByteRequest(size))
        return content, whole - len(content)

    def chunks(self, spans: Sequence[Span]) -> Iterator[memoryview]:
        """Yield parts of the shard."""
        for offset, length in spans:
            part = RangeByteRequest(offset, offset + length)
            yield memoryview(_get(self.store, self.key, part))


ByteRange = RangeByteRequest | SuffixByteRequest | OffsetByteRequest | None


def _get(store: Any, key: str, part: ByteRange) -> bytes:
    content = sync(store.get(key, default_buffer_prototype(), part))
    if content is None:
        raise FileNotFoundError(key)
    return bytes(content.to_bytes())


def _icechunk() -> Any:
    """Import icechunk, or say how to get it."""
    try:
        import icechunk  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError(
            f"an icechunk store needs icechunk ({error}); pip install 'cvlarray[cloud]'"
        ) from error
    return icechunk


def _storage(url: str) -> Any:
    """Return where the repository lies, with keys from the environment."""
    icechunk, parts = _icechunk(), urlsplit(url)
    if parts.scheme != "s3":
        return icechunk.local_filesystem_storage(str(Path(url)))
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return icechunk.s3_storage(
        bucket=parts.netloc,
        prefix=parts.path.strip("/"),
        region=os.environ.get("AWS_REGION"),
        endpoint_url=endpoint,
        allow_http=bool(endpoint and endpoint.startswith("http://")),
        force_path_style=bool(endpoint),
        from_env=True,
    )


@lru_cache(maxsize=16)
def _repository(url: str) -> Any:
    """Return the repository, which all threads of the process share."""
    return _icechunk().Repository.open(_storage(url))


@lru_cache(maxsize=16)
def _snapshot(url: str, commit: str) -> Any:
    """Return a commit as a store."""
    return _repository(url).readonly_session(snapshot_id=commit).store


@contextmanager
def _as_os_error(what: str) -> Iterator[None]:
    try:
        yield
    except _icechunk().IcechunkError as error:
        raise OSError(f"{what}: {_one_line(error)}") from error


@contextmanager
def _as_store_error(url: str) -> Iterator[None]:
    try:
        yield
    except (_icechunk().IcechunkError, OSError) as error:
        raise StoreError(
            f"cannot write {url}: {_one_line(error)}; check the bucket, its region and the keys in "
            "the environment, and run again"
        ) from error


def _one_line(error: BaseException) -> str:
    """Return an error's message: icechunk adds where in its code it came from."""
    lines = [line.strip(" |x×") for line in str(error).splitlines() if line.strip(" |x×")]
    return lines[0] if lines else type(error).__name__
