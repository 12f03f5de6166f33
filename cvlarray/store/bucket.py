"""A store in a bucket of object storage, through obstore (extra ``cloud``).

An object is replaced in one step, so a reader sees a shard's old or new values here too. Of the
objects of one write some may be new and others old when the writer is killed; the ledger, which
has forgotten the unit by then, has them written again.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cvlarray.errors import MissingExtraError, StoreError
from cvlarray.store.place import Span

N_REQUESTS = 4
"""Objects that one writer sends at the same time."""

GAP_BYTES = 256 * 1024
"""Parts of a shard this near to each other are cheaper to ask for at once than apart."""

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"


@dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket such as ``s3://forest/cube.zarr``, a `Place`.

    Keys, region and endpoint come from the environment: ``AWS_ACCESS_KEY_ID``,
    ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, or the machine's role.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def is_consolidated(self) -> bool:
        """Always: one object tells all."""
        return True

    def exists(self) -> bool:
        """Return whether the root's metadata are there, which come last."""
        with _as_os_error(self.url):
            try:
                _obstore().head(_client(self.url), "zarr.json")
            except FileNotFoundError:
                return False
            return True

    def state(self) -> Hashable:
        """Return what changes when the root's metadata are written."""
        with _as_os_error(self.url):
            return str(_obstore().head(_client(self.url), "zarr.json")["e_tag"])

    def read(self, key: str) -> bytes:
        """Return an object."""
        with _as_os_error(self.url):
            return bytes(_obstore().get(_client(self.url), key).bytes())

    def array(self, name: str) -> ArrayBucket:
        """Return the place of an array."""
        return ArrayBucket(self.url, name)

    def create(self, files: Mapping[str, bytes]) -> None:
        """Write the objects in order: without the root's metadata they are no store."""
        with _as_store_error(self.url):
            for key, content in files.items():
                _obstore().put(_client(self.url), key, content)

    def clean(self) -> None:
        """Do nothing: an object that wasn't sent whole isn't there."""

    @contextmanager
    def changing(self, message: str) -> Iterator[BucketChanges]:  # noqa: ARG002 (no history here)
        """Yield changes of which none is made before all are encoded."""
        changes = BucketChanges(self.url)
        yield changes
        changes.send()

    def zarr_store(self) -> Any:
        """Return zarr's store for obstore."""
        from zarr.storage import ObjectStore  # noqa: PLC0415 (needs obstore)

        return ObjectStore(_client(self.url))


@dataclass
class BucketChanges:
    """Objects that are replaced together, metadata of the root last."""

    url: str
    written: dict[str, bytes] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def write(self, key: str, parts: Iterable[bytes]) -> None:
        """Set what an object is going to be."""
        self.written[key] = b"".join(parts)
        self.removed.discard(key)

    def remove(self, key: str) -> None:
        """Let an object, if there is one, be gone."""
        self.written.pop(key, None)
        self.removed.add(key)

    def send(self) -> None:
        """Make the changes."""
        root = self.written.pop("zarr.json", None)
        client, obstore = _client(self.url), _obstore()
        with _as_store_error(self.url), ThreadPoolExecutor(N_REQUESTS) as pool:
            list(pool.map(lambda key: obstore.put(client, key, self.written[key]), self.written))
            if self.removed:
                obstore.delete(client, sorted(self.removed))
            if root is not None:
                obstore.put(client, "zarr.json", root)


@dataclass(frozen=True)
class ArrayBucket:
    """An array in a bucket, an `ArrayPlace`."""

    url: str
    name: str

    def __str__(self) -> str:
        return f"{self.url}/{self.name}"

    def exists(self) -> bool:
        """Return whether its metadata are there."""
        return _exists(self.url, f"{self.name}/zarr.json")

    def state(self) -> Hashable:
        """Return another value each time: nothing short of all its objects tells a change."""
        return uuid.uuid4().hex

    @contextmanager
    def open_shard(self, position: Sequence[int]) -> Iterator[BucketShard]:
        """Name a shard's object; the first request tells whether it is there."""
        with _as_os_error(str(self)):
            yield BucketShard(self.url, "/".join([self.name, "c", *map(str, position)]))


@dataclass
class BucketShard:
    """An object, a `ShardFile`: of the version that its footer was of."""

    url: str
    key: str
    e_tag: str | None = None

    def footer(self, size: int) -> tuple[bytes, int]:
        """Return the last bytes and how many precede them."""
        options = {"range": {"suffix": size}}
        answer = _obstore().get(_client(self.url), self.key, options=options)
        self.e_tag = answer.meta["e_tag"]
        return bytes(answer.bytes()), int(answer.range[0])

    def chunks(self, spans: Sequence[Span]) -> Iterator[memoryview]:
        """Yield parts of the object, those near to each other by one request."""
        for start, stop, members in _merged(spans):
            options = {"range": (start, stop), "if_match": self.e_tag}
            part = memoryview(
                bytes(_obstore().get(_client(self.url), self.key, options=options).bytes())
            )
            for offset, length in members:
                yield part[offset - start : offset - start + length]


def _merged(spans: Sequence[Span]) -> Iterator[tuple[int, int, list[Span]]]:
    """Yield start, stop and members of runs of spans; they keep their order."""
    run: list[Span] = []
    for span in spans:
        end = run[-1][0] + run[-1][1] if run else 0
        if run and not 0 <= span[0] - end <= GAP_BYTES:
            yield run[0][0], end, run
            run = []
        run.append(span)
    if run:
        yield run[0][0], run[-1][0] + run[-1][1], run


def _exists(url: str, key: str) -> bool:
    with _as_os_error(url):
        try:
            _obstore().head(_client(url), key)
        except FileNotFoundError:
            return False
        return True


def put_if_absent(url: str, key: str, content: bytes) -> bytes:
    """Write an object unless there is one; return what is there then.

    Raises
    ------
    StoreError
        If the bucket can't be asked.
    """
    from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415

    obstore, client = _obstore(), _client(url)
    with _as_store_error(url):
        if not _exists(url, key):
            with suppress(AlreadyExistsError):  # somebody was first, and is read below
                obstore.put(client, key, content, mode="create")
        return bytes(obstore.get(client, key).bytes())


def _obstore() -> Any:
    """Import obstore, or say how to get it."""
    try:
        import obstore  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError(
            f"a store in a bucket needs obstore ({error}); pip install 'cvlarray[cloud]'"
        ) from error
    return obstore


@lru_cache(maxsize=16)
def _client(url: str) -> Any:
    """Return the bucket's client, which all threads of the process share."""
    _obstore()
    from obstore.store import from_url  # noqa: PLC0415

    endpoint = os.environ.get(ENDPOINT_VARIABLE, "")
    return from_url(url, client_options={"allow_http": endpoint.startswith("http://")})


@contextmanager
def _as_os_error(what: str) -> Iterator[None]:
    """Raise what obstore raises as the error that a file system would."""
    from obstore.exceptions import BaseError  # noqa: PLC0415

    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{what}: {_one_line(error)}") from error
    except BaseError as error:
        raise OSError(f"{what}: {_one_line(error)}") from error


@contextmanager
def _as_store_error(url: str) -> Iterator[None]:
    from obstore.exceptions import BaseError  # noqa: PLC0415

    try:
        yield
    except (BaseError, OSError) as error:
        raise StoreError(
            f"cannot write {url}: {_one_line(error)}; check the bucket, its region and the keys in "
            "the environment, and run again"
        ) from error


def _one_line(error: BaseException) -> str:
    """Return an error's first line: obstore adds a dump of the request."""
    return str(error).split("\n", 1)[0].strip() or type(error).__name__
