"""A model over one block: windows cut, put through it together, and laid down again."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cvlarray.errors import InferenceError
from cvlarray.inference.blend import Blend
from cvlarray.inference.lattice import Lattice, Window
from cvlarray.inference.rows import NO_CLASS, GrowingRows
from cvlarray.models.model import BoolArray, FloatArray, Model

__all__ = ["NO_CLASS", "BlockMaps", "Piece", "Source", "classify_block"]

STRIP_WINDOWS = 2
"""Rows of windows that are read together: one alone reads a third of its chunks twice."""


class Source(Protocol):
    """Pixels of the plane, as far as there are any."""

    @property
    def y(self) -> slice:
        """Rows that there are, counted from the origin of the CRS."""

    @property
    def x(self) -> slice:
        """Columns that there are."""

    def read(self, y: slice, x: slice) -> FloatArray:
        """Return (band, y, x) of some of them, in the units of the model; NaN where not seen."""


@dataclass(frozen=True)
class Piece:
    """Part of the plane with its pixels in memory."""

    bands: FloatArray
    """(band, y, x) in the units of the model; NaN where not seen."""
    row: int
    """Of its first pixel, counted from the origin of the CRS."""
    col: int
    """Of its first pixel."""

    @property
    def y(self) -> slice:
        """Its rows."""
        return slice(self.row, self.row + self.bands.shape[1])

    @property
    def x(self) -> slice:
        """Its columns."""
        return slice(self.col, self.col + self.bands.shape[2])

    def read(self, y: slice, x: slice) -> FloatArray:
        """Return a part, not copied."""
        rows = slice(y.start - self.row, y.stop - self.row)
        return self.bands[:, rows, x.start - self.col : x.stop - self.col]


@dataclass(frozen=True)
class BlockMaps:
    """What a model says of a rectangle."""

    classes: NDArray[np.uint8]
    """(y, x); `NO_CLASS` where a band is missing."""
    probability: FloatArray
    """(y, x) of that class; NaN where a band is missing."""
    n_windows: int
    """That went through the model; the others had nothing to see."""


@dataclass(frozen=True)
class _Chip:
    window: Window
    bands: FloatArray
    is_valid: BoolArray


def classify_block(
    source: Source,
    y: slice,
    x: slice,
    *,
    model: Model,
    lattice: Lattice,
    blend: Blend,
    batch_size: int,
) -> BlockMaps:
    """Return the class of each pixel of a rectangle, and its probability.

    A thread reads what the next windows need while the model works.

    Parameters
    ----------
    source
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

    Raises
    ------
    InferenceError
        If the model gives numbers that are not finite.
    """
    rows = GrowingRows.over(y, x, len(model.spec.classes), lattice, blend)
    n_windows = 0
    with concurrent.futures.ThreadPoolExecutor(1, "cvlarray-read") as reader:
        chips = _chips(source, rows, lattice, blend, reader)
        while batch := list(islice(chips, batch_size)):
            n_windows += len(batch)
            for chip, scores in zip(batch, _scores(batch, model, batch_size), strict=False):
                rows.lay_down(scores, chip.window)  # the last batch was filled up
    classes, probability = rows.finished()
    return BlockMaps(classes, probability, n_windows)


def _chips(
    source: Source,
    rows: GrowingRows,
    lattice: Lattice,
    blend: Blend,
    reader: concurrent.futures.Executor,
) -> Iterator[_Chip]:
    """Yield, row by row, what the windows see that have a seen pixel that counts."""
    reach = blend.reach(lattice)
    across = lattice.indices(rows.x, reach)
    down = lattice.indices(rows.y, reach)
    strips = [down[n : n + STRIP_WINDOWS] for n in range(0, len(down), STRIP_WINDOWS)]
    coming = reader.submit(_read, source, lattice, strips[0], across)
    for number, strip in enumerate(strips):
        piece = coming.result()
        if number + 1 < len(strips):
            coming = reader.submit(_read, source, lattice, strips[number + 1], across)
        is_seen = np.logical_and.reduce(np.isfinite(piece.bands), axis=0)
        rows.see(is_seen, piece.row, piece.col)
        for row in strip:
            for col in across:
                if rows.is_seen(lattice.cell(row, reach), lattice.cell(col, reach)).any():
                    yield _cut(Window(lattice.span(row), lattice.span(col)), piece, is_seen, source)


def _read(source: Source, lattice: Lattice, down: range, across: range) -> Piece:
    """Return all that some windows see."""
    y = _touched(slice(lattice.span(down[0]).start, lattice.span(down[-1]).stop), source.y)
    x = _touched(slice(lattice.span(across[0]).start, lattice.span(across[-1]).stop), source.x)
    return Piece(source.read(y, x), y.start, x.start)


def _touched(along: slice, there: slice) -> slice:
    mirrored = _mirrored(along, there)
    return slice(int(mirrored.min()), int(mirrored.max()) + 1)


def _mirrored(along: slice, there: slice) -> NDArray[np.intp]:
    """Return the rows for those of a window; beyond the ends, back from the last one."""
    size = there.stop - there.start
    index = np.arange(along.start - there.start, along.stop - there.start)
    period = max(2 * (size - 1), 1)
    folded = np.abs(index) % period
    inside = np.minimum(folded, period - folded) if size > 1 else np.zeros_like(index)
    mirrored: NDArray[np.intp] = inside + there.start
    return mirrored


def _cut(window: Window, piece: Piece, is_seen: BoolArray, source: Source) -> _Chip:
    """Return what a window sees, 0 where a band is missing."""
    rows = _mirrored(window.y, source.y)[:, None] - piece.row
    cols = _mirrored(window.x, source.x) - piece.col
    is_valid = is_seen[rows, cols]
    return _Chip(window, np.where(is_valid, piece.bands[:, rows, cols], np.float32(0)), is_valid)


def _scores(batch: Sequence[_Chip], model: Model, batch_size: int) -> FloatArray:
    """Return what the model says of some windows."""
    chips = np.zeros((batch_size, *batch[0].bands.shape), np.float32)
    is_valid = np.zeros((batch_size, *batch[0].is_valid.shape), np.bool_)
    for number, chip in enumerate(batch):
        chips[number], is_valid[number] = chip.bands, chip.is_valid
    scores = model.predict(chips, is_valid)
    if not np.isfinite(scores[: len(batch)]).all():
        window = batch[0].window
        raise InferenceError(
            f"{model.spec.name} gives numbers that are not finite near row {window.y.start}, "
            f"column {window.x.start} of the plane; its weights or its normalisation don't fit "
            "these bands"
        )
    return scores
