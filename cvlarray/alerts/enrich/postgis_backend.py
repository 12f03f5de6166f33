"""The backend on a server: the same measures in SQL, over layers kept in PostGIS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import shapely

from cvlarray.alerts.enrich import postgis_sql as queries
from cvlarray.alerts.enrich.backend import MIN_OVERLAP_M2, join_near, local_scale, relations
from cvlarray.alerts.enrich.clean import FEATURE_DTYPES
from cvlarray.alerts.enrich.layer import Relation
from cvlarray.alerts.enrich.pieces import LINE_VERTICES, POLYGON_VERTICES
from cvlarray.alerts.enrich.postgis_schema import migrate, use_schema
from cvlarray.alerts.enrich.snapshot import Snapshot
from cvlarray.alerts.enrich.table import connect

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgisBackend"]


class PostgisBackend:
    """Measures in PostGIS. Each edition of a layer is stored once, by its key.

    Parameters
    ----------
    database
        libpq connection string; empty: PGHOST, PGUSER … Passwords belong in ~/.pgpass or
        PGPASSWORD.
    schema
        Schema for the tables, made when it isn't there.
    """

    def __init__(self, database: str = "", *, schema: str = "cvlarray") -> None:
        self._database = database
        self._schema = schema

    def migrate(self) -> int:
        """Make the tables, or bring them up to date; returns the number of scripts run.

        Raises
        ------
        SchemaError
            If PostGIS can't be had, or the tables are of a later version.
        ConnectionError
            If the server can't be reached.
        MissingExtraError
            If psycopg isn't installed.
        """
        with connect(self._database, autocommit=True) as connection:
            return migrate(connection, self._schema)

    def measure(self, alerts: gpd.GeoSeries, snapshots: Sequence[Snapshot]) -> pd.DataFrame:
        """Hold alerts against layers; see `cvlarray.alerts.enrich.backend.Backend`.

        Layers that the database doesn't have yet are stored first.
        """
        self.migrate()
        with self._session() as connection:
            layer_ids = [_store(connection, snapshot) for snapshot in snapshots]
            _upload(connection, alerts.reset_index(drop=True))
            pairs = zip(layer_ids, snapshots, strict=True)
            tables = [_measure(connection, layer_id, snapshot) for layer_id, snapshot in pairs]
        return relations(table.assign(layer=layer) for layer, table in enumerate(tables))

    @contextmanager
    def _session(self) -> Iterator[Connection[Any]]:
        with connect(self._database, autocommit=True) as connection:
            use_schema(connection, self._schema)
            connection.execute("SET jit TO off")  # compiling costs more than these queries
            yield connection


def _store(connection: Connection[Any], snapshot: Snapshot) -> int:
    """Return the id of a layer, stored if it wasn't; all of it or nothing."""
    stored = _layer_id(connection, snapshot)
    if stored is not None:
        return stored
    with connection.transaction():
        # One process stores at a time; who waited here may find that the layer is there by now.
        connection.execute(queries.STORE_LOCK)
        stored = _layer_id(connection, snapshot)
        layer_id = _insert(connection, snapshot) if stored is None else stored
    for statement in queries.analyses(layer_id):
        connection.execute(statement.encode())
    return layer_id


def _layer_id(connection: Connection[Any], snapshot: Snapshot) -> int | None:
    row = connection.execute(queries.LAYER_ID, {"key": snapshot.key}).fetchone()
    return None if row is None else int(row[0])


def _insert(connection: Connection[Any], snapshot: Snapshot) -> int:
    layer = snapshot.layer
    row = {
        "key": snapshot.key,
        "name": layer.name,
        "role": layer.role.value,
        "sha256": snapshot.sha256,
        "valid": layer.valid,
        "licence": layer.licence,
        "boundary_uncertainty_m": layer.boundary_uncertainty_m,
        "declared": layer.model_dump_json(),
    }
    ((layer_id,),) = connection.execute(queries.INSERT_LAYER, row).fetchall()
    _copy_features(connection, layer_id, snapshot)
    for statement in queries.partitions(layer_id):
        connection.execute(statement.encode())
    numbers = {"layer_id": layer_id, "polygon": POLYGON_VERTICES, "line": LINE_VERTICES}
    connection.execute(queries.FILL_AREAS, numbers)
    connection.execute(queries.FILL_BORDERS, numbers)
    return int(layer_id)


def _copy_features(connection: Connection[Any], layer_id: int, snapshot: Snapshot) -> None:
    features = snapshot.features
    shapes = shapely.to_wkb(features.geometry.to_numpy(), hex=True, include_srid=True)
    columns = [
        [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]
        for column in (features[name] for name in FEATURE_DTYPES)
    ]
    with connection.cursor() as cursor, cursor.copy(queries.COPY_FEATURES) as copy:
        for number, (shape, *values) in enumerate(zip(shapes, *columns, strict=True)):
            copy.write_row((layer_id, number, *values, f"SRID=4326;{shape}"))


def _upload(connection: Connection[Any], alerts: gpd.GeoSeries) -> None:
    """Put the alerts into a table of this session, in both planes."""
    connection.execute(queries.CREATE_UPLOAD)
    shapes = shapely.to_wkb(alerts.to_numpy(), hex=True)
    scale = local_scale(alerts).tolist()
    with connection.cursor() as cursor, cursor.copy(queries.COPY_UPLOAD) as copy:
        for number, row in enumerate(zip(shapes, scale, strict=True)):
            copy.write_row((number, *row))
    connection.execute(queries.CREATE_ALERTS)
    connection.execute(queries.INDEX_ALERTS)
    connection.execute(queries.ANALYSE_ALERTS)


def _measure(connection: Connection[Any], layer_id: int, snapshot: Snapshot) -> pd.DataFrame:
    layer = snapshot.layer

    def ask(query: str, *columns: str, **values: float) -> pd.DataFrame:
        rows = connection.execute(query.encode(), {"layer_id": layer_id, **values}).fetchall()
        return pd.DataFrame(rows, columns=["alert", "feature", *columns])

    if layer.relation is Relation.NEAREST:
        return ask(queries.NEAREST, "distance_m")
    overlaps = ask(queries.OVERLAPS, "area_m2", least=MIN_OVERLAP_M2)
    if layer.relation is Relation.MATCH:
        return join_near(overlaps, ask(queries.NEAR_BORDERS, reach=layer.match.distance_m))
    if not layer.boundary_uncertainty_m:
        return overlaps
    near = ask(queries.NEAR_BORDERS, reach=layer.boundary_uncertainty_m)
    return join_near(overlaps, near.assign(near_border=True))
