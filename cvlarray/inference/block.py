"""A model over one block: windows cut, put through it together, and laid down again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cvlarray.inference.blend import Blend
from cvlarray.inference.lattice import Lattice, Window
from cvlarray.models.model import BoolArray, FloatArray, Model

__all__ = ["NO_CLASS", "Piece", "classify_block"]

NO_CLASS = np.uint8(255)
"""Fill of a class map: not seen."""


@dataclass(frozen=True)
class Piece:
    """Part of the plane with its pixels."""

    bands: FloatArray
    """(band, y, x) in the units of the model; NaN where not seen."""
    row: int
    """Of its first pixel, counted from the origin of the CRS."""
    col: int
    """Of its first pixel."""


def classify_block(
    piece: Piece,
    y: slice,
    x: slice,
    *,
    model: Model,
    lattice: Lattice,
    blend: Blend,
    batch_size: int,
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Return the class of each pixel of a rectangle, and its probability.

    Parameters
    ----------
    piece
        The rectangle and what its windows reach beyond it; where it ends before they do is the
        edge of all that there is, and is mirrored.
    y, x
        The rectangle, by the rows and columns of the plane.
    model
        What to run.
    lattice
        Where its windows lie.
    blend
        How they share pixels.
    batch_size
        Windows that go through the model together. Short batches are filled up: some
        implementations add in another order for another number.

    Returns
    -------
    uint8 classes (`NO_CLASS` where a band is missing) and float32 probabilities (NaN there).
    """
    shape = y.stop - y.start, x.stop - x.start
    is_seen = np.logical_and.reduce(np.isfinite(piece.bands), axis=0)
    total = np.zeros((len(model.spec.classes), *shape), np.float32)
    weights = blend.weights(lattice)
    windows = _worthwhile(lattice.windows(y, x, blend.reach(lattice)), piece, is_seen, y, x)
    while batch := list(islice(windows, batch_size)):
        scores = _scores(batch, piece, is_seen, model, batch_size)
        for window, score in zip(batch, scores, strict=False):  # the last batch is filled up
            _lay_down(total, score, weights, window, y, x)
    seen = is_seen[_within(y, y, piece.row), _within(x, x, piece.col)]
    classes = np.where(seen, total.argmax(axis=0).astype(np.uint8), NO_CLASS)
    share = total.max(axis=0) / np.maximum(total.sum(axis=0), np.finfo(np.float32).tiny)
    return classes, np.where(seen, share, np.float32("nan"))


def _worthwhile(
    windows: Iterator[Window], piece: Piece, is_seen: BoolArray, y: slice, x: slice
) -> Iterator[Window]:
    """Yield the windows that have a seen pixel of the rectangle."""
    for window in windows:
        rows = _within(window.y, y, piece.row)
        cols = _within(window.x, x, piece.col)
        if is_seen[rows, cols].any():
            yield window


def _within(window: slice, block: slice, origin: int) -> slice:
    """Return where a window and a block meet, by the piece's own rows or columns."""
    start, stop = max(window.start, block.start), min(window.stop, block.stop)
    return slice(start - origin, max(start, stop) - origin)


def _scores(
    batch: Sequence[Window], piece: Piece, is_seen: BoolArray, model: Model, batch_size: int
) -> FloatArray:
    size = batch[0].y.stop - batch[0].y.start
    chips = np.zeros((batch_size, len(piece.bands), size, size), np.float32)
    is_valid = np.zeros((batch_size, size, size), np.bool_)
    for number, window in enumerate(batch):
        rows = _mirrored(window.y, piece.row, is_seen.shape[0])
        cols = _mirrored(window.x, piece.col, is_seen.shape[1])
        is_valid[number] = is_seen[np.ix_(rows, cols)]
        chips[number] = np.where(is_valid[number], piece.bands[:, rows[:, None], cols], 0)
    return model.predict(chips, is_valid)


def _mirrored(along: slice, origin: int, size: int) -> NDArray[np.intp]:
    """Return the piece's rows for those of a window; beyond the ends, back from the last one."""
    index = np.arange(along.start - origin, along.stop - origin)
    period = max(2 * (size - 1), 1)
    folded = np.abs(index) % period
    return np.minimum(folded, period - folded) if size > 1 else np.zeros_like(index)


def _lay_down(
    total: FloatArray, scores: FloatArray, weights: FloatArray, window: Window, y: slice, x: slice
) -> None:
    """Add a window's weighted scores where it meets the rectangle."""
    rows, cols = _within(window.y, y, y.start), _within(window.x, x, x.start)
    top, left = y.start - window.y.start, x.start - window.x.start
    own = (
        slice(rows.start + top, rows.stop + top),
        slice(cols.start + left, cols.stop + left),
    )
    total[:, rows, cols] += scores[:, *own] * weights[own]
