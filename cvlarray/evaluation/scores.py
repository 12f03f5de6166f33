"""Figures out of counts of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["binary_scores", "class_scores", "cohens_kappa", "confusion_of", "mean_iou"]

Counts = NDArray[np.float64]


def confusion_of(
    truth: NDArray[np.uint8], said: NDArray[np.uint8], *, n_classes: int, n_said: int
) -> NDArray[np.int64]:
    """Return how many pixels of each class (row) were given each class (column).

    Parameters
    ----------
    truth
        Classes, any shape; pixels of ``n_classes`` or more are left out.
    said
        The same shape; pixels of ``n_said`` or more are left out.
    n_classes, n_said
        Classes of either; a model may know more than are asked for.
    """
    known = (truth < n_classes) & (said < n_said)
    pairs = truth[known].astype(np.int64) * n_said + said[known]
    return np.bincount(pairs, minlength=n_classes * n_said).reshape(n_classes, n_said)


def class_scores(confusion: Counts) -> Counts:
    """Return IoU, precision, recall and F1 of each class, and their means in the last row.

    Parameters
    ----------
    confusion
        (class, said); what is said beyond the classes is wrong for the class that it is.

    Returns
    -------
    (class + 1, 4). NaN where a class is neither there nor said; means leave it out.
    """
    n_classes = len(confusion)
    right = np.diag(confusion[:, :n_classes])
    real, said = confusion.sum(axis=1), confusion[:, :n_classes].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.stack(
            [right / (real + said - right), right / said, right / real, 2 * right / (real + said)],
            axis=1,
        )
    known = np.isfinite(scores)
    n_known = np.maximum(known.sum(axis=0), 1)
    means = np.where(known.any(axis=0), np.where(known, scores, 0).sum(axis=0) / n_known, np.nan)
    return np.vstack([scores, means])


def mean_iou(confusion: Counts) -> Counts:
    """Return the mean IoU over the classes that are there or said, shape ()."""
    return np.asarray(class_scores(confusion)[-1, 0])


def binary_scores(counts: Counts) -> Counts:
    """Return precision, recall and F1 of true positives, false positives and false negatives."""
    right, wrong, missed = counts[:3]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.array(
            [right / (right + wrong), right / (right + missed),
             2 * right / (2 * right + wrong + missed)]
        )  # fmt: skip


def cohens_kappa(confusion: Counts) -> float:
    """Return how far two annotators agree beyond chance; NaN where chance alone would agree.

    Parameters
    ----------
    confusion
        Square: pixels by the first annotator's class and the second's.

    References
    ----------
    Cohen 1960, Educational and Psychological Measurement 20, doi:10.1177/001316446002000104.
    """
    total = confusion.sum()
    if not total:
        return float("nan")
    shares = confusion / total
    observed = float(np.trace(shares))
    expected = float(shares.sum(axis=1) @ shares.sum(axis=0))
    return (observed - expected) / (1 - expected) if expected < 1 else float("nan")
