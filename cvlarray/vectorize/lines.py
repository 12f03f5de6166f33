"""Lines of vertices, kept in as many arrays as they came in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cvlarray.kernels.rings import copy_lines

__all__ = ["Lines", "first_points", "gather", "line_lengths"]

IntArray = npt.NDArray[np.int32]
KeyArray = npt.NDArray[np.int64]


class Lines(NamedTuple):
    """Lines, one after the other."""

    points: IntArray
    """(n, 2) row and column of vertices."""
    offsets: KeyArray
    """(lines + 1,) where each line starts."""


def line_lengths(pieces: Sequence[Lines]) -> KeyArray:
    """Return the number of points of each line, numbered through all pieces."""
    return np.concatenate([np.empty(0, np.int64), *(np.diff(piece.offsets) for piece in pieces)])


def first_points(pieces: Sequence[Lines]) -> IntArray:
    """Return the first point (lines, 2) of each line; no line may be empty."""
    none = np.empty((0, 2), np.int32)
    return np.concatenate([none, *(piece.points[piece.offsets[:-1]] for piece in pieces)])


def gather(pieces: Sequence[Lines], order: KeyArray) -> Lines:
    """Return lines of several pieces in a given order, copied into one array.

    Parameters
    ----------
    pieces
        Where the lines lie.
    order
        (m,) numbers of the lines through all pieces.
    """
    lengths = line_lengths(pieces)[order]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    points = np.empty((int(offsets[-1]), 2), np.int32)
    bases = np.cumsum([0, *(piece.offsets.size - 1 for piece in pieces)])
    places = np.argsort(order, kind="stable")  # all lines of a piece, then those of the next
    bounds = np.searchsorted(order[places], bases)
    for k, piece in enumerate(pieces):
        here = places[bounds[k] : bounds[k + 1]]
        copy_lines(piece.points, piece.offsets, order[here] - bases[k], points, offsets[here])
    return Lines(points, offsets)
