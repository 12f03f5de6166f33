"""The statements of the PostGIS backend. Values are always bound, identifiers are all our own."""

from __future__ import annotations

from cvlarray.alerts.enrich.clean import FEATURE_DTYPES

__all__ = [
    "ANALYSE_ALERTS",
    "COPY_FEATURES",
    "COPY_UPLOAD",
    "CREATE_ALERTS",
    "CREATE_UPLOAD",
    "FILL_AREAS",
    "FILL_BORDERS",
    "INDEX_ALERTS",
    "INSERT_LAYER",
    "LAYER_ID",
    "NEAREST",
    "NEAR_BORDERS",
    "OVERLAPS",
    "STORE_LOCK",
    "analyses",
    "partitions",
]

STORE_LOCK = "SELECT pg_advisory_xact_lock(4711020602)"

LAYER_ID = "SELECT id FROM layer WHERE key = %(key)s"

INSERT_LAYER = """
INSERT INTO layer (key, name, role, sha256, valid, licence, boundary_uncertainty_m, declared)
VALUES (%(key)s, %(name)s, %(role)s, %(sha256)s, %(valid)s, %(licence)s,
        %(boundary_uncertainty_m)s, %(declared)s::jsonb)
RETURNING id
"""

COPY_FEATURES = f"COPY feature (layer_id, feature, {', '.join(FEATURE_DTYPES)}, geom) FROM STDIN"

FILL_AREAS = """
INSERT INTO area_piece
SELECT layer_id, feature, (ST_Dump(piece)).geom
FROM feature, ST_Subdivide(geom, %(polygon)s) AS piece
WHERE layer_id = %(layer_id)s AND ST_Dimension(geom) = 2 AND ST_Dimension(piece) = 2
"""

FILL_BORDERS = """
INSERT INTO border_piece
SELECT layer_id, feature, piece
FROM feature,
     in_distance_plane(CASE ST_Dimension(geom) WHEN 2 THEN ST_Boundary(geom) ELSE geom END) AS line,
     ST_Subdivide(line, %(line)s) AS piece
WHERE layer_id = %(layer_id)s
"""

CREATE_UPLOAD = """
CREATE TEMPORARY TABLE upload (alert integer, shape text, scale double precision)
"""

COPY_UPLOAD = "COPY upload FROM STDIN"

CREATE_ALERTS = """
CREATE TEMPORARY TABLE alert AS
SELECT alert, geom, area_m2(geom) AS area_m2, in_distance_plane(geom) AS mercator, scale
FROM (SELECT alert, scale, ST_SetSRID(shape::geometry, 4326) AS geom FROM upload) AS read
"""

INDEX_ALERTS = "CREATE INDEX ON alert USING gist (geom)"

ANALYSE_ALERTS = "ANALYZE alert"

OVERLAPS = """
SELECT * FROM (
    SELECT a.alert, p.feature,
           sum(CASE WHEN ST_Covers(p.geom, a.geom) THEN a.area_m2
                    ELSE area_m2(ST_Intersection(p.geom, a.geom)) END) AS area_m2
    FROM alert a JOIN area_piece p ON ST_Intersects(p.geom, a.geom)
    WHERE p.layer_id = %(layer_id)s
    GROUP BY a.alert, p.feature
) AS overlap
WHERE area_m2 >= %(least)s
"""

NEAR_BORDERS = """
SELECT DISTINCT a.alert, b.feature
FROM alert a JOIN border_piece b ON ST_DWithin(b.mercator, a.mercator, %(reach)s * a.scale)
WHERE b.layer_id = %(layer_id)s
"""

# The feature is asked for in a second step: sorted by distance and feature, the index isn't used.
NEAREST = """
WITH touching AS MATERIALIZED (
    SELECT a.alert, min(p.feature) AS feature
    FROM alert a JOIN area_piece p ON ST_Intersects(p.geom, a.geom)
    WHERE p.layer_id = %(layer_id)s
    GROUP BY a.alert
)
SELECT a.alert, coalesce(t.feature, n.feature),
       CASE WHEN t.feature IS NULL THEN ground_length_m(ST_ShortestLine(a.mercator, n.mercator))
            ELSE 0 END
FROM alert a
CROSS JOIN LATERAL (
    SELECT b.mercator <-> a.mercator AS away FROM border_piece b
    WHERE b.layer_id = %(layer_id)s
    ORDER BY b.mercator <-> a.mercator LIMIT 1
) AS least
CROSS JOIN LATERAL (
    SELECT b.feature, b.mercator FROM border_piece b
    WHERE b.layer_id = %(layer_id)s AND ST_DWithin(b.mercator, a.mercator, least.away + 1e-9)
    ORDER BY b.feature LIMIT 1
) AS n
LEFT JOIN touching t USING (alert)
"""


def partitions(layer_id: int) -> list[str]:
    """Return the statements that make the places for a layer's pieces.

    Attaching lets others read the while, which creating as a partition wouldn't.
    """
    number = int(layer_id)
    return [
        statement
        for parent in ("area_piece", "border_piece")
        for statement in (
            f"CREATE TABLE {parent}_{number} (LIKE {parent} INCLUDING ALL)",
            f"ALTER TABLE {parent} ATTACH PARTITION {parent}_{number} FOR VALUES IN ({number})",
        )
    ]


def analyses(layer_id: int) -> list[str]:
    """Return the statements that tell the planner about a layer's pieces."""
    return [f"ANALYZE {parent}_{int(layer_id)}" for parent in ("area_piece", "border_piece")]
