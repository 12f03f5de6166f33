"""How one image relates to what was expected of it: a gain and an offset, robustly.

Observed = gain × expected + offset. A forest spans few reflectances, so that the two are told apart
badly although their sum is known well: the split then follows how large such errors usually are
(a normal prior on each), and data take over where the range suffices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GAIN_PRIOR, OFFSET_PRIOR_DN = 0.03, 50.0
"""Usual size of what atmospheric correction leaves: standard deviations of gain and offset."""

N_GROUPS = 16
"""Of pixels with like expected values, whose medians the fit starts from."""
N_BLOCKS = 16
"""Parts that are left out in turn to tell how sure a fit is; neighbours err alike."""
BIWEIGHT = 4.685
"""Residuals beyond this many standard deviations count for nothing."""
_C2 = BIWEIGHT**2
KEPT_BY_BIWEIGHT = (1 - 6 / _C2 + 15 / _C2**2) / (1 - 2 / _C2 + 3 / _C2**2)
"""Weighted over plain variance of normal residuals: from their moments 1, 3 and 15."""
MAX_PASSES = 20
POINTS = (5, 50, 95)
"""Percentiles of the expected values at which the correction is judged."""
SURE = 4.0
"""Standard errors that a correction must exceed."""


class Line(NamedTuple):
    """Observed = gain × expected + offset."""

    gain: float
    offset_dn: float
    gain_error: float
    """Standard error of the gain by itself, before the prior; infinite where the expected values
    are too alike to tell."""
    deviation: float
    """Largest of ``|observed - expected| / expected`` along the line, over the central 90 % of the
    expected values."""
    is_sure: bool
    """Whether that exceeds what chance explains."""


def robust_line(
    expected: NDArray[np.float64],
    observed: NDArray[np.float64],
    expected_error: NDArray[np.float64],
) -> Line:
    """Return gain and offset of an image against what was expected of it.

    Tukey's biweight from a line of medians on; the gain is freed from what errors of the
    expected values take off it (Fuller, "Measurement Error Models", 1987); its standard error by a
    jackknife over blocks.

    Parameters
    ----------
    expected
        What the pixels should be [DN], positive, (n,), in an order in which neighbours are near.
    observed
        What they are [DN], (n,).
    expected_error
        Standard error of ``expected`` [DN], (n,).

    Returns
    -------
    The line; gain 1 and offset 0 if all expected values are equal and as observed.
    """
    block = np.arange(expected.size) * N_BLOCKS // expected.size
    centre = float(np.median(expected))
    x = expected - centre
    difference = observed - expected
    level, slope = _median_line(x, difference)
    fitted = level + slope * x
    sums = np.zeros((6, N_BLOCKS))
    for _ in range(MAX_PASSES):
        weight, scale = _biweight(difference - fitted)
        kept_error = expected_error**2 * _kept(expected_error, scale)
        sums = _moments(weight, x, difference, kept_error, block)
        level, slope = _solve(sums.sum(axis=1))
        updated = level + slope * x
        is_settled = bool(np.max(np.abs(updated - fitted)) < 1e-3)
        fitted = updated
        if is_settled:
            break
    left_out = np.array([_solve(sums.sum(axis=1) - sums[:, k]) for k in range(N_BLOCKS)])
    at_points = np.percentile(x, POINTS)
    variations = left_out[:, :1] + left_out[:, 1:] * at_points
    errors = _jackknife(variations)
    slope_error = float(_jackknife(left_out[:, 1])) if left_out[:, 1].any() else np.inf
    gain, offset = _split(level, slope, slope_error, centre)
    correction = gain * (at_points + centre) + offset - (at_points + centre)
    share = np.abs(correction) / (at_points + centre)
    is_sure = bool(np.any(np.abs(correction) > SURE * errors))
    return Line(gain, offset, slope_error, float(share.max()), is_sure)


def _median_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return level and slope of a line to start from, whatever a third of the pixels does.

    The median of the slopes between the medians of groups of like x (Theil 1950, Sen 1968): from
    there a scene and the same scene with another gain and offset end at the same pixels.
    """
    groups = np.array_split(np.argsort(x, kind="stable"), min(N_GROUPS, x.size))
    x_medians = np.array([np.median(x[group]) for group in groups])
    y_medians = np.array([np.median(y[group]) for group in groups])
    first, second = np.triu_indices(len(groups), 1)
    run = x_medians[second] - x_medians[first]
    rise = (y_medians[second] - y_medians[first])[run > 0]
    slope = float(np.median(rise / run[run > 0])) if rise.size else 0.0
    return float(np.median(y - slope * x)), slope


def _biweight(residual: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return Tukey's weights, and the residuals' scale by which they are; 1 where all are alike."""
    scale = 1.4826 * float(np.median(np.abs(residual - np.median(residual))))
    if scale < 1e-6:
        return (np.abs(residual) < 1).astype(np.float64), scale
    inside = 1 - (residual / (BIWEIGHT * scale)) ** 2
    return np.maximum(inside, 0) ** 2, scale


def _kept(expected_error: NDArray[np.float64], scale: float) -> float:
    """Return which share of the expectation's error variance the weights leave.

    They fall with the residual, of which that error is a part. Of a normal residual's variance
    they leave 0.83, and as much of the error as it has a part in the residual.
    """
    part = min(1.0, float(np.mean(expected_error**2)) / max(scale, 1e-6) ** 2)
    return 1 - part * (1 - KEPT_BY_BIWEIGHT)


def _moments(
    weight: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_variance: NDArray[np.float64],
    block: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the weighted sums of 1, x, y, x², xy and the variance of x, (6, block)."""
    terms = (np.ones_like(x), x, y, x * x, x * y, x_variance)
    return np.stack([np.bincount(block, weight * one, minlength=N_BLOCKS) for one in terms])


def _solve(sums: NDArray[np.float64]) -> tuple[float, float]:
    """Return level and slope of y over x from the sums; slope 0 where x tells none."""
    n, x, y, xx, xy, error = sums
    if n <= 0:
        return 0.0, 0.0
    # y is observed - expected, so an error of x stands in y too, with the opposite sign.
    spread = xx - x * x / n
    true_spread = spread - error
    together = xy - x * y / n + error
    slope = together / true_spread if true_spread > 0.1 * spread and spread > 0 else 0.0
    return (y - slope * x) / n, slope


def _jackknife(left_out: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of an estimate by what it is without each block."""
    n_blocks = len(left_out)
    squares: NDArray[np.float64] = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return np.sqrt((n_blocks - 1) / n_blocks * squares)


def _split(level: float, slope: float, slope_error: float, centre: float) -> tuple[float, float]:
    """Return gain and offset: the level at the centre is certain, its split is weighed.

    The most probable slope, given that it was measured with an error, that gains are normal around
    1 and that offsets, ``level - slope × centre``, are normal around 0.
    """
    measured = 1 / max(slope_error, 1e-9) ** 2
    prior = 1 / GAIN_PRIOR**2
    by_offset = centre / OFFSET_PRIOR_DN**2
    best = (measured * slope + by_offset * level) / (measured + prior + by_offset * centre)
    return 1 + best, level - best * centre
