"""Whether a new checkpoint may take the place of the one at work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Promotion", "judge_candidate"]

CountArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Promotion:
    """The decision and its grounds."""

    may_promote: bool
    """Whether held-out precision doesn't fall."""
    current_precision: float
    candidate_precision: float
    difference_low: float
    """Lower end of the 95 % interval of candidate less current precision."""
    difference_high: float
    reason: str
    """One sentence."""


def judge_candidate(
    current: npt.ArrayLike,
    candidate: npt.ArrayLike,
    *,
    seed: int = 0,
    n_resamples: int = 2000,
) -> Promotion:
    """Compare two checkpoints on the same held-out scenes, and say whether to change.

    Parameters
    ----------
    current, candidate
        (n, 2) true and false positives of each held-out scene, in the same order.
    seed
        Of the bootstrap over scenes.
    n_resamples
        Its resamples.

    Returns
    -------
    ``may_promote`` only where precision over all scenes is at least the current one's. The interval
    is reported beside it; it doesn't soften the rule.

    Raises
    ------
    ValueError
        If the tables aren't (n, 2) of the same scenes with non-negative counts, or one of the
        two found nothing, so that it has no precision.
    """
    ours, theirs = _counts("candidate", candidate), _counts("current", current)
    if len(ours) != len(theirs):
        raise ValueError(
            f"both must be counted on the same scenes, got {len(theirs)} and {len(ours)}"
        )
    before, after = _precision(theirs.sum(axis=0)), _precision(ours.sum(axis=0))
    low, high = _interval(theirs, ours, seed, n_resamples)
    may_promote = after >= before
    verb = "does not fall" if may_promote else "falls"
    return Promotion(
        may_promote=may_promote,
        current_precision=before,
        candidate_precision=after,
        difference_low=low,
        difference_high=high,
        reason=(
            f"held-out precision {verb}: {before:.3f} to {after:.3f}, "
            f"difference {low:+.3f} to {high:+.3f} (95 %) over {len(ours)} scenes"
        ),
    )


def _counts(name: str, values: npt.ArrayLike) -> CountArray:
    counts = np.asarray(values, np.int64)
    if counts.ndim != 2 or counts.shape[1] != 2 or (counts < 0).any():
        raise ValueError(
            f"{name} must hold true and false positives of each scene, (n, 2) and not negative, "
            f"got shape {counts.shape}"
        )
    if counts.sum() == 0:
        raise ValueError(f"{name} found nothing in the held-out scenes: it has no precision")
    return counts


def _precision(counts: CountArray) -> float:
    return float(counts[0] / counts.sum())


def _interval(
    current: CountArray, candidate: CountArray, seed: int, n_resamples: int
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the difference, scenes drawn in pairs."""
    drawn = np.random.default_rng(seed).integers(len(current), size=(n_resamples, len(current)))
    differences = _precisions(candidate[drawn]) - _precisions(current[drawn])
    low, high = np.nanpercentile(differences, [2.5, 97.5])
    return float(low), float(high)


def _precisions(counts: CountArray) -> npt.NDArray[np.float64]:
    """Return the precision of each resample (n, scene, 2); NaN where nothing was found."""
    total = counts.sum(axis=1)
    found = total.sum(axis=1)
    share = np.full(len(found), np.nan)
    np.divide(total[:, 0], found, out=share, where=found > 0)
    return share
