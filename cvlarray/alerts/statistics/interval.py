"""How far a proportion seen in a sample may be off."""

from __future__ import annotations

import math
from statistics import NormalDist

__all__ = ["wilson_interval", "z_value"]


def z_value(confidence: float) -> float:
    """Return how many standard errors an interval of a confidence reaches to either side.

    Raises
    ------
    ValueError
        If the confidence isn't between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson_interval(n_hits: int, n_trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a proportion, right for few trials and near 0 and 1, too.

    Parameters
    ----------
    n_hits, n_trials
        Such as confirmed alerts, and alerts judged.
    confidence
        Between 0 and 1.

    Returns
    -------
    Low and high end; NaN without trials.

    Raises
    ------
    ValueError
        If there are more hits than trials, or a count is negative.

    References
    ----------
    Wilson 1927, Journal of the American Statistical Association 22, doi:10.2307/2276774.
    """
    if not 0 <= n_hits <= n_trials:
        raise ValueError(f"hits must be 0 to the trials, {n_trials}, got {n_hits}")
    z = z_value(confidence)
    if n_trials == 0:
        return math.nan, math.nan
    share = n_hits / n_trials
    scale = 1 + z**2 / n_trials
    middle = (share + z**2 / (2 * n_trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n_trials + z**2 / (4 * n_trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)
