"""Evidence of a change added up date by date, as RADD does it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEVER = -1

Indices = NDArray[np.int16]


class Chain(NamedTuple):
    """What a series of probabilities says of each pixel; dates are indices, `NEVER` for none."""

    first: Indices
    """(pixel,) date of the first observation of the confirmed run."""
    confirmed: Indices
    """(pixel,) date that confirmed it."""
    last_intact: Indices
    """(pixel,) last date before ``first`` that spoke clearly for no change."""
    surely_changed: Indices
    """(pixel,) first date from ``first`` on that spoke clearly for a change."""
    odds: NDArray[np.float32]
    """(pixel,) of a change after the last date; 0 without a confirmed one."""
    n_flagged: NDArray[np.uint16]
    """(pixel,) observations from ``first`` on that spoke for a change."""
    n_since: NDArray[np.uint16]
    """(pixel,) observations from ``first`` on."""


def add_up(
    probabilities: NDArray[np.float32], *, most: float, clear: float, least_odds: float
) -> Chain:
    """Return the first confirmed change of each pixel.

    A date with probability above a half starts a run, in which the odds of the dates are
    multiplied. A run ends without a change when they fall below 1; it is confirmed when they reach
    ``least_odds``, which takes two dates or more.

    Parameters
    ----------
    probabilities
        float32 (time, pixel), 0 to 1, NaN where not seen.
    most
        No date counts for more than this probability, nor for less than 1 less it.
    clear
        Probability from which a date speaks clearly; for no change, from 1 less it downward.
    least_odds
        Odds that confirm.
    """
    n_dates, n_pixels = probabilities.shape
    first = np.full(n_pixels, NEVER, np.int16)
    confirmed, last_intact, intact, sure = (first.copy() for _ in range(4))
    odds = np.zeros(n_pixels, np.float32)
    n_flagged, n_since = (np.zeros(n_pixels, np.uint16) for _ in range(2))
    for date in range(n_dates):
        stated = probabilities[date]
        is_seen = np.isfinite(stated)
        bounded = np.clip(np.where(is_seen, stated, 0.5), 1 - most, most).astype(np.float32)
        starts = is_seen & (first == NEVER) & (bounded > 0.5)
        first[starts], odds[starts] = date, 1
        last_intact[starts] = intact[starts]
        runs = is_seen & (first != NEVER)
        odds[runs] = np.minimum(odds[runs] * (bounded / (1 - bounded))[runs], np.float32(1e6))
        n_since[runs] += 1
        n_flagged[runs & (bounded > 0.5)] += 1
        sure[runs & (sure == NEVER) & (bounded >= clear)] = date
        reaches = runs & (confirmed == NEVER) & (odds >= least_odds) & (n_flagged > 1)
        confirmed[reaches] = date
        ends = runs & (confirmed == NEVER) & (odds < 1)
        first[ends], sure[ends], odds[ends], n_flagged[ends], n_since[ends] = NEVER, NEVER, 0, 0, 0
        intact[is_seen & (bounded <= 1 - clear)] = date
    open_ended = confirmed == NEVER
    for index in (first, last_intact, sure):
        index[open_ended] = NEVER
    odds[open_ended], n_flagged[open_ended], n_since[open_ended] = 0, 0, 0
    return Chain(first, confirmed, last_intact, sure, odds, n_flagged, n_since)
