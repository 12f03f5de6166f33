"""A real PostgreSQL server with PostGIS for the tests, in a folder of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
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
    return bool(_program("initdb") and _program("postgres") and is_there)


@contextmanager
def running_server() -> Iterator[PostgisServer]:
    """Start a server that is gone again when the block ends, or this process does."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = []
    if os.geteuid() == 0:  # PostgreSQL doesn't run as root
        shutil.chown(folder, "postgres", "postgres")
        user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data, port = folder / "data", free_port()
    # Asked to quit by the kernel when this process dies, whatever it dies of.
    run = ["setpriv", *user, "--pdeathsig=QUIT"]
    initdb = [str(_program("initdb")), "-D", str(data), "-U", "postgres", "-A", "trust"]
    serve = [str(_program("postgres")), "-D", str(data), "-p", str(port), "-k", str(folder)]
    settings = {
        "listen_addresses": "127.0.0.1",
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "max_connections": "30",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    try:
        done = subprocess.run(
            [*run, *initdb, "-E", "UTF8", "--no-sync"],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{initdb}: {done.stdout} {done.stderr}"
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen([*run, *serve, *options], cwd="/", stderr=log) as server,
        ):
            try:
                _wait_until_ready(server, data / "postmaster.pid", folder / "log")
                yield PostgisServer(port)
            finally:
                server.send_signal(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(server: subprocess.Popen[bytes], status: Path, log: Path) -> None:
    for _ in range(1200):
        lines = status.read_text().splitlines() if status.exists() else []
        if lines and lines[-1].strip() == "ready":
            return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"PostgreSQL didn't start: {log.read_text()[-2000:]}")


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
