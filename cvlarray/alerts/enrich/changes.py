"""What a new edition of the layers changed for alerts that were enriched before."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import geopandas as gpd
import pandas as pd

__all__ = ["CHANGE_COLUMNS", "Change", "jurisdiction_changes"]

CHANGE_COLUMNS = ("event_id", "layer", "code", "name", "change", "before", "after", "text")

SHARE_TOLERANCE = 0.01
"""Borders that move less than this part of the alert aren't news."""


class Change(StrEnum):
    """How a feature's relation to an alert changed."""

    ENTERED = "entered"
    """The alert lies in a feature it didn't lie in."""
    LEFT = "left"
    """The alert lies in a feature no more, or the feature is gone."""
    STATUS = "status"
    """The feature has another status."""
    BOUNDARY = "boundary"
    """Another share of the alert lies in the feature."""


def jurisdiction_changes(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> pd.DataFrame:
    """List what became different between two enrichments of the same alerts.

    Parameters
    ----------
    before, after
        Alerts with ``event_id`` and ``jurisdiction`` from `cvlarray.alerts.enrich.enrich`. Alerts
        that only one of them has are left out, and so are roads and rivers.

    Returns
    -------
    `CHANGE_COLUMNS`: a row for each change, sorted by event_id, layer and code. A feature is known
    by its layer and code, or its name where there is no code. ``before`` and ``after`` hold status
    or share, ``text`` says it in words: ``concession 010033716 'EL SOL': status 'T' → 'E', edition
    of 2026-01-01``.
    """
    new = dict(zip(after["event_id"], after["jurisdiction"], strict=True))
    rows = [
        {"event_id": event_id, **change}
        for event_id, trail in zip(before["event_id"], before["jurisdiction"], strict=True)
        if event_id in new
        for change in _compare(_features(trail), _features(new[event_id]))
    ]
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))
    return table.sort_values(["event_id", "layer", "code", "name"], ignore_index=True)


_Key = tuple[str, str]


def _features(trail: list[dict[str, Any]]) -> dict[_Key, dict[str, Any]]:
    """Return the features that overlap the alert, by layer and identity."""
    return {
        (entry["layer"], str(entry.get("code") or entry.get("name"))): entry
        for entry in reversed(trail)  # of several nameless features the largest counts
        if entry.get("share", 0) > 0
    }


def _compare(
    old: dict[_Key, dict[str, Any]], new: dict[_Key, dict[str, Any]]
) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was is None and now is not None:
            changes.append(_row(now, Change.ENTERED, None, now["share"]))
        elif now is None and was is not None:
            changes.append(_row(was, Change.LEFT, was["share"], None))
        elif was is not None and now is not None:
            if was.get("status") != now.get("status"):
                changes.append(_row(now, Change.STATUS, was.get("status"), now.get("status")))
            if abs(was["share"] - now["share"]) > SHARE_TOLERANCE:
                changes.append(_row(now, Change.BOUNDARY, was["share"], now["share"]))
    return changes


def _row(entry: dict[str, Any], change: Change, before: Any, after: Any) -> dict[str, Any]:
    code, name = entry.get("code"), entry.get("name")
    label = " ".join(filter(None, (entry["role"], code, f"'{name}'" if name else None)))
    edition = f", edition of {entry['valid']}" if "valid" in entry else ""
    return {
        "layer": entry["layer"],
        "code": code,
        "name": name,
        "change": change.value,
        "before": before,
        "after": after,
        "text": f"{label}: {change.value} {_said(before)} → {_said(after)}{edition}",
    }


def _said(value: Any) -> str:
    if value is None:
        return "none"
    return f"{100 * value:.0f} %" if isinstance(value, float) else f"'{value}'"
