"""A real PostgreSQL server with PostGIS for the tests, in a folder of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = "apt-get install -y --no-install-recommends postgresql-15-postgis-3"

_numbers = itertools.count()


@dataclass(frozen=True)
class PostgisServer:
    """Where the server listens."""

    port: int

    def database(self, name: str) -> str:
        """Return the libpq string of a database."""
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={name} connect_timeout=5"


def _program(name: str) -> str | None:
    folders = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))[::-1]]
    return shutil.which(name, path=os.pathsep.join(folders)) or shutil.which(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def has_postgis() -> bool:
    """Return whether a server can be started here."""
    is_there = any(Path("/usr/share/postgresql").glob("*/extension/postgis.control"))
    return bool(_program("initdb") and _program("pg_ctl") and is_there)


@contextmanager
def running_server() -> Iterator[PostgisServer]:
    """Start a server that is gone again when the block ends."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    # PostgreSQL doesn't run as root, and its socket's path must be short.
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if prefix:
        shutil.chown(folder, "postgres", "postgres")

    def call(*command: str | None) -> None:
        done = subprocess.run(
            [*prefix, *map(str, command)], cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"

    data, port = folder / "data", free_port()
    options = (
        f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off "
        "-c full_page_writes=off -c synchronous_commit=off -c max_connections=30"
    )
    try:
        call(initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        log = str(folder / "log")
        call(pg_ctl, "-D", str(data), "-w", "-t", "60", "-l", log, "-o", options, "start")
        yield PostgisServer(port)
    finally:
        if (data / "postmaster.pid").exists():
            call(pg_ctl, "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgis_server(
    require_component: Callable[[str, object, str], None],
) -> Iterator[PostgisServer]:
    require_component("PostgreSQL with PostGIS", has_postgis(), INSTALL)
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgis_template(postgis_server: PostgisServer) -> str:
    """Return the name of a database with PostGIS, to copy: the extension takes a second."""
    psycopg = pytest.importorskip("psycopg")
    create_database(postgis_server, "with_postgis", "template1")
    with psycopg.connect(postgis_server.database("with_postgis"), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION postgis")
    return "with_postgis"


@pytest.fixture
def postgis_database(postgis_server: PostgisServer, postgis_template: str) -> str:
    """Return the libpq string of a database of the test's own, with PostGIS and nothing else."""
    return create_database(postgis_server, _new_name(), postgis_template)


@pytest.fixture
def bare_database(postgis_server: PostgisServer) -> str:
    """Return the libpq string of a database of the test's own, without PostGIS."""
    pytest.importorskip("psycopg")
    return create_database(postgis_server, _new_name(), "template1")


def _new_name() -> str:
    return f"test_{next(_numbers)}"


def create_database(server: PostgisServer, name: str, template: str) -> str:
    """Return the libpq string of a new database."""
    import psycopg  # noqa: PLC0415 - an extra

    with psycopg.connect(server.database("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return server.database(name)
