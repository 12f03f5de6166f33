"""How far two people who labelled the same chips agree."""

from __future__ import annotations

import numpy as np

from cvlarray.evaluation.scores import cohens_kappa, confusion_of
from cvlarray.training.chips import ChipSet

__all__ = ["kappa_of"]


def kappa_of(chips: ChipSet) -> float:
    """Return Cohen's kappa of the first two annotators, over pixels that both gave a class.

    Raises
    ------
    ValueError
        If there is one annotator only.
    """
    if len(chips.kind.annotators) < 2:
        raise ValueError(
            f"{chips.folder} has one annotator, {chips.kind.annotators[0]}; agreement takes two"
        )
    n_classes = len(chips.kind.classes)
    total = np.zeros((n_classes, n_classes))
    for number in range(len(chips)):
        first, second, *_ = chips.labels([number])[0]
        total += confusion_of(first, second, n_classes=n_classes, n_said=n_classes)
    return cohens_kappa(total)
