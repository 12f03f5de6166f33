"""What the SQLite files of a run have in common: transactions, and schemas that grow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cvlarray.errors import CvlarrayError, StoreError

__all__ = ["prepare", "transaction"]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make all changes of the block, or none; they are on the disk when it ends.

    Parameters
    ----------
    connection
        In autocommit (``isolation_level=None``).
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def prepare(
    connection: sqlite3.Connection,
    schemas: Sequence[Sequence[str]],
    *,
    path: Path,
    kind: str,
    error: type[CvlarrayError] = StoreError,
) -> None:
    """Make an open file durable and bring it up to the last version; several processes may.

    Parameters
    ----------
    connection
        In autocommit.
    schemas
        The statements that each version of the file adds to the one before, from the first.
    path, kind
        What to call it: ``run/ledger.db`` and ``ledger``.
    error
        What to raise.

    Raises
    ------
    CvlarrayError
        ``error``, if the file is of a newer version.
    """
    version = _version(connection)
    if version > len(schemas):
        raise error(
            f"{path} has {kind} version {version}, this cvlarray reads up to {len(schemas)}; "
            "use the cvlarray that wrote it, or a newer one"
        )
    connection.execute("PRAGMA synchronous = FULL")
    if version == len(schemas):
        return
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        for statements in schemas[_version(connection) :]:  # none if another process was first
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(schemas)}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
