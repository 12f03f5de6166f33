"""What a system of alerts did in a period: the tables of sections 6.2 and 6.3 of the paper."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from cvlarray.alerts.feedback import (
    Calibration,
    Decision,
    Reason,
    calibrate,
    expected_calibration_error,
    standing_verdicts,
)
from cvlarray.alerts.latency import Latency, latency_summary
from cvlarray.alerts.statistics.interval import wilson_interval

__all__ = ["Feedback", "Operations", "operations"]


@dataclass(frozen=True)
class Feedback:
    """What partners said of the alerts of a period."""

    n_alerts: int
    n_confirmed: int
    n_dismissed: int
    reasons: Mapping[str, int]
    """Dismissed alerts by reason."""
    calibration: Calibration | None
    """What stated confidence is worth, by these verdicts; None without any."""
    calibration_error: float
    """How far it is off on average, 0 to 1; NaN without any."""

    @property
    def n_judged(self) -> int:
        """Alerts with a verdict."""
        return self.n_confirmed + self.n_dismissed

    @property
    def precision(self) -> float:
        """Share of the judged alerts that was confirmed; NaN if none was judged.

        Partners choose which alerts they judge: it is no estimate for the others.
        """
        return self.n_confirmed / self.n_judged if self.n_judged else float("nan")

    @property
    def precision_interval(self) -> tuple[float, float]:
        """Interval of 95 % confidence (Wilson)."""
        return wilson_interval(self.n_confirmed, self.n_judged)


@dataclass(frozen=True)
class Operations:
    """The tables of a period."""

    start: dt.date
    end: dt.date
    monitored_km2: float
    by_priority: pd.DataFrame
    """``n`` and ``share`` of the alerts confirmed in the period, by priority."""
    by_class: pd.DataFrame
    """The same by class, the most frequent first."""
    latency: pd.DataFrame
    """`cvlarray.alerts.latency.latency_summary`."""
    delivered: pd.Series
    """Alerts by the partner that they reached, the most first."""
    n_delivered: int
    """Alerts that reached anybody."""
    feedback: Feedback

    @property
    def n_alerts(self) -> int:
        """Alerts confirmed in the period."""
        return self.feedback.n_alerts


def operations(
    alerts: gpd.GeoDataFrame,
    verdicts: pd.DataFrame,
    latencies: Mapping[str, Latency],
    reached: Mapping[str, Collection[str]],
    *,
    start: dt.date,
    end: dt.date,
    monitored_km2: float,
) -> Operations:
    """Return the tables of a period.

    Parameters
    ----------
    alerts
        With ``event_id``, ``class``, ``priority``, ``confidence`` and ``confirmed``.
    verdicts
        `cvlarray.alerts.feedback.VERDICT_DTYPES`; of an alert the last that wasn't undone counts.
    latencies
        By ``event_id``, as far as known.
    reached
        ``event_id`` of what each partner was sent.
    start, end
        First and last day of the period, by the alerts' ``confirmed``.
    monitored_km2
        Area that is watched.

    Raises
    ------
    ValueError
        If the period ends before it starts.
    """
    if end < start:
        raise ValueError(f"a period must not end before it starts, got {start} to {end}")
    days = pd.to_datetime(alerts["confirmed"])
    inside = alerts[
        (days >= pd.Timestamp(start)) & (days < pd.Timestamp(end) + pd.Timedelta(days=1))
    ]
    names = inside["event_id"].astype(str).tolist()
    sent = {partner: set(names) & set(events) for partner, events in reached.items()}
    counts = pd.Series({partner: len(events) for partner, events in sent.items()}, dtype="int64")
    return Operations(
        start=start,
        end=end,
        monitored_km2=monitored_km2,
        by_priority=_counts(inside["priority"]),
        by_class=_counts(inside["class"]),
        latency=latency_summary([latencies[name] for name in names if name in latencies]),
        delivered=counts[counts > 0].sort_values(ascending=False, kind="stable"),
        n_delivered=len(set().union(*sent.values())),
        feedback=_feedback(inside, verdicts),
    )


def _counts(values: pd.Series) -> pd.DataFrame:
    n = values.astype("string").value_counts().astype("int64").rename("n")
    return pd.DataFrame({"n": n, "share": n / max(int(n.sum()), 1)})


def _feedback(alerts: gpd.GeoDataFrame, verdicts: pd.DataFrame) -> Feedback:
    told = alerts[["event_id", "confidence"]].astype({"event_id": "string"})
    judged = standing_verdicts(verdicts).merge(told, on="event_id")
    is_confirmed = judged["decision"] == Decision.CONFIRMED
    reasons = judged.loc[judged["decision"] == Decision.DISMISSED, "reason"].value_counts()
    stated = judged["confidence"].to_numpy("float64"), is_confirmed.to_numpy(bool)
    can_tell = judged["confidence"].notna().any()
    return Feedback(
        n_alerts=len(alerts),
        n_confirmed=int(is_confirmed.sum()),
        n_dismissed=int((~is_confirmed).sum()),
        reasons={reason.value: int(reasons.get(reason.value, 0)) for reason in Reason},
        calibration=calibrate(*stated) if can_tell else None,
        calibration_error=expected_calibration_error(*stated) if can_tell else float("nan"),
    )
