"""The page of how a run went: what is done and missing, how fast, what failed, what was slow."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cvlarray.report import palette, pictures, wording
from cvlarray.report.environment import environment
from cvlarray.store import StageSummary, write_atomic

UNOBSERVED, DONE, PARTIAL, MISSING = range(4)
"""What a tile and month may be; a month is called what its worst date is."""
COLOURS = {
    DONE: ("done", "#2f7d57"),
    UNOBSERVED: ("never clear", "#cfc9b8"),
    PARTIAL: ("assets unread", "#d97706"),
    MISSING: ("missing", "#9f1239"),
}
N_BINS = 48
"""Bars of the throughput."""
MAX_YEARS_LABELLED = 14


@dataclass(frozen=True)
class Failure:
    """A unit that ended a run."""

    at: dt.datetime
    stage: str
    unit: str
    error: str


@dataclass(frozen=True)
class SlowTile:
    """A tile's time, its units together."""

    name: str
    n_units: int
    wall_s: float
    times_median: float
    """Of all tiles."""


@dataclass(frozen=True)
class LedgerPicture:
    """What is known of each tile and month."""

    tiles: Sequence[str]
    months: Sequence[str]
    """YYYY-MM, without gaps."""
    states: npt.NDArray[np.uint8]
    """(tile, month), one of the four above."""


@dataclass(frozen=True)
class RunPage:
    """Everything the page shows."""

    region_name: str
    software: str
    written: dt.datetime
    stages: Sequence[StageSummary]
    unit_times: Sequence[dt.datetime]
    """When each unit was recorded, with its time zone."""
    failures: Sequence[Failure]
    slowest: Sequence[SlowTile]
    n_unread: int
    """Assets that stayed unread."""
    n_retried: int
    """Assets that were read only at a second or third try, once for each tile and block."""
    picture: LedgerPicture


@dataclass(frozen=True)
class Bin:
    """Units of a span of time."""

    left: float
    """[%]"""
    height: float
    """[%]"""
    label: str


@dataclass(frozen=True)
class Throughput:
    """Units over time, as bars."""

    bins: Sequence[Bin]
    width: float
    """Of a bar [%]."""
    start: dt.datetime
    end: dt.datetime
    units_a_minute: float
    """Over the busiest bar."""


def write_run_page(page: RunPage, path: str | os.PathLike[str]) -> Path:
    """Write the page so that a reader never meets half of it; return its path.

    Raises
    ------
    StoreError
        If it can't be written.
    """
    target = Path(path)
    write_atomic(target, render_run_page(page))
    return target


def render_run_page(page: RunPage) -> str:
    """Return one self-contained HTML page without scripts."""
    states = page.picture.states
    counts = {name: int((states == code).sum()) for code, (name, _) in COLOURS.items()}
    return (
        environment()
        .get_template("run_page.html.j2")
        .render(
            page=page,
            finding=_finding(page, counts),
            throughput=throughput(page.unit_times),
            picture_uri=_picture_uri(page.picture),
            legend=[(name, colour, counts[name]) for name, colour in COLOURS.values()],
            years=_years(page.picture.months),
            n_cells=states.size,
        )
    )


def throughput(times: Sequence[dt.datetime]) -> Throughput | None:
    """Return how many units were recorded in each of equal spans; None of fewer than two."""
    if len(times) < 2:
        return None
    seconds = np.array([time.timestamp() for time in times])
    start, end = seconds.min(), max(seconds.max(), seconds.min() + 1)
    counts, edges = np.histogram(seconds, bins=N_BINS, range=(start, end))
    width_s = (end - start) / N_BINS
    bins = [
        Bin(
            left=round(100 * number / N_BINS, 3),
            height=round(100 * int(count) / int(counts.max()), 2),
            label=f"{_clock(edges[number])}: {wording.counted(int(count), 'unit')}",
        )
        for number, count in enumerate(counts)
    ]
    ends = [dt.datetime.fromtimestamp(float(second), dt.UTC) for second in (start, end)]
    return Throughput(bins, 100 / N_BINS, ends[0], ends[1], float(counts.max() / width_s * 60))


def _clock(second: float) -> str:
    return f"{dt.datetime.fromtimestamp(float(second), dt.UTC):%Y-%m-%d %H:%M} UTC"


def _finding(page: RunPage, counts: dict[str, int]) -> str:
    done = sum(stage.done for stage in page.stages)
    words = [wording.counted(done, "unit") + " done"]
    partial = sum(stage.partial for stage in page.stages)
    if partial:
        words.append(f"{wording.count(partial)} to be tried again")
    if page.failures:
        words.append(wording.counted(len(page.failures), "failure"))
    missing = counts["missing"]
    words.append(
        f"{wording.percent(missing / page.picture.states.size)} of tiles × months missing"
        if missing
        else "no tile's month is missing"
    )
    return ", ".join(words) + "."


def _picture_uri(picture: LedgerPicture) -> str:
    colours = np.zeros((len(COLOURS), 3), np.uint8)
    for code, (_, colour) in COLOURS.items():
        colours[code] = palette.rgb(colour).astype(np.uint8)
    return pictures.data_uri(pictures.png_bytes(colours[picture.states]))


def _years(months: Sequence[str]) -> list[tuple[str, float]]:
    """Return where the years begin along the picture [%]."""
    starts = [(month[:4], 100 * n / len(months)) for n, month in enumerate(months)
              if month.endswith("-01") or n == 0]  # fmt: skip
    step = -(-len(starts) // MAX_YEARS_LABELLED)
    return [(year, round(left, 2)) for year, left in starts[::step]]
