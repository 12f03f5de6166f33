"""How long an alert took from the satellite to the partner, and where the time went."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

__all__ = ["PAPER_MINUTES", "SPANS", "Latency", "latency_summary"]


@dataclass(frozen=True)
class Latency:
    """When an alert reached each step; None where it hasn't, or nobody knows."""

    acquired: dt.datetime | None = None
    """The last image that the alert is made from was taken."""
    published: dt.datetime | None = None
    """The catalogue had it."""
    found: dt.datetime | None = None
    """The run's search had ended."""
    read: dt.datetime | None = None
    """Its pixels were in the cube."""
    inferred: dt.datetime | None = None
    """They were judged."""
    enriched: dt.datetime | None = None
    """The alert had its polygon, jurisdiction and priority."""
    delivered: dt.datetime | None = None
    """The first partner had it."""

    def minutes(self, first: str, last: str) -> float:
        """Return the time between two steps [min], NaN if one is unknown.

        Negative where the later step is dated before the earlier one: the clocks that they were
        read from differ, or one was set back.
        """
        start, end = getattr(self, first), getattr(self, last)
        if start is None or end is None:
            return float("nan")
        minutes: float = (end - start).total_seconds() / 60
        return minutes

    def texts(self) -> dict[str, str | None]:
        """Return the steps as ISO 8601, for JSON."""
        moments = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: each.isoformat() if each else None for name, each in moments.items()}


SPANS: dict[str, tuple[str, str]] = {
    "publication": ("acquired", "published"),
    "waiting": ("published", "found"),
    "download and preprocessing": ("found", "read"),
    "inference": ("read", "inferred"),
    "enrichment": ("inferred", "enriched"),
    "delivery": ("enriched", "delivered"),
    "processing": ("found", "delivered"),
    "acquisition to alert": ("acquired", "delivered"),
}
"""Spans between two steps; the last two are sums."""

PAPER_MINUTES = {
    "publication": 180.0,
    "download and preprocessing": 18.0,
    "inference": 8.0,
    "enrichment": 2.0,
    "delivery": 5.0,
    "processing": 33.0,
    "acquisition to alert": 384.0,
}
"""Medians of 2025 in section 6.2 of the paper of the operational system; on waiting it is silent.
33 minutes are the sum of its parts, 384 minutes are its 6.4 hours."""

LONGEST_DAYS = 30.0
"""What was found longer after its acquisition is history that was read later: not a latency."""


def latency_summary(latencies: Sequence[Latency]) -> pd.DataFrame:
    """Return the median of each span beside the paper's.

    Parameters
    ----------
    latencies
        Of any number of alerts; those found more than 30 days after their acquisition are left out.

    Returns
    -------
    Indexed by span: ``n`` alerts of which it is known; ``n_backwards``, those of which it would be
    negative by the clocks, which count nowhere else; ``median_min`` and ``p90_min`` (NaN if of
    none), and ``paper_min`` (NaN where the paper gives none).
    """
    recent = [
        each for each in latencies if not each.minutes("acquired", "found") > LONGEST_DAYS * 24 * 60
    ]
    rows = {}
    for name, span in SPANS.items():
        minutes = np.array([each.minutes(*span) for each in recent], float)
        known = minutes[minutes >= 0]
        rows[name] = {
            "n": known.size,
            "n_backwards": np.count_nonzero(minutes < 0),
            "median_min": float(np.median(known)) if known.size else np.nan,
            "p90_min": float(np.percentile(known, 90)) if known.size else np.nan,
            "paper_min": PAPER_MINUTES.get(name, np.nan),
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis("span").astype({"n": "int64", "n_backwards": "int64"})
