"""A lock that one process holds, and that the system drops when the process ends, however."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from cvlarray.errors import StoreError, WorkspaceBusyError
from cvlarray.store.atomic import make_folder

__all__ = ["exclusive_lock"]


@contextmanager
def exclusive_lock(path: Path, what_to_do: str) -> Iterator[None]:
    """Hold the lock of a file for this process alone; file and folder are made if absent.

    Parameters
    ----------
    path
        The file; it says who holds it.
    what_to_do
        What the error advises when it is held.

    Raises
    ------
    WorkspaceBusyError
        If it is held already, by another process or by this one.
    StoreError
        If the folder can't be written.
    """
    descriptor = _open(path)
    try:
        _acquire(descriptor, path, what_to_do)
        try:
            yield
        finally:
            # Not left to close(): a forked child would go on holding the lock.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        make_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StoreError(
            f"cannot make the workspace {path.parent}: {error}; choose a folder you can write to"
        ) from error


def _acquire(descriptor: int, path: Path, what_to_do: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WorkspaceBusyError(
            f"{path.parent} is in use by {_holder(descriptor)}; {what_to_do}"
        ) from error
    except OSError as error:
        raise StoreError(
            f"cannot lock the workspace {path.parent}: {error}; "
            "put it on a file system that has file locks"
        ) from error
    now = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "started": now}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder(descriptor: int) -> str:
    # Between the lock and the name of its holder there is a moment with neither.
    with suppress(ValueError, KeyError):
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {holder['pid']} on {holder['host']} since {holder['started']}"
    return "another process"
