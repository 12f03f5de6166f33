"""Alerts into the database, in the order in which reviewers meet them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from cvlarray.alerts.files import plain_value, plain_values, with_lists
from cvlarray.alerts.route import Partner, Priority, concerns
from cvlarray.review.database import ReviewDatabase

__all__ = ["CELL_DEGREES", "OPERATOR", "list_alerts"]

OPERATOR = ""
"""Audience that sees every alert."""

CELL_DEGREES = 0.1
"""Edge of the squares in which the map counts alerts, about 11 km."""

M2_PER_HA = 10_000

SUMMARY_COLUMNS = (
    "event_id",
    "class",
    "priority",
    "confidence",
    "first_detected",
    "area_m2",
    "needs_review",
)
"""What a line of the list shows."""

_URGENCY = {priority.value: rank for rank, priority in enumerate(Priority)}


def list_alerts(
    database: ReviewDatabase, alerts: gpd.GeoDataFrame, partners: Sequence[Partner]
) -> int:
    """Bring the database up to date with the alerts, in one transaction.

    Parameters
    ----------
    database
        Where to write. Verdicts stay as they are: an alert that grew keeps them.
    alerts
        Everything in ``alerts.parquet``, EPSG:4326; lists and mappings may be JSON text, as there.
        Alerts that are no longer there leave the list; their verdicts stay in the log.
    partners
        Who may see which alerts. A change of theirs lists everything anew.

    Returns
    -------
    How many alerts were new, had changed, or left.
    """
    events = alerts["event_id"].tolist()
    current = dict(zip(events, _hashes(alerts, partners), strict=True))
    with database.explained():
        cursor = database.connection.cursor()
        cursor.row_factory = None  # a million plain tuples cost a third
        known = dict(cursor.execute("SELECT event_id, alert_hash FROM alert WHERE is_current = 1"))
    is_changed = [known.get(event) != current[event] for event in events]
    # In the order of the table's key: each row then goes to the end of a page.
    changed = with_lists(alerts[is_changed].sort_values("event_id"))
    gone = [event for event in known if event not in current]
    if changed.empty and not gone:
        return 0
    with database.transaction() as connection:
        leaving = [(event,) for event in (*gone, *changed["event_id"])]
        judged = connection.execute("SELECT event_id, state FROM queue WHERE state <> 'open'")
        standing = dict(map(tuple, judged))
        connection.executemany("DELETE FROM queue WHERE event_id = ?", leaving)
        connection.executemany(
            "UPDATE alert SET is_current = 0 WHERE event_id = ?", [(event,) for event in gone]
        )
        connection.executemany(
            "INSERT OR REPLACE INTO alert VALUES (?, ?, 1, ?, ?)",
            _alert_rows(changed, current),
        )
        connection.executemany(
            "INSERT INTO queue VALUES (?, ?, ?, ?, ?, ?, ?)",
            _queue_rows(changed, partners, standing),
        )
    return len(changed) + len(gone)


def _hashes(alerts: gpd.GeoDataFrame, partners: Sequence[Partner]) -> list[str]:
    """Return what changes when anything about an alert, or who may see it, does."""
    table = pd.DataFrame(alerts.drop(columns=alerts.geometry.name))
    for name in table.select_dtypes("object").columns:
        table[name] = [
            value if type(value) is str else json.dumps(plain_value(value), sort_keys=True)
            for value in table[name]
        ]
    table["_shape"] = shapely.to_wkb(alerts.geometry.to_numpy())
    rows = pd.util.hash_pandas_object(table, index=False).to_numpy()
    readers = json.dumps([partner.model_dump(mode="json") for partner in partners])
    names = ",".join(map(str, table.columns))
    salt = hashlib.sha256(f"{readers}|{names}".encode()).hexdigest()[:16]
    return [f"{row:016x}{salt}" for row in rows]


def _alert_rows(
    alerts: gpd.GeoDataFrame, hashes: Mapping[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    properties = alerts.drop(columns=alerts.geometry.name)
    points = alerts.geometry.representative_point()
    shapes = shapely.to_geojson(alerts.geometry.to_numpy())
    places = zip(points.x.round(6), points.y.round(6), strict=True)
    columns = [plain_values(properties[name]) for name in properties]
    for values, place, shape in zip(zip(*columns, strict=True), places, shapes, strict=True):
        plain = dict(zip(properties, values, strict=True))
        summary = {name: plain[name] for name in SUMMARY_COLUMNS if name in plain}
        event = str(plain["event_id"])
        text = _text({**summary, "place": place})
        feature = f'{{"type":"Feature","geometry":{shape},"properties":{_text(plain)}}}'
        yield event, hashes[event], text, feature


_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _queue_rows(
    alerts: gpd.GeoDataFrame, partners: Sequence[Partner], standing: Mapping[str, str]
) -> Iterator[tuple[str, str, int, float, str, int, int]]:
    points = alerts.geometry.representative_point()
    expected_ha = (alerts["confidence"] * alerts["area_m2"] / M2_PER_HA).fillna(0.0)
    order = pd.DataFrame(
        {
            "state": [standing.get(event, "open") for event in alerts["event_id"]],
            "urgency": alerts["priority"].map(_URGENCY).fillna(len(_URGENCY)).astype(int),
            "worth": -expected_ha,
            "event_id": alerts["event_id"],
            "cell_x": [math.floor(x / CELL_DEGREES) for x in points.x],
            "cell_y": [math.floor(y / CELL_DEGREES) for y in points.y],
        }
    )
    for audience, is_theirs in _audiences(alerts, partners):
        for row in order[is_theirs].itertuples(index=False, name=None):
            yield audience, *row


def _audiences(alerts: gpd.GeoDataFrame, partners: Sequence[Partner]) -> Iterator[tuple[str, Any]]:
    yield OPERATOR, slice(None)
    for partner in partners:
        yield partner.name, concerns(partner, alerts)
