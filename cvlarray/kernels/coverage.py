"""How well a pixel's observations cover its history and the year."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvlarray.kernels.accelerate import jit
from cvlarray.kernels.pixel_block import NODATA
from cvlarray.kernels.season import phase

SEASONS = 12
"""Equal parts of the year that count as seen or not."""

_PIXELS_AT_ONCE = 4_096


class Coverage(NamedTuple):
    """Of each pixel, arrays (...)."""

    n_valid: NDArray[np.uint16]
    """Observations that were not missing."""
    span_days: NDArray[np.uint16]
    """From the first to the last of them; 0 without any."""
    season_coverage: NDArray[np.float32]
    """Share of the year's twelfths with at least one."""


def observation_coverage(series: NDArray[np.int16], days: ArrayLike) -> Coverage:
    """Return number, span and season coverage of each pixel's observations.

    Parameters
    ----------
    series
        Shape (time, ...); -32768 is missing.
    days
        Shape (time,), days since 1970-01-01, in any order.
    """
    n_dates, *shape = series.shape
    flat = np.ascontiguousarray(series).reshape(n_dates, -1)
    turns = phase(days) / (2 * np.pi)
    season = (1 << (SEASONS * (turns % 1)).astype(np.int64)).astype(np.uint16)
    n_pixels = flat.shape[1]
    coverage = Coverage(
        np.zeros(n_pixels, np.uint16),
        np.zeros(n_pixels, np.uint16),
        np.zeros(n_pixels, np.float32),
    )
    _cover(flat, np.asarray(days, np.int32), season, coverage)
    return Coverage(
        coverage.n_valid.reshape(shape),
        coverage.span_days.reshape(shape),
        coverage.season_coverage.reshape(shape),
    )


@jit
def _cover(
    series: NDArray[np.int16],
    days: NDArray[np.int32],
    season: NDArray[np.uint16],
    coverage: Coverage,
) -> None:
    n_pixels = series.shape[1]
    first_day, last_day = np.empty(_PIXELS_AT_ONCE, np.int32), np.empty(_PIXELS_AT_ONCE, np.int32)
    seen = np.empty(_PIXELS_AT_ONCE, np.uint16)
    for first in range(0, n_pixels, _PIXELS_AT_ONCE):
        size = min(_PIXELS_AT_ONCE, n_pixels - first)
        first_day[:], last_day[:], seen[:] = 2**30, -(2**30), 0
        for t in range(series.shape[0]):
            for p in range(size):
                is_valid = series[t, first + p] != NODATA
                coverage.n_valid[first + p] += np.uint16(is_valid)
                seen[p] |= season[t] if is_valid else np.uint16(0)
                first_day[p] = min(first_day[p], days[t]) if is_valid else first_day[p]
                last_day[p] = max(last_day[p], days[t]) if is_valid else last_day[p]
        for p in range(size):
            coverage.span_days[first + p] = min(max(last_day[p] - first_day[p], 0), 65_535)
            n_seen = 0
            for part in range(SEASONS):
                n_seen += (seen[p] >> part) & 1
            coverage.season_coverage[first + p] = n_seen / np.float32(SEASONS)
