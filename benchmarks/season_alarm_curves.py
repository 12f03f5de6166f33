"""False alarms against detections, for every threshold at once.

A method gives evidence: at each valid observation the least that its last ones show, so that a
threshold below it means an alarm. An alarm is false where the forest is stable; it is one alarm
until the evidence falls below the threshold again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WITHIN = 5
"""A change must be found within so many valid observations, itself counted from 1."""
DETECTED = 0.8
"""Share of changes at which methods are compared."""


class Curve(NamedTuple):
    """What a method does to one block, as a function of its threshold."""

    rises_from: NDArray[np.float32]
    """Evidence of stable pixels before each rise, sorted."""
    rises_to: NDArray[np.float32]
    """And after it, sorted: thresholds in between raise an alarm."""
    n_stable: int
    after: NDArray[np.float32]
    """(`WITHIN`, changed pixel) evidence at the observations from the change on."""
    ever: NDArray[np.float32]
    """(changed pixel,) the most of all that follow the change."""


def curve_of(
    evidence: NDArray[np.float32],
    is_valid: NDArray[np.bool_],
    days: NDArray[np.int64],
    changed: NDArray[np.int32],
) -> Curve:
    """Return the curve of a block.

    Parameters
    ----------
    evidence
        (time, pixel) of a year; NaN where there is none.
    is_valid
        (time, pixel): what was observed, the same for all methods.
    days
        (time,) since 1970-01-01.
    changed
        (pixel,) day of the change; -1 where the pixel is stable, -2 where it doesn't count.
    """
    rises = _rises(evidence[:, changed == -1])
    is_changed = changed >= 0
    is_after = (days[:, np.newaxis] >= changed[is_changed]) & is_valid[:, is_changed]
    after, ever = _after(evidence[:, is_changed], is_after)
    return Curve(*rises, int(np.count_nonzero(changed == -1)), after, ever)


def _rises(evidence: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    last = np.full(evidence.shape[1], -np.inf, np.float32)
    low: list[NDArray[np.float32]] = []
    high: list[NDArray[np.float32]] = []
    for values in evidence:
        rises = values > last  # False where nothing was observed
        low.append(last[rises])
        high.append(values[rises])
        last = np.where(np.isnan(values), last, values)
    return np.sort(np.concatenate(low)), np.sort(np.concatenate(high))


def _after(
    evidence: NDArray[np.float32], is_after: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the evidence of pixels that were seen often enough after their change."""
    known = np.where(is_after & ~np.isnan(evidence), evidence, np.float32(-np.inf))
    rank = np.cumsum(is_after, axis=0)
    after = np.full((WITHIN, evidence.shape[1]), -np.inf, np.float32)
    for values, seen, ranks in zip(known, is_after, rank, strict=True):
        chosen = np.flatnonzero(seen & (ranks <= WITHIN))
        after[ranks[chosen] - 1, chosen] = values[chosen]
    is_seen = is_after.sum(axis=0) >= WITHIN
    return after[:, is_seen], known.max(axis=0, initial=-np.inf)[is_seen]


def matching_threshold(
    curves: Sequence[Curve], within: int = WITHIN, *, detected: float = DETECTED
) -> float:
    """Return the threshold at which so many of the changes are detected in time."""
    return float(np.quantile(_best_after(curves, within), 1 - detected, method="lower"))


def detected_share(curves: Sequence[Curve], threshold: float) -> float:
    """Return the share of changes that are detected in time."""
    return float(np.mean(_best_after(curves, WITHIN) >= threshold))


def omitted_share(curves: Sequence[Curve], threshold: float) -> float:
    """Return the share of changes that aren't detected by the end of the year either."""
    return float(np.mean(np.concatenate([curve.ever for curve in curves]) < threshold))


def mean_delay(curves: Sequence[Curve], threshold: float) -> float:
    """Return with which valid observation after a change it is detected, where it is in time."""
    alarms = np.concatenate([curve.after for curve in curves], axis=1) >= threshold
    return float(np.mean(alarms.argmax(axis=0)[alarms.any(axis=0)] + 1))


def false_alarms(curves: Sequence[Curve], threshold: float) -> float:
    """Return the false alarms a stable pixel and year."""
    n_alarms = sum(
        int(np.searchsorted(curve.rises_from, threshold, "left"))
        - int(np.searchsorted(curve.rises_to, threshold, "left"))
        for curve in curves
    )
    return n_alarms / sum(curve.n_stable for curve in curves)


def ratio(ours: Sequence[Curve], rival: Sequence[Curve], within: int = WITHIN) -> float:
    """Return our false alarms over a rival's, both at the same share of detections in time.

    NaN where one of them never detects so many.
    """
    thresholds = [matching_threshold(one, within) for one in (ours, rival)]
    if not np.isfinite(thresholds).all():
        return np.nan
    rates = [false_alarms(*one) for one in zip((ours, rival), thresholds, strict=True)]
    return rates[0] / rates[1] if rates[1] else np.inf


def interval(
    ours: Sequence[Curve], rival: Sequence[Curve], *, n_samples: int = 300, seed: int = 0
) -> tuple[float, float]:
    """Return the 90 % bootstrap interval of `ratio`: blocks are drawn anew, thresholds too."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(ours), (n_samples, len(ours)))
    ratios = [ratio([ours[i] for i in draw], [rival[i] for i in draw]) for draw in draws]
    low, high = np.nanquantile(ratios, (0.05, 0.95))
    return float(low), float(high)


def _best_after(curves: Sequence[Curve], within: int) -> NDArray[np.float32]:
    return np.concatenate([curve.after[:within].max(axis=0) for curve in curves])
