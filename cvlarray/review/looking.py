"""What the database knows, as a visitor may see it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cvlarray.alerts.route import Priority
from cvlarray.review.access import Visitor
from cvlarray.review.database import ReviewDatabase
from cvlarray.review.listing import CELL_DEGREES

__all__ = ["STATES", "ListPage", "count_alerts", "find_alert", "list_page", "map_cells"]

STATES = ("open", "confirmed", "dismissed")

MOST_CELLS = 1000
"""Squares on the map at once."""

_URGENCIES = (*(priority.value for priority in Priority), "unassigned")


@dataclass(frozen=True)
class ListPage:
    """Some alerts of the list, in its order."""

    alerts: list[dict[str, Any]]
    next_after: str | None
    """The alert after which the next page begins; None at the end."""


def list_page(
    database: ReviewDatabase, visitor: Visitor, *, state: str, after: str | None, limit: int
) -> ListPage:
    """Return the alerts of one state: the most urgent first, then the largest.

    Raises
    ------
    LookupError
        If ``after`` is no alert of the visitor's.
    """
    place = (-1, 0.0, "") if after is None else _place(database, visitor, after)
    with database.explained():
        rows = database.connection.execute(
            """
            SELECT alert.event_id, alert.summary
            FROM queue JOIN alert USING (event_id)
            WHERE audience = ? AND state = ? AND (urgency, worth, queue.event_id) > (?, ?, ?)
                AND (?6 IS NULL OR queue.event_id = ?6)
            ORDER BY urgency, worth, queue.event_id LIMIT ?7
            """,
            (visitor.partner, state, *place, visitor.event_id, limit + 1),
        ).fetchall()
    shown = rows[:limit]
    has_more = len(rows) > limit
    return ListPage(
        [json.loads(row["summary"]) for row in shown],
        shown[-1]["event_id"] if has_more else None,
    )


def _place(database: ReviewDatabase, visitor: Visitor, event_id: str) -> tuple[int, float, str]:
    with database.explained():
        row = database.connection.execute(
            "SELECT urgency, worth FROM queue WHERE event_id = ? AND audience = ?",
            (event_id, visitor.partner),
        ).fetchone()
    if row is None:
        raise LookupError(f"there is no alert {event_id}")
    return row["urgency"], row["worth"], event_id


def count_alerts(database: ReviewDatabase, visitor: Visitor) -> dict[str, dict[str, int]]:
    """Return how many alerts there are, by state and priority; none of a priority is left out."""
    if visitor.event_id:
        query = "SELECT state, urgency, 1 AS n FROM queue WHERE audience = ? AND event_id = ?"
        values: tuple[str, ...] = (visitor.partner, visitor.event_id)
    else:
        query = "SELECT state, urgency, n FROM priority_count WHERE audience = ?"
        values = (visitor.partner,)
    counts: dict[str, dict[str, int]] = {state: {} for state in STATES}
    with database.explained():
        for row in database.connection.execute(query, values):
            if row["n"]:
                counts[row["state"]][_URGENCIES[row["urgency"]]] = row["n"]
    return counts


def map_cells(
    database: ReviewDatabase, visitor: Visitor, *, state: str
) -> tuple[list[float], list[float], list[int]]:
    """Return where alerts lie: longitudes and latitudes of squares' middles, and how many.

    The fullest squares, where there are more than the map can bear.
    """
    if visitor.event_id:
        return [], [], []
    with database.explained():
        rows = database.connection.execute(
            """
            SELECT cell_x, cell_y, n FROM cell_count WHERE audience = ? AND state = ? AND n > 0
            ORDER BY n DESC, cell_x, cell_y LIMIT ?
            """,
            (visitor.partner, state, MOST_CELLS),
        ).fetchall()
    return (
        [_middle(row["cell_x"]) for row in rows],
        [_middle(row["cell_y"]) for row in rows],
        [row["n"] for row in rows],
    )


def _middle(cell: int) -> float:
    return round((cell + 0.5) * CELL_DEGREES, 6)


def find_alert(
    database: ReviewDatabase, visitor: Visitor, event_id: str
) -> tuple[str, Mapping[str, Any]]:
    """Return an alert's state and its GeoJSON feature.

    Raises
    ------
    LookupError
        If there is none, or it isn't the visitor's; the two can't be told apart.
    """
    row = None
    if visitor.event_id in {None, event_id}:
        with database.explained():
            row = database.connection.execute(
                "SELECT state, feature FROM queue JOIN alert USING (event_id) "
                "WHERE audience = ? AND event_id = ?",
                (visitor.partner, event_id),
            ).fetchone()
    if row is None:
        raise LookupError(f"there is no alert {event_id}")
    return row["state"], json.loads(row["feature"])
