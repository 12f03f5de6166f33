"""Points of a sample, labelled one by one by somebody who isn't told what the map says."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pandas as pd

from cvlarray.alerts.statistics import STABLE, UNSURE
from cvlarray.review.database import ReviewDatabase

__all__ = ["Progress", "Sample", "label_point", "next_point", "read_labels", "read_sample"]


@dataclass(frozen=True)
class Sample:
    """What of a sample the page shows; what the map says isn't in it."""

    points: Sequence[str]
    """Names, in the order in which they are labelled, which tells nothing of the map."""
    classes: Sequence[str]
    """What a point can be."""


@dataclass(frozen=True)
class Progress:
    """How far a sample is labelled."""

    point_id: str | None
    """The next one; None when all are."""
    n_points: int
    n_labelled: int


def read_sample(path: Path) -> Sample | None:
    """Return the sample that ``cvlarray sample`` drew; None if it drew none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _read(path, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, written_ns: int) -> Sample:  # noqa: ARG001 (tells it from earlier ones)
    table = pd.read_parquet(path, columns=["point_id", "map_class"])
    classes = sorted(set(table["map_class"]) - {STABLE})
    return Sample(table["point_id"].tolist(), [STABLE, *classes, UNSURE])


def next_point(database: ReviewDatabase, sample: Sample) -> Progress:
    """Return the first point that nobody has labelled."""
    done = read_labels(database)
    left = [point for point in sample.points if point not in done]
    return Progress(left[0] if left else None, len(sample.points), len(sample.points) - len(left))


def label_point(
    database: ReviewDatabase,
    sample: Sample,
    *,
    point_id: str,
    label: str,
    reviewer: str,
    request_id: str,
) -> None:
    """Say what a point is; the same request counts once, and of several the last one counts.

    Raises
    ------
    LookupError
        If there is no such point.
    ValueError
        If it can't be that.
    StoreError
        If it can't be written; then it wasn't said.
    """
    if point_id not in sample.points:
        raise LookupError(f"there is no point {point_id}")
    if label not in sample.classes:
        raise ValueError(f"a point is one of {', '.join(sample.classes)}, got {label!r}")
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    with database.transaction() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO sample_label "
            "(point_id, label, reviewer, request_id, labelled_at) VALUES (?, ?, ?, ?, ?)",
            (point_id, label, reviewer, request_id, now),
        )


def read_labels(database: ReviewDatabase, points: Collection[str] | None = None) -> dict[str, str]:
    """Return what points were said to be last, all or some of them."""
    with database.explained():
        rows: list[sqlite3.Row] = database.connection.execute(
            "SELECT point_id, label FROM sample_label ORDER BY label_id"
        ).fetchall()
    labels = {row["point_id"]: row["label"] for row in rows}
    return labels if points is None else {name: labels[name] for name in points if name in labels}
