"""Sums over the dates on which a pixel is valid, looked up instead of added one by one.

The sums of all 128 sets of seven neighbouring dates are tabulated once for all pixels, so that a
pixel needs one addition for seven dates (the Method of Four Russians: Arlazarov, Dinic, Kronrod &
Faradzhev 1970, Soviet Math. Dokl. 11, 1209).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import aligned_zeros, jit
from cvlarray.kernels.vector import LANES, add_rows

GROUP = 7
"""Dates of a set: the tables of 220 dates then take 260 KB and stay in the L2 cache."""

N_SETS = 1 << GROUP

FIRST_BIT = LANES * np.dtype(np.float32).itemsize
"""The first date's bit; the next one's is twice that. A set's number then is where its sums lie,
in bytes from those of the empty set."""

LOOKUPS = 4
"""Sets that are added at once."""


def n_groups(n_dates: int) -> int:
    """Return the number of groups of dates, with empty ones up to a multiple of `LOOKUPS`."""
    return -(-n_dates // (GROUP * LOOKUPS)) * LOOKUPS


def subset_sums(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the sums of rows over every set of dates in a group.

    Parameters
    ----------
    rows
        Shape (row, time).

    Returns
    -------
    Shape (part, group * `N_SETS`, `LANES`): row ``i`` is lane ``i % LANES`` of part ``i // LANES``,
    the set is a number with a bit for each of its dates.
    """
    n_rows, n_dates = rows.shape
    groups, n_parts = n_groups(n_dates), -(-n_rows // LANES)
    padded = np.zeros((n_parts * LANES, groups * GROUP))
    padded[:n_rows, :n_dates] = rows
    is_member = np.arange(N_SETS)[:, None] >> np.arange(GROUP) & 1
    sums = np.einsum("lgi,si->gsl", padded.reshape(-1, groups, GROUP), is_member)
    table = aligned_zeros((n_parts, groups * N_SETS, LANES), np.float32)
    table[:] = np.moveaxis(sums.reshape(groups * N_SETS, n_parts, LANES), 1, 0)
    return table


@jit
def sum_seen(
    seen: NDArray[np.int16],
    table: NDArray[np.float32],
    scratch: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Sum rows over the dates on which each pixel is seen.

    Parameters
    ----------
    seen
        Shape (group, pixel): a bit for each date, from `FIRST_BIT` up.
    table
        What `subset_sums` returned.
    scratch
        Shape (part, pixel, `LANES`).
    sums
        Output, shape (row, pixel).
    """
    n_pixels = seen.shape[1]
    for part in range(scratch.shape[0]):
        lanes, sets = scratch[part], table[part]
        for p in range(n_pixels):
            for lane in range(LANES):
                lanes[p, lane] = 0
        for group in range(0, seen.shape[0], LOOKUPS):
            a, b, c, d = seen[group], seen[group + 1], seen[group + 2], seen[group + 3]
            first = np.uint64(group) * np.uint64(N_SETS)
            second, third = first + np.uint64(N_SETS), first + np.uint64(2 * N_SETS)
            starts = (first, second, third, third + np.uint64(N_SETS))
            for p in range(n_pixels):
                q = np.uint64(p)
                add_rows(lanes, q, sets, starts, (a[q], b[q], c[q], d[q]))
    for row in range(sums.shape[0]):
        part, lane = row // LANES, row % LANES
        for p in range(n_pixels):
            sums[row, p] = scratch[part, p, lane]
