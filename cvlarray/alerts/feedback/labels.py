"""Verdicts as a labelled set for the next training cycle."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import pandas as pd

from cvlarray.alerts.feedback.verdict import Decision, standing_verdicts

__all__ = ["LABEL_DTYPES", "ROLLING_DAYS", "labelled_set"]

ROLLING_DAYS = 90
"""Length of the paper's training cycle (section 6.3) [days]."""

LABEL_DTYPES = {
    "event_id": "string",
    "class": "string",
    "is_change": "bool",
    "reason": "string",
    "confidence": "float64",
    "first_detected": "datetime64[ms]",
    "interval_start": "datetime64[ms]",
    "interval_end": "datetime64[ms]",
    "partner": "string",
    "reviewer": "string",
    "decided_at": "datetime64[us, UTC]",
    "alert_hash": "string",
}
"""Columns of a labelled set, beside ``geometry``. ``is_change`` False is a verified negative:
a place that looked changed from orbit and isn't, with the ``reason``."""


def labelled_set(
    alerts: gpd.GeoDataFrame,
    verdicts: pd.DataFrame,
    *,
    as_of: dt.datetime,
    window_days: int | None = ROLLING_DAYS,
) -> gpd.GeoDataFrame:
    """Return what reviewers settled in the days before a moment, verified negatives included.

    Parameters
    ----------
    alerts
        Alerts with the columns of `cvlarray.alerts.build_alerts`.
    verdicts
        `cvlarray.alerts.feedback.VERDICT_DTYPES`. Later ones than ``as_of`` are as if never given,
        so that a training set of the past can be made again.
    as_of
        End of the window, with a time zone; included.
    window_days
        Its length; None takes all verdicts up to then.

    Returns
    -------
    `LABEL_DTYPES` and ``geometry``, one row an event, by ``event_id``. Verdicts on events that
    aren't among ``alerts`` are left out.

    Raises
    ------
    ValueError
        If ``as_of`` has no time zone or the window isn't positive.
    """
    if as_of.tzinfo is None:
        raise ValueError(f"as_of needs a time zone, got {as_of.isoformat()}; such as UTC")
    if window_days is not None and window_days <= 0:
        raise ValueError(f"window_days must be positive or None, got {window_days}")
    standing = standing_verdicts(verdicts[verdicts["decided_at"] <= pd.Timestamp(as_of)])
    if window_days is not None:
        start = pd.Timestamp(as_of) - pd.Timedelta(days=window_days)
        standing = standing[standing["decided_at"] > start]
    columns = ["event_id", "reason", "partner", "reviewer", "decided_at", "alert_hash"]
    labels = alerts.merge(
        standing[columns].assign(is_change=standing["decision"] == Decision.CONFIRMED),
        on="event_id",
        suffixes=("_alert", ""),
    )
    ordered = labels.sort_values("event_id", ignore_index=True)
    return ordered[[*LABEL_DTYPES, alerts.geometry.name]].astype(LABEL_DTYPES)
