"""How windows that overlap share a pixel."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from cvlarray.inference.lattice import Lattice
from cvlarray.models.model import FloatArray

__all__ = ["Blend", "Cosine", "Crop"]


class Blend(Protocol):
    """Weights of a window's pixels."""

    def reach(self, lattice: Lattice) -> int:
        """Return how far beyond its own cell a window counts [pixels]."""

    def weights(self, lattice: Lattice) -> FloatArray:
        """Return float32 (window, window): 0 where a window doesn't count."""


class Crop:
    """Each pixel is its own window's: the one in whose middle it lies."""

    def reach(self, lattice: Lattice) -> int:  # noqa: ARG002 (as the others have it)
        """Return 0."""
        return 0

    def weights(self, lattice: Lattice) -> FloatArray:
        """Return 1 in the window's cell, 0 in its margins."""
        along = np.zeros(lattice.window, np.float32)
        along[lattice.margin : lattice.margin + lattice.step] = 1
        return np.outer(along, along)


class Cosine:
    """Neighbours fade into each other over their overlap, by a raised cosine."""

    def reach(self, lattice: Lattice) -> int:
        """Return the margin: the whole window counts."""
        return lattice.margin

    def weights(self, lattice: Lattice) -> FloatArray:
        """Return a flat middle that falls over the overlap, as the neighbour's rises."""
        along = np.ones(lattice.window, np.float32)
        rise = (np.arange(lattice.overlap) + 0.5) / max(lattice.overlap, 1)
        along[: lattice.overlap] = np.sin(np.pi / 2 * rise) ** 2
        along[lattice.window - lattice.overlap :] *= along[: lattice.overlap][::-1]
        return np.outer(along, along).astype(np.float32)
