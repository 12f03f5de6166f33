"""What a partner says of an alert, and why."""

from __future__ import annotations

from enum import StrEnum

import pandas as pd

__all__ = ["VERDICT_DTYPES", "Decision", "Reason", "standing_verdicts"]


class Decision(StrEnum):
    """One click."""

    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    UNDONE = "undone"
    """Takes an earlier verdict back; both stay in the log."""


class Reason(StrEnum):
    """Why an alert was dismissed: the paper's four causes (section 6.3), and the rest."""

    CLOUD_HAZE = "cloud_haze"
    SEASONAL_WATER = "seasonal_water"
    SENSOR_CALIBRATION = "sensor_calibration"
    NATURAL_DISTURBANCE = "natural_disturbance"
    OTHER = "other"


VERDICT_DTYPES = {
    "verdict_id": "int64",
    "event_id": "string",
    "alert_hash": "string",
    "partner": "string",
    "reviewer": "string",
    "decision": "string",
    "reason": "string",
    "note": "string",
    "undoes": "Int64",
    "decided_at": "datetime64[us, UTC]",
}
"""Columns of the verdicts. ``verdict_id`` counts up in the order in which they were given;
``alert_hash`` tells which version of the alert was looked at; ``undoes`` is the id of the verdict
that an ``undone`` takes back, missing otherwise."""


def standing_verdicts(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return the verdict that stands for each event: the last that wasn't undone.

    Parameters
    ----------
    verdicts
        `VERDICT_DTYPES`, in any order.

    Returns
    -------
    At most one row an event, by ``verdict_id``; events whose verdicts were all undone are left out.
    """
    ordered = verdicts.sort_values("verdict_id")
    undone = ordered["undoes"].dropna()
    given = ordered[(ordered["decision"] != Decision.UNDONE) & ~ordered["verdict_id"].isin(undone)]
    return given.drop_duplicates("event_id", keep="last").reset_index(drop=True)
