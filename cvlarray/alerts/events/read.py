"""Events as they are known now, or were known on a date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import geopandas as gpd

from cvlarray.alerts.events.geopackage import VERSION_COLUMNS, connect, explained, table_of
from cvlarray.alerts.events.state import State

__all__ = ["read_events", "read_versions"]

COLUMNS = ", ".join(f"v.{name}" for name in VERSION_COLUMNS)

NOW = f"SELECT {COLUMNS} FROM event v"  # noqa: S608
AS_OF = f"""
    SELECT {COLUMNS} FROM event_version v JOIN (
        SELECT v.event_id, max(v.version) AS version
        FROM event_version v JOIN event_head h
        ON v.event_id = h.event_id AND v.revision = h.revision
        WHERE v.acquisition <= :day GROUP BY v.event_id
    ) last ON v.event_id = last.event_id AND v.version = last.version
"""  # noqa: S608
ALL = f"SELECT {COLUMNS} FROM event_version v"  # noqa: S608


def read_events(
    path: Path, *, as_of: dt.date | None = None, states: Sequence[State] = (State.CONFIRMED,)
) -> gpd.GeoDataFrame:
    """Return the events that a run knows.

    Parameters
    ----------
    path
        What `cvlarray.alerts.events.EventStore` wrote.
    as_of
        Return them as they stood after the observations up to this day; None: after all.
    states
        Which to return: those that are confirmed by default. Add `State.PENDING` for those that
        further observations have yet to confirm.

    Returns
    -------
    `EVENT_DTYPES` and ``geometry`` (EPSG:4326), ordered by ``first_detected`` and ``event_id``.

    Raises
    ------
    StoreError
        If the file is absent or no store of events.
    """
    query = NOW if as_of is None else AS_OF
    marks = ", ".join(f":state{number}" for number in range(len(states)))
    values = {f"state{number}": str(state) for number, state in enumerate(states)}
    values["day"] = str(as_of)
    order = "ORDER BY v.first_detected, v.event_id"
    return _read(path, f"{query} WHERE v.state IN ({marks}) {order}", values)


def read_versions(path: Path, event_id: str | None = None) -> gpd.GeoDataFrame:
    """Return all versions of an event, or of all events, in the order in which they were written.

    A version that later ones of a higher ``revision`` replaced is still there.

    Raises
    ------
    StoreError
        If the file is absent or no store of events.
    """
    where = "" if event_id is None else "WHERE v.event_id = :event_id"
    return _read(path, f"{ALL} {where} ORDER BY v.fid", {"event_id": event_id or ""})


def _read(path: Path, query: str, values: dict[str, str]) -> gpd.GeoDataFrame:
    with closing(connect(path, read_only=True)) as connection, explained(path):
        return table_of(connection.execute(query, values).fetchall())
