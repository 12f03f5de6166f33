"""A package on disk: a folder, or a ZIP file whose bytes follow from its content alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from cvlarray.errors import PackageError
from cvlarray.store import replacing

__all__ = ["read_package", "write_folder", "zip_bytes"]

FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""The first that ZIP knows."""

MAX_BYTES = 512 * 2**20
"""A package is a few hundred kB; whatever claims to be more than this isn't read."""


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return a ZIP file, stored without compression: its bytes depend on the files alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, FIRST_DATE)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[path])
    return buffer.getvalue()


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a package as a folder that is there whole or not at all.

    Raises
    ------
    StoreError
        If it can't be written, or the folder exists already.
    """
    with replacing(folder) as temporary:
        for path, content in sorted(files.items()):
            target = temporary / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def read_package(path: Path) -> dict[str, bytes]:
    """Return the files of a package, a folder or a ZIP file, by their path in it.

    Raises
    ------
    PackageError
        If it is neither, can't be read, or is larger than 512 MB.
    """
    try:
        files = _read_folder(path) if path.is_dir() else _read_zip(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise PackageError(f"{path}: expected a package, a folder or a ZIP file: {error}") from None
    if not files:
        raise PackageError(f"{path}: expected a package, got an empty one")
    return files


def _read_folder(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    _check_size(folder, sum(path.lstat().st_size for path in paths))
    links = [path for path in paths if path.is_symlink() or not path.is_file()]
    if links:
        raise PackageError(f"{links[0]}: expected files, got a link or a device")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _read_zip(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _check_size(path, sum(entry.file_size for entry in entries))
        names = [entry.filename for entry in entries]
        if len(set(names)) < len(names):
            raise PackageError(f"{path}: expected each file once, got one twice")
        return {name: _content(archive, name) for name in names}


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of a ZIP file; nothing of one whose own checksum tells that it was changed."""
    try:
        return archive.read(name)
    except zipfile.BadZipFile:
        return b""


def _check_size(path: Path, n_bytes: int) -> None:
    if n_bytes > MAX_BYTES:
        raise PackageError(
            f"{path}: expected a package of at most {MAX_BYTES >> 20} MB, got {n_bytes >> 20} MB"
        )
