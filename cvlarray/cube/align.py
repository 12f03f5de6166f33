"""How the pixels of a file lie under those of a block, where whole numbers say it all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from affine import Affine
from odc.geo.geobox import GeoBox

Extent = tuple[slice, slice]
"""Rows and columns of a block."""

_TOLERANCE_PX = 1e-3
"""Geotransforms are read from text; a thousandth of a pixel is nobody's intention."""


@dataclass(frozen=True)
class Alignment:
    """A file whose pixel edges and a block's coincide; one of ``repeat`` and ``reduce`` is 1."""

    repeat: int
    """Block pixels per file pixel, along each axis."""
    reduce: int
    """File pixels per block pixel, along each axis."""
    row: int
    """Row of the file's first pixel, counted from the block's in pixels of the finer grid."""
    col: int
    """Column of the file's first pixel, counted likewise."""
    shape: tuple[int, int]
    """Rows and columns of the file."""

    def covered(self, geobox: GeoBox) -> Extent:
        """Return the rows and columns of the block that the file covers whole."""
        height, width = geobox.shape
        return (
            self._covered(self.row, self.shape[0], height),
            self._covered(self.col, self.shape[1], width),
        )

    def source(self, extent: Extent) -> Extent:
        """Return the rows and columns of the file that lie under a part of the block."""
        return self._source(extent[0], self.row), self._source(extent[1], self.col)

    def start(self, extent: Extent) -> tuple[int, int]:
        """Return the first row and column of a part of the block in its repeated source pixels."""
        rows, cols = self.source(extent)
        return (
            extent[0].start - self.row - rows.start * self.repeat,
            extent[1].start - self.col - cols.start * self.repeat,
        )

    def _covered(self, first: int, n_file: int, n_block: int) -> slice:
        start = max(0, math.ceil(first / self.reduce))
        stop = min(n_block, (first + n_file * self.repeat) // self.reduce)
        return slice(start, max(start, stop))

    def _source(self, part: slice, first: int) -> slice:
        start = part.start * self.reduce - first
        stop = part.stop * self.reduce - first
        return slice(start // self.repeat, -(-stop // self.repeat))


def align(transform: Affine, shape: tuple[int, int], geobox: GeoBox) -> Alignment | None:
    """Tell how a file of the block's CRS lies under the block.

    Parameters
    ----------
    transform
        Of the file: pixel corners to its CRS, which is the block's.
    shape
        Rows and columns of the file.
    geobox
        North-up grid of the block.

    Returns
    -------
    None if the pixels have to be interpolated: rotated, flipped, shifted by a part of a pixel, or
    of a size that is no multiple of the other.
    """
    block = geobox.affine
    if transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
        return None
    ratio_x, ratio_y = transform.a / block.a, transform.e / block.e
    repeat = _whole(ratio_x) if ratio_x >= 1 else 1
    reduce = _whole(1 / ratio_x) if ratio_x < 1 else 1
    if not repeat or not reduce or not math.isclose(ratio_x, ratio_y, rel_tol=1e-9):
        return None
    finer = Affine(block.a / reduce, 0, 0, 0, block.e / reduce, 0)
    col = _whole((transform.c - block.c) / finer.a)
    row = _whole((transform.f - block.f) / finer.e)
    if row is None or col is None:
        return None
    return Alignment(repeat, reduce, row, col, shape)


def whole(geobox: GeoBox) -> Extent:
    """Return all rows and columns of a block."""
    height, width = geobox.shape
    return slice(0, height), slice(0, width)


def intersection(one: Extent, other: Extent) -> Extent:
    """Return the rows and columns that two parts of a block have in common, perhaps none."""
    rows, cols = (
        slice(max(a.start, b.start), max(a.start, b.start, min(a.stop, b.stop)))
        for a, b in zip(one, other, strict=True)
    )
    return rows, cols


def _whole(value: float) -> int | None:
    """Return the integer that a number is meant to be, or None."""
    return round(value) if abs(value - round(value)) < _TOLERANCE_PX else None
