"""Scores of a rectangle's rows, which windows add to until the next ones lie below them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cvlarray.inference.blend import Blend
from cvlarray.inference.lattice import Lattice, Window
from cvlarray.models.model import BoolArray, FloatArray

__all__ = ["NO_CLASS", "GrowingRows"]

NO_CLASS = np.uint8(255)
"""Fill of a class map: not seen."""


@dataclass
class GrowingRows:
    """The maps of a rectangle, and the scores of as many rows as a window has."""

    y: slice
    x: slice
    weights: FloatArray
    """Of a window's pixels."""
    total: FloatArray
    """(class, window, x): weighted scores of the rows from ``top`` on."""
    top: int
    """First row that may still grow; those above are finished."""
    seen: BoolArray
    """(y, x): where every band was seen."""
    classes: NDArray[np.uint8]
    probability: FloatArray

    @classmethod
    def over(cls, y: slice, x: slice, n_classes: int, lattice: Lattice, blend: Blend) -> Self:
        """Return the rows of a rectangle before any window."""
        shape = y.stop - y.start, x.stop - x.start
        return cls(
            y=y,
            x=x,
            weights=blend.weights(lattice),
            total=np.zeros((n_classes, lattice.window, shape[1]), np.float32),
            top=lattice.span(lattice.indices(y, blend.reach(lattice))[0]).start,
            seen=np.zeros(shape, np.bool_),
            classes=np.full(shape, NO_CLASS),
            probability=np.full(shape, np.float32("nan")),
        )

    def see(self, is_seen: BoolArray, row: int, col: int) -> None:
        """Take where a piece of the plane was seen; ``row`` and ``col`` are its first pixel's."""
        rows = _common(self.y, slice(row, row + is_seen.shape[0]))
        cols = _common(self.x, slice(col, col + is_seen.shape[1]))
        inside = is_seen[_moved(rows, -row), _moved(cols, -col)]
        self.seen[_moved(rows, -self.y.start), _moved(cols, -self.x.start)] = inside

    def is_seen(self, y: slice, x: slice) -> BoolArray:
        """Return where a part of the rectangle was seen."""
        rows, cols = _common(self.y, y), _common(self.x, x)
        return self.seen[_moved(rows, -self.y.start), _moved(cols, -self.x.start)]

    def lay_down(self, scores: FloatArray, window: Window) -> None:
        """Add a window's scores (class, y, x); windows come row by row."""
        self._finish_above(window.y.start)
        rows, cols = _common(self.y, window.y), _common(self.x, window.x)
        own = _moved(rows, -window.y.start), _moved(cols, -window.x.start)
        here = _moved(rows, -self.top), _moved(cols, -self.x.start)
        self.total[:, *here] += scores[:, *own] * self.weights[own]

    def finished(self) -> tuple[NDArray[np.uint8], FloatArray]:
        """Return classes and probabilities; no window comes after."""
        self._finish_above(self.top + self.total.shape[1])
        return self.classes, self.probability

    def _finish_above(self, top: int) -> None:
        """Say what the rows above show, and make room for as many below."""
        if top == self.top:
            return
        n_rows = min(top - self.top, self.total.shape[1])
        rows = _common(self.y, slice(self.top, self.top + n_rows))
        total = self.total[:, _moved(rows, -self.top)]
        place = _moved(rows, -self.y.start)
        seen = self.seen[place]
        share = total.max(axis=0) / np.maximum(total.sum(axis=0), np.finfo(np.float32).tiny)
        self.classes[place] = np.where(seen, total.argmax(axis=0).astype(np.uint8), NO_CLASS)
        self.probability[place] = np.where(seen, share, np.float32("nan"))
        self.total[:, : self.total.shape[1] - n_rows] = self.total[:, n_rows:]
        self.total[:, self.total.shape[1] - n_rows :] = 0
        self.top = top


def _common(first: slice, second: slice) -> slice:
    """Return where two stretches meet, empty if nowhere."""
    start, stop = max(first.start, second.start), min(first.stop, second.stop)
    return slice(start, max(start, stop))


def _moved(along: slice, by: int) -> slice:
    return slice(along.start + by, along.stop + by)
