"""The PostGIS backend beside the bare SQL, on a server started for it; and beside GeoPandas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import shapely

from benchmarks.alerts_enrich import N_ALERTS, alerts, snapshots
from benchmarks.measure import compare, wall_seconds
from benchmarks.registry import Measurement, UnavailableError, measures
from cvlarray.alerts.enrich import GeoPandasBackend, PostgisBackend, Relation

if TYPE_CHECKING:
    import psycopg

AREA_STEP_M2 = 0.01
LENGTH_STEP_M = 1e-4

OVERLAPS = """
    SELECT a.id, f.id, ST_Area(ST_Intersection(a.geom, f.geom)::geography)
    FROM alerts a JOIN {layer} f ON ST_Intersects(a.geom, f.geom)
"""
NEAREST = """
    SELECT a.id, n.id, ST_Distance(a.geom::geography, n.geom::geography)
    FROM alerts a CROSS JOIN LATERAL (
        SELECT f.id, f.geom FROM {layer} f ORDER BY f.geom <-> a.geom LIMIT 1
    ) n
"""


@contextmanager
def database() -> Iterator[str]:
    """Start a server; return the libpq string of a database with PostGIS."""
    import psycopg

    from tests.postgis_server import INSTALL, create_database, has_postgis, running_server

    if not has_postgis():
        raise UnavailableError(f"no PostGIS here: {INSTALL}")
    with running_server() as server:
        name = create_database(server, "benchmark", "template1")
        with psycopg.connect(name, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")
        yield name


def put(connection: psycopg.Connection, table: str, geometry: gpd.GeoSeries) -> None:
    """Write geometries to a table with an index."""
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} (id int, geom geometry(Geometry, 4326))")
    shapes = shapely.to_wkb(
        shapely.set_srid(geometry.to_numpy(), 4326), hex=True, include_srid=True
    )
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in enumerate(shapes):
            copy.write_row(row)
    connection.execute(f"CREATE INDEX ON {table} USING gist (geom)")
    connection.execute(f"ANALYZE {table}")


def bare_sql(connection: psycopg.Connection, table: gpd.GeoDataFrame) -> list[list[tuple]]:
    """Return what one writes in psql: overlaps and nearest features of all layers."""
    put(connection, "alerts", table.geometry)
    found = []
    for number, snapshot in enumerate(snapshots()):
        is_nearest = snapshot.layer.relation is Relation.NEAREST
        query = (NEAREST if is_nearest else OVERLAPS).format(layer=f"layer{number}")
        found.append(connection.execute(query).fetchall())
    return found


@measures("enrich_postgis")
def enrich_postgis(n_alerts: int = N_ALERTS, pairs: int = 1) -> Measurement:
    """Layers are stored and indexed before; alerts are uploaded on both sides. Wall time."""
    import psycopg

    table, layers = alerts(n_alerts), snapshots()
    with database() as name, psycopg.connect(name, autocommit=True) as connection:
        backend = PostgisBackend(name)
        backend.measure(table.geometry.iloc[:10], layers)  # stores them
        for number, snapshot in enumerate(layers):
            put(connection, f"layer{number}", snapshot.features.geometry)
        comparison = compare(
            lambda: wall_seconds(lambda: backend.measure(table.geometry, layers)),
            lambda: wall_seconds(lambda: bare_sql(connection, table)),
            pairs=pairs,
        )
    ratio = 1 / comparison.ratio
    note = f"wall: ours {comparison.ours:.3g}, peer {comparison.peer:.3g} s; {n_alerts:,} alerts"
    return Measurement(ratio, "×", comparison.peer, ratio, note)


@measures("backend_difference")
def backend_difference(n_alerts: int = N_ALERTS) -> Measurement:
    """Relations that only one backend finds, or whose area or distance differs measurably."""
    table, layers = alerts(n_alerts), snapshots()
    with database() as name:
        theirs = PostgisBackend(name).measure(table.geometry, layers)
    ours = GeoPandasBackend().measure(table.geometry, layers)
    keys = ["layer", "alert", "feature"]
    joined = ours.merge(theirs, on=keys, how="outer", suffixes=("", "_other"), indicator=True)
    differs = joined["_merge"] != "both"
    for column, step in (("area_m2", AREA_STEP_M2), ("distance_m", LENGTH_STEP_M)):
        pair = joined[column].to_numpy(float), joined[f"{column}_other"].to_numpy(float)
        differs |= ~np.isclose(*pair, rtol=1e-7, atol=step, equal_nan=True)
    return Measurement(int(differs.sum()), "rows", note=f"of {len(joined):,}; {n_alerts:,} alerts")
