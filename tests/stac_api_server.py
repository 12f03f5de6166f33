"""A real STAC API for the tests: stac-fastapi-pgstac on PostgreSQL with PostGIS."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any, Self

from tests.postgis_server import PostgisServer, free_port

START_S = 60


def load_pgstac(dsn: str, collections: Iterable[Any], items: Iterable[Any]) -> None:
    """Make a database a pgstac with these collections and Items; its queryables are the default."""
    from pypgstac.db import PgstacDB  # noqa: PLC0415 - costs a second
    from pypgstac.load import Loader, Methods  # noqa: PLC0415
    from pypgstac.migrate import Migrate  # noqa: PLC0415

    database = PgstacDB(dsn=dsn)
    try:
        Migrate(database).run_migration()
        loader = Loader(database)
        loader.load_collections(iter(collections), Methods.insert)
        loader.load_items(iter(items), Methods.insert)
    finally:
        database.disconnect()
        database.close()


class StacApiServer:
    """The API on loopback; use it as a context manager. It keeps its port when it is restarted."""

    def __init__(self, server: PostgisServer, database: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._environment = os.environ | {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": "postgres",
            "PGPASSWORD": "none",
            "PGDATABASE": database,
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "uvicorn", "stac_fastapi.pgstac.app:create_app",
                   "--factory", "--host", "127.0.0.1", "--port", str(self.port),
                   "--log-level", "warning"]  # fmt: skip
        self._process = subprocess.Popen(command, env=self._environment, stderr=subprocess.PIPE)
        _wait_for(self.url, self._process)

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.communicate(timeout=30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    process.kill()
    _, errors = process.communicate()
    raise AssertionError(f"the STAC API didn't start: {errors.decode()}")
