"""How well two maps agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def kappa(true: NDArray[Any], found: NDArray[Any]) -> float:
    """Return Cohen's kappa of two maps of small integers or booleans."""
    n_classes = int(max(true.max(), found.max())) + 1
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (true.astype(int).ravel(), found.astype(int).ravel()), 1)
    table /= table.sum()
    expected = float(table.sum(axis=0) @ table.sum(axis=1))
    return (float(np.trace(table)) - expected) / (1 - expected)
