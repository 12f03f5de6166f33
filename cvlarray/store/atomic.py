"""Files and folders that are whole or absent, also after ``kill -9`` or a power cut.

Everything is written under a temporary name in the same folder, flushed to the disk, and renamed.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cvlarray.errors import StoreError

_PARTIAL = ".partial"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` when the block ends well.

    The temporary path has the suffix of `path`, so writers that go by the suffix can be used.
    It may be made a file or a folder; a folder can't replace one that exists.

    Raises
    ------
    StoreError
        If it can't be written, for example because the disk is full. `path` is as it was.
    """
    temporary = _temporary(path)
    try:
        with _explained(path):
            make_folder(path.parent)
            yield temporary
            sync_tree(temporary)
            temporary.replace(path)
            _sync(path.parent)
    finally:
        with suppress(OSError):
            _remove(temporary)


class FileBatch:
    """Files that are replaced when the block ends well, and none of them when it doesn't.

    All are on the disk before the first is replaced: a disk that gets full leaves what was there.
    Each is replaced in one step, though not all of them in the same. The disk is waited for less
    often than with `replacing`: once a folder instead of once a file for the names.
    """

    def __init__(self) -> None:
        self._staged: dict[Path, Path] = {}
        self._unwanted: set[Path] = set()

    def write(self, path: Path, parts: Iterable[bytes]) -> None:
        """Write the content that a file is going to have, the last that is given.

        Missing folders are made.

        Raises
        ------
        StoreError
            If it can't be written.
        """
        temporary = self._staged.setdefault(path, _temporary(path))
        self._unwanted.discard(path)
        with _explained(path):
            make_folder(path.parent)
            with temporary.open("wb") as file:
                file.writelines(parts)

    def remove(self, path: Path) -> None:
        """Let a file, if there is one, be gone."""
        if temporary := self._staged.pop(path, None):
            temporary.unlink(missing_ok=True)
        if path.exists():
            self._unwanted.add(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._replace()
        finally:
            for temporary in self._staged.values():
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def _replace(self) -> None:
        for path, temporary in self._staged.items():
            with _explained(path):
                _sync(temporary)
        for path, temporary in self._staged.items():
            with _explained(path):
                temporary.replace(path)
        for path in self._unwanted:
            with _explained(path):
                path.unlink(missing_ok=True)
        for folder in {path.parent for path in (*self._staged, *self._unwanted)}:
            with _explained(folder):
                _sync(folder)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that every reader sees the old or the new content, never a part.

    Parameters
    ----------
    path
        File to write or replace; missing folders are made.
    content
        All of it; text is encoded as UTF-8.

    Raises
    ------
    StoreError
        If it can't be written. The old file is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def make_folder(path: Path) -> None:
    """Make a folder and its parents so that they outlive a power cut."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        _sync(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers left of `path` and anywhere below it.

    Call it only while nobody writes there.
    """
    # Path.glob would read the brackets of a name such as "run [1]" as a pattern.
    for sibling in path.parent.iterdir() if path.parent.is_dir() else ():
        if sibling.name.startswith(f".{path.stem}.") and _PARTIAL in sibling.name:
            _remove(sibling)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            if _PARTIAL in name:
                _remove(Path(folder, name))


def sync_tree(path: Path) -> None:
    """Flush a file, or a folder and all below it, to the disk."""
    for folder, _, files in os.walk(path):
        for name in files:
            _sync(Path(folder, name))
        _sync(Path(folder))
    if not path.is_dir():
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex}{_PARTIAL}{path.suffix}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error}; what was there before is untouched, "
            "make room or mend the disk and run again"
        ) from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
