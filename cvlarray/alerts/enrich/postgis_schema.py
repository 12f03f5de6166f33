"""The tables that PostGIS needs, brought up to date by numbered scripts."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING, Any

from cvlarray.errors import CvlarrayError

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["SchemaError", "migrate", "migrations", "use_schema"]

LOCK = 4_711_020_601
"""Key of the advisory lock under which one process at a time migrates."""


class SchemaError(CvlarrayError):
    """The database can't hold layers: it has no PostGIS, or tables of a later version."""


def migrations() -> Iterator[tuple[int, str]]:
    """Return number and text of each script in ``migrations/``, in order."""
    folder = resources.files("cvlarray.alerts.enrich") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    for name in names:
        yield int(name.split("_")[0]), (folder / name).read_text()


def migrate(connection: Connection[Any], schema: str) -> int:
    """Make the schema, or bring it up to date; safe to run at any time and by several at once.

    Parameters
    ----------
    connection
        Of a role that may create the schema; for the first run also the extension PostGIS.
    schema
        Name of the schema, any text.

    Returns
    -------
    Number of scripts that were run.

    Raises
    ------
    SchemaError
        If PostGIS can't be had, or the schema is of a later version than this program.
    """
    scripts = dict(migrations())
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        _make_schema(connection, schema)
        done = {row[0] for row in connection.execute("SELECT number FROM migration").fetchall()}
        if done - scripts.keys():
            raise SchemaError(
                f"schema {schema!r} is at version {max(done)}, this program knows "
                f"{max(scripts)}; upgrade cvlarray"
            )
        missing = sorted(scripts.keys() - done)
        for number in missing:
            connection.execute(scripts[number].encode())
            connection.execute("INSERT INTO migration (number) VALUES (%s)", [number])
    return len(missing)


def _make_schema(connection: Connection[Any], schema: str) -> None:
    """Make the schema and its list of migrations; a role that may only read can pass here later."""
    import psycopg  # noqa: PLC0415 - an extra
    from psycopg import sql  # noqa: PLC0415 - an extra

    there = "SELECT to_regclass(format('%%I.migration', %s::text)) IS NOT NULL"
    if connection.execute(there, [schema]).fetchone() == (True,):
        use_schema(connection, schema)
        return
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    except psycopg.Error as error:
        raise SchemaError(f"the database has no PostGIS: {error}") from error
    name = sql.Identifier(schema)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
    use_schema(connection, schema)
    connection.execute(
        sql.SQL(
            "CREATE TABLE {}.migration "
            "(number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        ).format(name)
    )


def use_schema(connection: Connection[Any], schema: str) -> None:
    """Put the schema before the one that PostGIS lives in, for this connection.

    Raises
    ------
    SchemaError
        If the database has no PostGIS.
    """
    from psycopg import sql  # noqa: PLC0415 - an extra

    found = connection.execute(
        "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
        "WHERE extname = 'postgis'"
    ).fetchone()
    if found is None:
        raise SchemaError("the database has no PostGIS; run migrate first")
    path = sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys((schema, found[0]))))
    connection.execute(sql.SQL("SET search_path TO {}").format(path))
