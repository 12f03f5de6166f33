"""Accuracy and area of a map from a stratified random sample.

Good practices of Olofsson et al. 2014, Remote Sensing of Environment 148, 42-57,
doi:10.1016/j.rse.2014.02.015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cvlarray.alerts.statistics.interval import z_value

__all__ = ["Accuracy", "allocate", "area_of_classes", "sample_size", "stratified_accuracy"]

MIN_PER_STRATUM = 50
"""Of the 50 to 100 that the paper advises for rare classes."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """What a sample says of a map; ``±`` are half widths of confidence intervals."""

    overall: float
    overall_half_width: float
    by_class: pd.DataFrame
    """Indexed by class: ``users`` and ``producers`` accuracy, their ``_half_width``, ``area`` (not
    that of the map, but corrected by the sample) and ``area_half_width``, in the unit of the mapped
    areas, and ``mapped_area``. NaN where the sample has none of a class."""
    proportions: pd.DataFrame
    """Estimated share of the whole area by map class (rows) and reference class (columns)."""


def stratified_accuracy(
    counts: npt.ArrayLike,
    mapped_area: npt.ArrayLike,
    *,
    classes: Sequence[str],
    confidence: float = 0.95,
) -> Accuracy:
    """Return area-weighted accuracies and areas with confidence intervals.

    Parameters
    ----------
    counts
        (class, class) sampled units: map classes, which are the strata, in rows, and what they are
        by the reference in columns.
    mapped_area
        (class,) area of each map class, in any unit.
    classes
        Names of the classes.
    confidence
        Of the intervals, which rest on the normal distribution.

    Raises
    ------
    ValueError
        If shapes don't fit, a count is negative, or a stratum with an area has fewer than two
        sampled units: its variance can't be estimated.
    """
    n, area = np.asarray(counts, float), np.asarray(mapped_area, float)
    _check(n, area, len(classes))
    z = z_value(confidence)
    per_stratum = n.sum(axis=1)
    weight = area / area.sum()
    share = np.divide(n, per_stratum[:, None], out=np.zeros_like(n), where=per_stratum[:, None] > 0)
    p = weight[:, None] * share
    correct, of_reference = np.diag(p), p.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        users = np.where(per_stratum > 0, np.diag(share), np.nan)
        producers = correct / of_reference
        users_variance = users * (1 - users) / (per_stratum - 1)
        binomial = share * (1 - share) / (per_stratum[:, None] - 1)
        producers_variance = _producers_variance(n, area, users, producers)
    binomial = np.where(area[:, None] > 0, binomial, 0.0)
    overall_variance = np.nansum(weight**2 * users_variance)
    area_error = np.sqrt((weight[:, None] ** 2 * binomial).sum(axis=0)) * area.sum()
    table = pd.DataFrame(
        {
            "users": users,
            "users_half_width": z * np.sqrt(users_variance),
            "producers": producers,
            "producers_half_width": z * np.sqrt(producers_variance),
            "area": of_reference * area.sum(),
            "area_half_width": z * area_error,
            "mapped_area": area,
        },
        index=pd.Index(classes, name="class"),
    )
    proportions = pd.DataFrame(p, index=list(classes), columns=list(classes))
    half_width = float(z * np.sqrt(overall_variance))
    return Accuracy(float(correct.sum()), half_width, table, proportions)


def area_of_classes(
    counts: npt.ArrayLike,
    mapped_area: npt.ArrayLike,
    wanted: Sequence[int],
    *,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """Return the area of some reference classes together, with a confidence interval.

    `stratified_accuracy` gives each class the normal interval. A stratum whose sample holds a class
    not at all, or nothing else, has no variance there, and the intervals of rare classes hold the
    truth too seldom. So each stratum's shares get the variance of a Dirichlet posterior under
    Perks' prior, one unit shared among all classes (Perks 1947, Journal of the Institute of
    Actuaries 73, 285-334); the estimate itself stays the unbiased one.

    Parameters
    ----------
    counts
        (stratum, class) sampled units.
    mapped_area
        (stratum,) area, in any unit.
    wanted
        Positions of the classes.
    confidence
        Of the interval.

    Returns
    -------
    Area (Olofsson et al. 2014, equation 10), and the interval's low and high end.

    Raises
    ------
    ValueError
        If a stratum with an area has fewer than two sampled units.
    """
    n, area = np.asarray(counts, float), np.asarray(mapped_area, float)
    scarce = np.flatnonzero((area > 0) & (n.sum(axis=1) < 2))
    if scarce.size:
        raise ValueError(
            f"each stratum needs two sampled units or more, number {scarce[0]} has "
            f"{n.sum(axis=1)[scarce[0]]:g}"
        )
    z = z_value(confidence)
    hits, total = n[:, list(wanted)].sum(axis=1), n.sum(axis=1)
    share = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    posterior = (hits + len(wanted) / n.shape[1]) / (total + 1)
    variance = posterior * (1 - posterior) / (total + 2)
    estimate = float(area @ share)
    half = z * float(np.sqrt(area**2 @ variance))
    return estimate, max(estimate - half, 0.0), estimate + half


def sample_size(
    weights: npt.ArrayLike, expected_users: npt.ArrayLike, *, target_standard_error: float
) -> int:
    """Return how many units make the overall accuracy as certain as wanted.

    Parameters
    ----------
    weights
        (class,) share of the mapped area.
    expected_users
        (class,) user's accuracy that is expected.
    target_standard_error
        Of the overall accuracy, such as 0.01.

    Raises
    ------
    ValueError
        If a share or accuracy lies outside 0 to 1, or the standard error isn't positive.
    """
    weight, users = np.asarray(weights, float), np.asarray(expected_users, float)
    outside = ((weight < 0) | (weight > 1) | (users < 0) | (users > 1)).any()
    if outside or target_standard_error <= 0:
        raise ValueError(
            f"shares and accuracies are 0 to 1 and the standard error positive, got {weight}, "
            f"{users} and {target_standard_error}"
        )
    root = float((weight * np.sqrt(users * (1 - users))).sum() / target_standard_error)
    return int(np.ceil(root**2))


def allocate(
    n_units: int, weights: npt.ArrayLike, *, minimum: int = MIN_PER_STRATUM
) -> npt.NDArray[np.int64]:
    """Share a sample among strata: as their areas, but no stratum gets less than a minimum.

    Raises
    ------
    ValueError
        If the sample is too small for the minimum.
    """
    weight = np.asarray(weights, float)
    if n_units < minimum * weight.size:
        raise ValueError(
            f"{weight.size} strata of {minimum} or more need {minimum * weight.size} units, "
            f"got {n_units}"
        )
    is_rare = np.zeros(weight.size, bool)
    while True:
        rest = n_units - minimum * int(is_rare.sum())
        common = np.where(is_rare, 0.0, weight)
        wanted = rest * common / max(common.sum(), np.finfo(float).tiny)
        newly = ~is_rare & (wanted < minimum)
        if not newly.any():
            break
        is_rare |= newly
    whole = np.where(is_rare, minimum, np.floor(wanted)).astype(np.int64)
    by_remainder = np.argsort(-np.where(is_rare, -1.0, wanted - np.floor(wanted)), kind="stable")
    whole[by_remainder[: n_units - whole.sum()]] += 1
    return whole


def _producers_variance(
    n: FloatArray, area: FloatArray, users: FloatArray, producers: FloatArray
) -> FloatArray:
    """Return the variance of each producer's accuracy (the ratio estimator's)."""
    per_stratum = n.sum(axis=1)
    expansion = np.divide(area, per_stratum, out=np.zeros_like(area), where=per_stratum > 0)
    estimated = (expansion[:, None] * n).sum(axis=0)
    own = area**2 * (1 - producers) ** 2 * users * (1 - users) / (per_stratum - 1)
    share = np.divide(n, per_stratum[:, None], out=np.zeros_like(n), where=per_stratum[:, None] > 0)
    spread = area[:, None] ** 2 * share * (1 - share) / (per_stratum[:, None] - 1)
    np.fill_diagonal(spread, 0.0)
    others = np.nansum(spread, axis=0)
    variance: FloatArray = (np.nan_to_num(own) + producers**2 * others) / estimated**2
    return variance


def _check(n: FloatArray, area: FloatArray, n_classes: int) -> None:
    if n.shape != (n_classes, n_classes) or area.shape != (n_classes,):
        raise ValueError(
            f"{n_classes} classes need counts of {n_classes} × {n_classes} and {n_classes} areas, "
            f"got {n.shape} and {area.shape}"
        )
    if (n < 0).any() or (area < 0).any() or area.sum() == 0:
        raise ValueError("counts and areas must not be negative, nor all areas zero")
    scarce = np.flatnonzero((area > 0) & (n.sum(axis=1) < 2))
    if scarce.size:
        raise ValueError(
            f"each class of the map needs two sampled units or more, number {scarce[0]} has "
            f"{n.sum(axis=1)[scarce[0]]:g}"
        )
