"""Whether other systems saw the same: agreement in place and time, which is never truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["AGREEMENT_DTYPES", "agreements", "days_apart"]

AGREEMENT_DTYPES = {
    "agreement_n": "int64",
    "agreement_layers": "string",
    "agreement_days": "float64",
    "agreement": "object",
}
"""Columns that `agreements` gives."""

DateArray = npt.NDArray[np.datetime64]


def agreements(
    alerts: gpd.GeoDataFrame, facts: pd.DataFrame, windows_days: Mapping[str, int]
) -> pd.DataFrame:
    """Sum up which external alerts agree with which alerts.

    Parameters
    ----------
    alerts
        (n,) alerts with ``first_detected``; where ``interval_start`` and ``interval_end`` are known
        the change lies between them, else it is dated ``first_detected``.
    facts
        Rows of `cvlarray.alerts.enrich.facts.relate` for layers of external alerts.
    windows_days
        Layer name to the number of days that two dates may be apart.

    Returns
    -------
    (n,) by position: ``agreement_n``, the number of layers with an external alert near enough in
    place and time; ``agreement_layers``, their names joined by ", "; ``agreement_days``, the number
    of days between the two, the smallest of all, negative where the other system was earlier, 0
    where the intervals overlap, NaN without agreement; and ``agreement``, a list of JSON mappings,
    one a layer: layer, n_features, days, dated_from, dated_to and confidence of the nearest in
    time, share of the alert's area that they cover, and sha256.

    Raises
    ------
    ValueError
        If there are external alerts to match and the alerts have no ``first_detected``.
    """
    n_alerts = len(alerts)
    found: list[list[dict[str, Any]]] = [[] for _ in range(n_alerts)]
    if len(facts):
        for (alert, layer), group in _agreeing(alerts, facts, windows_days):
            found[alert].append(_entry(layer, group))
    days = [min((entry["days"] for entry in entries), key=abs, default=np.nan) for entries in found]
    names = [", ".join(entry["layer"] for entry in entries) or None for entries in found]
    return pd.DataFrame(
        {
            "agreement_n": [len(entries) for entries in found],
            "agreement_layers": pd.Series(names, dtype="string"),
            "agreement_days": np.array(days, np.float64),
            "agreement": pd.Series(found, dtype=object),
        },
        index=range(n_alerts),
    )


def days_apart(
    start: DateArray, end: DateArray, other_start: DateArray, other_end: DateArray
) -> npt.NDArray[np.float64]:
    """Return how many days lie between two intervals.

    Parameters
    ----------
    start, end, other_start, other_end
        (n,) dates, both included. NaT as a start is long ago, as an end it is unknown.

    Returns
    -------
    (n,) days: negative where the other one ends before, positive where it starts after, 0 where
    they overlap, NaN where an end is unknown.
    """
    start, end, other_start, other_end = (
        days.astype("datetime64[D]") for days in (start, end, other_start, other_end)
    )
    before, after = _days(other_end - start), _days(other_start - end)
    apart = np.where(before < 0, before, np.where(after > 0, after, 0.0))
    return np.where(np.isnat(end) | np.isnat(other_end), np.nan, apart)


def _days(difference: npt.NDArray[np.timedelta64]) -> npt.NDArray[np.float64]:
    """Return days; 0 for NaT, which decides nothing."""
    known = ~np.isnat(difference)
    return np.where(known, difference.astype("int64"), 0).astype(np.float64)


def _agreeing(
    alerts: gpd.GeoDataFrame, facts: pd.DataFrame, windows_days: Mapping[str, int]
) -> Any:
    """Return the facts near enough in time, grouped by alert and layer, the nearest first."""
    start, end = _intervals(alerts)
    alert = facts["alert"].to_numpy()
    days = days_apart(
        start[alert], end[alert], facts["dated_from"].to_numpy(), facts["dated_to"].to_numpy()
    )
    dated = facts.assign(days=days, _away=np.abs(days))
    near = dated[dated["_away"] <= dated["layer"].map(windows_days)]
    ranked = near.sort_values(["alert", "layer", "_away", "days", "dated_from"], kind="stable")
    return ranked.groupby(["alert", "layer"], sort=True)


def _intervals(alerts: gpd.GeoDataFrame) -> tuple[DateArray, DateArray]:
    if "first_detected" not in alerts:
        raise ValueError(f"alerts must have first_detected to be matched, got {[*alerts]}")
    first = pd.to_datetime(alerts["first_detected"])
    start, end = (
        pd.to_datetime(alerts[name]).fillna(first) if name in alerts else first
        for name in ("interval_start", "interval_end")
    )
    return start.to_numpy("datetime64[D]"), end.to_numpy("datetime64[D]")


def _entry(layer: str, group: pd.DataFrame) -> dict[str, Any]:
    nearest = group.iloc[0]
    entry = {
        "layer": layer,
        "n_features": len(group),
        "days": int(nearest["days"]),
        "dated_from": _iso(nearest["dated_from"]),
        "dated_to": _iso(nearest["dated_to"]),
        "confidence": None if pd.isna(nearest["confidence"]) else str(nearest["confidence"]),
        "share": round(min(1.0, float(group["share"].sum())), 6),
        "sha256": nearest["sha256"],
    }
    return {name: value for name, value in entry.items() if value is not None}


def _iso(date: Any) -> str | None:
    return None if pd.isna(date) else str(date.date().isoformat())
