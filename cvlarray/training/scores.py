"""How well predicted classes fit labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.training.chips import NO_LABEL

__all__ = ["class_scores", "confusion_of", "mean_iou"]

CountArray = NDArray[np.int64]


def confusion_of(
    labels: NDArray[np.uint8], predicted: NDArray[np.integer], n_classes: int
) -> CountArray:
    """Return how many pixels of each class (row) were given each class (column).

    Parameters
    ----------
    labels
        Any shape; `NO_LABEL` is left out.
    predicted
        The same shape, 0 to ``n_classes - 1``.
    n_classes
        Classes.
    """
    known = labels != NO_LABEL
    pairs = labels[known].astype(np.int64) * n_classes + predicted[known]
    counts = np.bincount(pairs, minlength=n_classes**2)
    return np.asarray(counts.reshape(n_classes, n_classes), np.int64)


def class_scores(confusion: CountArray) -> dict[str, NDArray[np.float64]]:
    """Return ``iou``, ``precision``, ``recall``, ``f1`` (class,); NaN where a class is absent."""
    right = np.diag(confusion).astype(np.float64)
    predicted, real = confusion.sum(axis=0), confusion.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "iou": right / (predicted + real - right),
            "precision": right / predicted,
            "recall": right / real,
            "f1": 2 * right / (predicted + real),
        }


def mean_iou(confusion: CountArray) -> float:
    """Return the mean over the classes that are labelled somewhere; 0 if none is."""
    iou = class_scores(confusion)["iou"][confusion.sum(axis=1) > 0]
    return float(iou.mean()) if iou.size else 0.0
