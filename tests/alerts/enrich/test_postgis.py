"""What only a server can get wrong: schema, storing, names, connections."""

from __future__ import annotations

import sys
import threading
from importlib import resources

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cvlarray.alerts.enrich import (
    Layer,
    LayerError,
    PostgisBackend,
    Role,
    SchemaError,
    Snapshot,
    take_snapshot,
)
from cvlarray.alerts.enrich import postgis_backend as module
from cvlarray.alerts.enrich.postgis_schema import migrations
from cvlarray.errors import MissingExtraError
from tests.alerts.enrich.worlds import box, make_alerts, make_snapshot

psycopg = pytest.importorskip("psycopg")

EVIL = """x'); DROP TABLE layer; DROP SCHEMA "cvlarray" CASCADE; --"""


def ask(database, query, *values):
    with psycopg.connect(database, autocommit=True) as connection:
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def park():
    rows = {"geometry": [box(0, 0, 5, 5), box(5, 0, 5, 5)], "code": ["A", None]}
    return make_snapshot("park", Role.STRICT_PROTECTION, rows, boundary_uncertainty_m=10)


@pytest.fixture
def alerts():
    return make_alerts(box(4, 1, 2, 1), box(50, 0, 1, 1))


def test_migrations_are_numbered_without_gaps():
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert resources.files("cvlarray.alerts.enrich").joinpath("migrations").is_dir()


def test_migrating_twice_runs_nothing_twice(bare_database):
    backend = PostgisBackend(bare_database)
    assert backend.migrate() == len(list(migrations()))
    assert backend.migrate() == 0
    indexes = {
        row[0]
        for row in ask(
            bare_database, "SELECT indexname FROM pg_indexes WHERE schemaname = 'cvlarray'"
        )
    }
    assert {"area_piece_geom", "border_piece_mercator", "feature_geom"} <= indexes


def test_several_migrate_at_once(bare_database):
    done, errors = [], []

    def run():
        try:
            done.append(PostgisBackend(bare_database).migrate())
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(done) == [0, 0, 0, len(list(migrations()))]


def test_a_later_schema_is_refused(postgis_database, alerts, park):
    backend = PostgisBackend(postgis_database)
    backend.migrate()
    ask(postgis_database, "INSERT INTO cvlarray.migration (number) VALUES (999)")
    with pytest.raises(SchemaError, match="at version 999, this program knows 1; upgrade cvlarray"):
        backend.measure(alerts.geometry, [park])


def test_no_rights_to_make_the_extension(bare_database, postgis_server):
    ask(bare_database, "SELECT 1")
    with psycopg.connect(bare_database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN")
    guest = bare_database.replace("user=postgres", "user=guest")
    with pytest.raises(SchemaError, match="the database has no PostGIS: permission denied"):
        PostgisBackend(guest).migrate()


def test_a_role_that_only_reads_can_measure_what_is_stored(postgis_database, alerts, park):
    first = PostgisBackend(postgis_database).measure(alerts.geometry, [park])
    with psycopg.connect(postgis_database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA cvlarray TO reader")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA cvlarray TO reader")
    reader = PostgisBackend(postgis_database.replace("user=postgres", "user=reader"))
    assert reader.measure(alerts.geometry, [park]).equals(first)
    other = make_snapshot("other", Role.RIVER, {"geometry": [shapely.Point(-70, -12.5)]})
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.measure(alerts.geometry, [other])


def test_a_layer_is_stored_once(postgis_database, alerts, park, monkeypatch):
    backend = PostgisBackend(postgis_database)
    first = backend.measure(alerts.geometry, [park])
    monkeypatch.setattr(module, "_copy_features", None)  # would fail if it were called again
    assert backend.measure(alerts.geometry, [park]).equals(first)
    assert PostgisBackend(postgis_database).measure(alerts.geometry, [park]).equals(first)
    rows = ask(postgis_database, "SELECT name, sha256, role FROM cvlarray.layer")
    assert rows == [("park", park.sha256, "strict_protection")]
    stored = ask(
        postgis_database, "SELECT code, ST_AsText(geom) FROM cvlarray.feature ORDER BY feature"
    )
    assert [row[0] for row in stored] == ["A", None]
    shapes = shapely.from_wkt([row[1] for row in stored])
    assert shapely.equals_exact(
        shapes, park.features.geometry.to_numpy(), 1e-12, normalize=True
    ).all()


def test_storing_that_breaks_off_leaves_nothing(postgis_database, alerts, park, monkeypatch):
    backend = PostgisBackend(postgis_database)
    with monkeypatch.context() as patch:
        patch.setattr(module.queries, "FILL_BORDERS", "SELECT 1/0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            backend.measure(alerts.geometry, [park])
    assert ask(postgis_database, "SELECT count(*) FROM cvlarray.layer") == [(0,)]
    assert ask(postgis_database, "SELECT count(*) FROM cvlarray.feature") == [(0,)]
    assert len(backend.measure(alerts.geometry, [park])) == 2


def test_several_store_the_same_layer_at_once(postgis_database, alerts, park):
    PostgisBackend(postgis_database).migrate()
    results, errors = [], []

    def run():
        try:
            results.append(PostgisBackend(postgis_database).measure(alerts.geometry, [park]))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(result.equals(results[0]) for result in results)
    assert ask(postgis_database, "SELECT count(*) FROM cvlarray.layer") == [(1,)]


def test_reading_does_not_wait_for_storing(postgis_database, alerts, park):
    impatient = PostgisBackend(f"{postgis_database} options='-c lock_timeout=2000'")
    first = impatient.measure(alerts.geometry, [park])
    with psycopg.connect(postgis_database) as storing:
        storing.execute("SET search_path TO cvlarray, public")
        storing.execute(module.queries.STORE_LOCK)
        for statement in module.queries.partitions(999):
            storing.execute(statement)
        assert impatient.measure(alerts.geometry, [park]).equals(first)
        storing.rollback()


def test_sql_in_names_is_only_text(postgis_database, alerts):
    rows = {"geometry": [box(0, 0, 5, 5)], "code": [EVIL], "name": [EVIL]}
    evil = make_snapshot(EVIL, Role.CONCESSION, rows, licence=EVIL)
    backend = PostgisBackend(postgis_database, schema=EVIL[:60])
    assert len(backend.measure(alerts.geometry, [evil])) == 1
    assert len(backend.measure(alerts.geometry, [evil])) == 1
    PostgisBackend(postgis_database).measure(alerts.geometry, [evil])
    assert ask(postgis_database, "SELECT name FROM cvlarray.layer") == [(EVIL,)]
    assert ask(
        postgis_database, "SELECT count(*) FROM pg_namespace WHERE nspname = %s", EVIL[:60]
    ) == [(1,)]


def test_two_schemas_do_not_meet(postgis_database, alerts, park):
    PostgisBackend(postgis_database, schema="one").measure(alerts.geometry, [park])
    PostgisBackend(postgis_database, schema="two").migrate()
    assert ask(postgis_database, "SELECT count(*) FROM two.layer") == [(0,)]


def test_no_alerts_no_layers_and_points(postgis_database, alerts, park):
    backend = PostgisBackend(postgis_database)
    assert len(backend.measure(alerts.geometry.iloc[:0], [park])) == 0
    assert len(backend.measure(alerts.geometry, [])) == 0
    points = make_snapshot("p", Role.RIVER, {"geometry": [shapely.Point(-70, -12.5)]})
    assert (backend.measure(alerts.geometry, [points])["distance_m"] > 1000).all()


def test_no_server():
    with pytest.raises(ConnectionError, match="no connection to PostgreSQL: "):
        PostgisBackend("host=127.0.0.1 port=1 connect_timeout=1").migrate()


def test_without_psycopg(monkeypatch, alerts, park):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cvlarray\[postgis\]'"):
        PostgisBackend().measure(alerts.geometry, [park])


class TestTable:
    """A layer read from somebody's own table."""

    def layer(self, database, table, **declared):
        source = {"table": table, "database": database} | declared.pop("source", {})
        columns = {"code": "CODIGOU", "status": "ESTADO"}
        return Layer(
            **{"name": "t", "role": "concession", "source": source, "columns": columns} | declared
        )

    def fill(self, database, table, srids=(32718, 32719)):
        shapes = gpd.GeoSeries([box(-500, 0, 2, 2), box(0, 0, 2, 2)], crs=4326)
        with psycopg.connect(database, autocommit=True) as connection:
            name = psycopg.sql.Identifier(table)
            connection.execute(
                psycopg.sql.SQL(
                    'CREATE TABLE {} ("CODIGOU" text, "ESTADO" text, geom geometry)'
                ).format(name)
            )
            for shape, srid, state in zip(shapes, srids, "TX", strict=True):
                projected = gpd.GeoSeries([shape], crs=4326).to_crs(srid or 32719).iloc[0]
                connection.execute(
                    psycopg.sql.SQL(
                        "INSERT INTO {} VALUES (%s, %s, ST_SetSRID(%s::geometry, %s))"
                    ).format(name),
                    [state * 3, state, projected.wkb_hex, srid],
                )
        return shapes

    @pytest.mark.parametrize("table", ["concesiones", EVIL[:60], 'Q"uoted Ñ'])
    def test_rows_of_mixed_zones(self, postgis_database, table):
        shapes = self.fill(postgis_database, table)
        snapshot = take_snapshot(self.layer(postgis_database, table))
        assert snapshot.features["code"].tolist() == ["TTT", "XXX"]
        assert snapshot.features["licence"].tolist() == ["licensed", "lapsed"]
        off = shapely.hausdorff_distance(snapshot.features.geometry.to_numpy(), shapes.to_numpy())
        assert off.max() < 1e-6

    def test_hash_is_of_the_rows_whatever_their_order(self, postgis_database):
        self.fill(postgis_database, "t")
        layer = self.layer(postgis_database, "t")
        before = take_snapshot(layer).sha256
        ask(postgis_database, 'CREATE TABLE u AS SELECT * FROM t ORDER BY "CODIGOU" DESC')
        assert take_snapshot(self.layer(postgis_database, "u")).sha256 == before
        ask(postgis_database, """UPDATE t SET "ESTADO" = 'X'""")
        assert take_snapshot(layer).sha256 != before

    @pytest.mark.parametrize(
        ("table", "source", "reason"),
        [
            ("gone", {}, 'relation "public.gone" does not exist'),
            ("t", {"geometry": "shape"}, "column t.shape does not exist"),
            ("t; DROP TABLE t", {}, "does not exist"),
            ("empty", {}, "table 'empty' is empty"),
            ("unplaced", {}, "table 'unplaced' has geometries without SRID"),
        ],
    )
    def test_tables_that_cannot_be_read(self, postgis_database, table, source, reason):
        self.fill(postgis_database, "t")
        self.fill(postgis_database, "unplaced", srids=(32719, 0))
        ask(postgis_database, "CREATE TABLE empty (geom geometry)")
        with pytest.raises(LayerError, match="layer 't' can't be read") as refusal:
            take_snapshot(self.layer(postgis_database, table, source=source))
        assert reason in str(refusal.value)
        assert "\n" not in str(refusal.value)
        assert ask(postgis_database, "SELECT count(*) FROM t") == [(2,)]

    def test_no_server(self):
        with pytest.raises(LayerError, match="no connection to PostgreSQL"):
            take_snapshot(self.layer("host=127.0.0.1 port=1 connect_timeout=1", "t"))


def test_a_stored_layer_keeps_its_edition(postgis_database, alerts):
    backend = PostgisBackend(postgis_database)
    for x in (0, 100):
        rows = {"geometry": [box(x, 0, 5, 5)]}
        edition = make_snapshot("park", Role.BUFFER_ZONE, rows, valid=f"202{x // 100}-01-01")
        found = backend.measure(alerts.geometry, [edition])
        np.testing.assert_array_equal(found["alert"], [0] if x == 0 else [])
        assert isinstance(edition, Snapshot)
    assert ask(postgis_database, "SELECT count(*) FROM cvlarray.layer WHERE name = 'park'") == [
        (2,)
    ]
