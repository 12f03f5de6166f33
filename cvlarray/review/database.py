"""The page's own database: alerts ready to be served, and what was said of them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cvlarray.errors import StoreError
from cvlarray.store.atomic import make_folder
from cvlarray.store.sqlite import prepare, transaction

__all__ = ["ReviewDatabase"]

_BUSY_TIMEOUT_S = 30.0
_CACHE_KIB = 65_536
"""To list a million alerts touches pages all over the file."""
SCHEMAS = tuple(
    Path(__file__).with_name(name) for name in ("schema.sql", "schema_2.sql", "schema_3.sql")
)
"""What each version of the file has more than the one before."""


class ReviewDatabase:
    """SQLite with one connection a thread; readers never wait for a writer.

    Parameters
    ----------
    path
        The file; made if absent. It must be on a local disk: the write-ahead log needs shared
        memory.

    Raises
    ------
    StoreError
        If the file is no review database, was written by a newer version, or can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        make_folder(path.parent)
        with self.explained():
            scripts = [schema.read_text(encoding="utf-8").split(";;") for schema in SCHEMAS]
            prepare(self.connection, scripts, path=self.path, kind="review")

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread, in autocommit."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of it or nothing; the log is on the disk when the block ends.

        Raises
        ------
        StoreError
            If the file can't be written.
        """
        with self.explained(), transaction(self.connection):
            yield self.connection
            self.connection.execute("UPDATE generation SET n = n + 1")

    def generation(self) -> int:
        """Return a number that is another one after every transaction, of whatever process."""
        with self.explained():
            return int(self.connection.execute("SELECT n FROM generation").fetchone()[0])

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot use the review database {self.path}: {error}; "
                "check that its disk is writable and not full"
            ) from error

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
