"""Confidence that means what it says: of alerts at 0.8, four in five are confirmed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

__all__ = ["Calibration", "calibrate", "expected_calibration_error"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Calibration:
    """A rising curve from stated confidence to the share that reviewers confirmed."""

    stated: FloatArray
    """(k,) increasing, 0 to 1."""
    observed: FloatArray
    """(k,) never falling, 0 to 1."""
    n_verdicts: int
    """Verdicts behind it."""

    def __call__(self, confidence: npt.ArrayLike) -> FloatArray:
        """Return calibrated confidences; NaN stays NaN, beyond the curve's ends it is flat."""
        stated = np.asarray(confidence, np.float64)
        # Beside NaN, np.interp may answer with the one point that it has.
        return np.where(np.isnan(stated), np.nan, np.interp(stated, self.stated, self.observed))


def calibrate(confidence: npt.ArrayLike, is_confirmed: npt.ArrayLike) -> Calibration:
    """Fit the curve to verdicts by isotonic regression.

    Parameters
    ----------
    confidence
        (n,) stated confidence of reviewed alerts, 0 to 1; NaN is left out.
    is_confirmed
        (n,) whether the reviewer confirmed.

    Returns
    -------
    The curve. Each of its ends is drawn towards a half by one verdict (Laplace), so that a few
    verdicts of one kind never claim certainty.

    Raises
    ------
    ValueError
        If the arrays differ in length, a confidence lies outside 0 to 1, or there is no verdict.

    References
    ----------
    Zadrozny, B. and Elkan, C. (2002), Transforming classifier scores into accurate multiclass
    probability estimates, KDD, doi:10.1145/775047.775151.
    """
    stated, confirmed = _checked(confidence, is_confirmed)
    levels, inverse, counts = np.unique(stated, return_inverse=True, return_counts=True)
    n_confirmed = np.bincount(inverse, weights=confirmed)
    fitted = isotonic_regression(n_confirmed / counts, weights=counts)
    blocks = np.repeat(np.arange(len(fitted.blocks) - 1), np.diff(fitted.blocks))
    n_block = np.bincount(blocks, weights=counts)
    n_block_confirmed = np.bincount(blocks, weights=n_confirmed)
    smoothed = (n_block_confirmed + 1) / (n_block + 2)
    # Smoothing blocks of unlike size can turn their order round; one more pass puts it right.
    observed = isotonic_regression(smoothed, weights=n_block).x[blocks]
    return Calibration(levels, observed, int(counts.sum()))


def expected_calibration_error(
    confidence: npt.ArrayLike, is_confirmed: npt.ArrayLike, *, n_bins: int = 10
) -> float:
    """Return how far stated confidence lies from the confirmed share, averaged over equal bins.

    Parameters
    ----------
    confidence, is_confirmed
        As in `calibrate`.
    n_bins
        Bins of equal width from 0 to 1; empty ones count for nothing.

    Raises
    ------
    ValueError
        As `calibrate`.

    References
    ----------
    Naeini, M. P. et al. (2015), Obtaining well calibrated probabilities using Bayesian binning,
    AAAI, doi:10.1609/aaai.v29i1.9602.
    """
    stated, confirmed = _checked(confidence, is_confirmed)
    bins = np.minimum((stated * n_bins).astype(np.int64), n_bins - 1)
    difference = np.bincount(bins, weights=stated - confirmed, minlength=n_bins)
    return float(np.abs(difference).sum() / len(stated))


def _checked(
    confidence: npt.ArrayLike, is_confirmed: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    stated = np.asarray(confidence, np.float64)
    confirmed = np.asarray(is_confirmed, np.float64)
    if stated.ndim != 1 or stated.shape != confirmed.shape:
        raise ValueError(
            f"confidence and is_confirmed must be of one length, got {stated.shape} "
            f"and {confirmed.shape}"
        )
    known = np.isfinite(stated)
    if not known.any():
        raise ValueError("there is no verdict on an alert with a confidence to calibrate by")
    stated, confirmed = stated[known], confirmed[known]
    if stated.min() < 0 or stated.max() > 1:
        raise ValueError(
            f"confidence lies between 0 and 1, got {stated.min():g} to {stated.max():g}"
        )
    return stated, confirmed
