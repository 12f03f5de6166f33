"""Reading a layer from a PostGIS table, and the extra that it needs."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import shapely

from cvlarray.alerts.enrich.layer import TableSource
from cvlarray.errors import MissingExtraError

if TYPE_CHECKING:
    import psycopg

__all__ = ["connect", "read_table"]


def connect(database: str, **options: Any) -> psycopg.Connection[Any]:
    """Open a connection to PostgreSQL.

    Raises
    ------
    MissingExtraError
        If psycopg isn't installed.
    ConnectionError
        If the server can't be reached or refuses.
    """
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError(
            "PostGIS needs psycopg 3; install it with: pip install 'cvlarray[postgis]'"
        ) from error
    try:
        return psycopg.connect(database, **options)
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        raise ConnectionError(f"no connection to PostgreSQL: {reason}") from error


def read_table(source: TableSource) -> tuple[tuple[gpd.GeoDataFrame, ...], str]:
    """Read all rows of a table, and hash them whatever their order.

    Table, schema and column names are quoted as identifiers, so no text in them is ever run.

    Returns
    -------
    A frame for each SRID in the geometry column, and the SHA-256 of the sorted rows.

    Raises
    ------
    MissingExtraError
        If psycopg isn't installed.
    ConnectionError
        If the server can't be reached.
    ValueError
        If the table can't be read, is empty, or has geometries without SRID.
    """
    rows = _fetch(source)
    if not rows:
        raise ValueError(f"table {source.table!r} is empty")
    lines = sorted(f"{json.dumps(row[0], sort_keys=True)} {row[1]} {row[2]}" for row in rows)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    attributes = pd.DataFrame([row[0] for row in rows])
    srids = pd.Series([row[1] for row in rows])
    if (srids == 0).any():
        raise ValueError(f"table {source.table!r} has geometries without SRID")
    geometry = shapely.from_wkb([row[2] for row in rows])
    frames = tuple(
        gpd.GeoDataFrame(attributes.loc[part.index], geometry=geometry[part.index], crs=int(srid))
        for srid, part in srids.groupby(srids)
    )
    return frames, digest


def _fetch(source: TableSource) -> list[Any]:
    with connect(source.database) as connection:
        import psycopg  # noqa: PLC0415 - an extra
        from psycopg import sql  # noqa: PLC0415 - an extra

        query = sql.SQL(
            "SELECT to_jsonb(t) - {name}, ST_SRID(t.{geometry}), "
            "encode(ST_AsBinary(t.{geometry}), 'hex') FROM {table} t"
            " WHERE t.{geometry} IS NOT NULL"
        ).format(
            name=sql.Literal(source.geometry),
            geometry=sql.Identifier(source.geometry),
            table=sql.Identifier(source.schema_name, source.table),
        )
        try:
            return connection.execute(query).fetchall()
        except psycopg.Error as error:
            raise ValueError(f"table {source.table!r}: {error}") from error
