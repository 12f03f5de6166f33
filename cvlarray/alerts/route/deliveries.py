"""Which partner receives which alert, within what the partner can look at."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from cvlarray.alerts.route.partner import Partner
from cvlarray.alerts.route.rule import Priority, Queue

__all__ = ["DELIVERY_DTYPES", "concerns", "deliver_to"]

DELIVERY_DTYPES = {
    "event_id": "string",
    "partner": "string",
    "tier": "string",
    "queue": "string",
    "priority": "string",
    "rank": "Int64",
    "expected_ha": "float64",
    "access": "float64",
    "package": "string",
    "reason": "string",
}
"""Columns of the deliveries; a row is one alert for one partner. ``rank`` counts from 1 within the
partner's inbox and digest, and is missing in the monitoring queue. ``expected_ha`` is confidence ×
area; ``access`` is 1 beside a road or river, a half at the partner's ``access_km``."""

M2_PER_HA = 10_000

BoolArray = npt.NDArray[np.bool_]


def deliver_to(partners: Sequence[Partner], alerts: gpd.GeoDataFrame) -> pd.DataFrame:
    """Say which partner receives which alert, and whether in the inbox, digest or for monitoring.

    Within a partner, alerts are ranked by priority and then by expected hectares × access; the
    first ``capacity`` go to the inbox and the rest to the digest, so that nothing is lost.

    Parameters
    ----------
    partners
        Names must be unique.
    alerts
        Routed alerts.

    Returns
    -------
    Table of `DELIVERY_DTYPES`, by partner in the order given, then queue and rank.
    """
    tables = [_one_partner(partner, alerts) for partner in partners]
    tables = [table for table in tables if len(table)]
    empty = pd.DataFrame({name: [] for name in DELIVERY_DTYPES})
    joined = pd.concat(tables, ignore_index=True) if tables else empty
    return joined.astype(DELIVERY_DTYPES)[list(DELIVERY_DTYPES)]


def _one_partner(partner: Partner, alerts: gpd.GeoDataFrame) -> pd.DataFrame:
    taken = alerts[concerns(partner, alerts)]
    monitoring = taken["queue"] == Queue.MONITORING
    wanted = taken["priority"].isin([priority.value for priority in partner.priorities])
    asked, kept = taken[~monitoring & wanted], taken[monitoring]
    ranked = _ranked(partner, asked)
    parts = [part for part in (ranked, _kept(partner, kept)) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else ranked


def _kept(partner: Partner, alerts: gpd.GeoDataFrame) -> pd.DataFrame:
    rows = _rows(partner, alerts)
    rows["queue"] = Queue.MONITORING.value
    rows["rank"] = pd.array([None] * len(rows), dtype="Int64")
    rows["reason"] = [reasoning["text"] for reasoning in alerts["reasoning"]]
    return rows.sort_values("event_id")


def concerns(partner: Partner, alerts: gpd.GeoDataFrame) -> BoolArray:
    """Return which alerts are the partner's by place, class and confidence.

    Parameters
    ----------
    partner
        Whose.
    alerts
        (n,) alerts in EPSG:4326 with ``class`` and ``confidence``, and ``jurisdiction`` for a
        partner with codes.
    """
    concerns: BoolArray = (alerts["confidence"] >= partner.min_confidence).to_numpy(bool)
    if partner.classes:
        concerns &= alerts["class"].isin(partner.classes).to_numpy(bool)
    if partner.area is None and not partner.codes:
        return concerns
    inside = np.zeros(len(alerts), bool)
    if partner.area is not None:
        inside |= alerts.geometry.intersects(partner.area).to_numpy(bool)
    if partner.codes:
        codes = set(partner.codes)
        inside |= np.array(
            [
                any(entry.get("code") in codes and entry.get("share", 0) > 0 for entry in trail)
                for trail in alerts["jurisdiction"]
            ],
            bool,
        )
    return concerns & inside


def _rows(partner: Partner, alerts: gpd.GeoDataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "event_id": alerts["event_id"],
            "partner": partner.name,
            "tier": partner.tier.value,
            "priority": alerts["priority"],
            "expected_ha": alerts["confidence"] * alerts["area_m2"] / M2_PER_HA,
            "access": _access(partner, alerts),
            "package": partner.form.value,
        }
    )


def _access(partner: Partner, alerts: gpd.GeoDataFrame) -> pd.Series:
    """Return 1 beside a road or river, falling with the way; 1 where nothing is known."""
    ways: pd.Series = alerts[["distance_to_road_m", "distance_to_river_m"]].min(axis=1)
    if partner.access_km is None:
        return pd.Series(1.0, index=alerts.index)
    return (1 / (1 + ways / (1000 * partner.access_km))).fillna(1.0)


def _ranked(partner: Partner, alerts: gpd.GeoDataFrame) -> pd.DataFrame:
    urgency = {priority.value: rank for rank, priority in enumerate(Priority)}
    rows = _rows(partner, alerts)
    rows["_reasoning"] = alerts["reasoning"]
    rows["_for_digest"] = alerts["queue"] != Queue.INBOX
    rows["_urgency"] = rows["priority"].map(urgency)
    rows["_worth"] = -rows["expected_ha"] * rows["access"]
    order = ["_for_digest", "_urgency", "_worth", "event_id"]
    rows = rows.sort_values(order, ignore_index=True)
    rows["rank"] = pd.array(np.arange(1, len(rows) + 1), dtype="Int64")
    capacity = len(rows) if partner.capacity is None else partner.capacity
    fits = (np.arange(len(rows)) < capacity) & ~rows["_for_digest"].to_numpy(bool)
    rows["queue"] = np.where(fits, Queue.INBOX.value, Queue.DIGEST.value)
    rows["reason"] = [
        f"{why['text']}; {_place(rank, capacity, len(rows))}, {hectares:.3g} ha expected"
        for rank, (why, hectares) in enumerate(
            zip(rows["_reasoning"], rows["expected_ha"], strict=True), start=1
        )
    ]
    return rows


def _place(rank: int, capacity: int, n_alerts: int) -> str:
    beyond = f", beyond the capacity of {capacity}" if rank > capacity else ""
    return f"rank {rank} of {n_alerts}{beyond}"
