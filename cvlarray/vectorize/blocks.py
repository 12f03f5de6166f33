"""Blocks of a raster, each read once, with the halo that the boundary tracer needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Block", "Chunks", "block_rows", "regular_chunks"]

IntArray = npt.NDArray[np.int32]
Chunks = tuple[Sequence[int], Sequence[int]]
"""Heights of the rows of blocks, and widths of their columns [pixels], as Dask has them."""

ReadBlock = Callable[[slice, slice], npt.NDArray[np.integer | np.bool_]]
"""Returns the pixels of a slice of rows and a slice of columns."""


class Block(NamedTuple):
    """Pixels of one block with a row more above and a column more to the left."""

    pixels: IntArray
    """(height + 1, width + 1); the last blocks have a row and a column of 0 more at the end."""
    row: int
    """First row of the block itself in the raster."""
    col: int


def regular_chunks(shape: tuple[int, int], block_px: int) -> Chunks:
    """Return chunks of ``block_px`` pixels; the last ones may be smaller."""
    if block_px < 1:
        raise ValueError(f"block_px must be a positive number of pixels, got {block_px}")
    rows, cols = (
        [min(block_px, size - start) for start in range(0, size, block_px)] for size in shape
    )
    return rows, cols


def block_rows(read: ReadBlock, chunks: Chunks) -> Iterator[Iterator[Block]]:
    """Yield rows of blocks from the top, each from left to right; all of a row must be taken.

    Parameters
    ----------
    read
        Called once a block.
    chunks
        Sizes of the blocks.

    Raises
    ------
    TypeError
        If the pixels aren't integers.
    ValueError
        If a value doesn't fit 32 bits, or a block has another shape than asked for.
    """
    rows, cols = (list(pairwise(accumulate(sizes, initial=0))) for sizes in chunks)
    border = np.zeros(sum(chunks[1]), np.int32)  # the row of pixels above the current blocks
    for row in rows:
        yield _read_row(read, row, cols, border, is_last=row is rows[-1])


def _read_row(
    read: ReadBlock,
    row: tuple[int, int],
    cols: Sequence[tuple[int, int]],
    border: IntArray,
    *,
    is_last: bool,
) -> Iterator[Block]:
    """Yield the blocks of one row, and leave their last row of pixels in ``border``."""
    height = row[1] - row[0]
    side = np.zeros(height + 1, np.int32)  # the column of pixels left of the current block
    for col in cols:
        start, stop = col
        shape = height + 1 + is_last, stop - start + 1 + (col is cols[-1])
        pixels = np.zeros(shape, np.int32)
        inside = pixels[1 : height + 1, 1 : stop - start + 1]
        inside[:] = _as_int32(read(slice(*row), slice(start, stop)), inside.shape)
        pixels[0, 1 : stop - start + 1] = border[start:stop]
        pixels[: height + 1, 0] = side
        side[0], side[1:] = border[stop - 1], inside[:, -1]
        border[start:stop] = inside[-1]
        yield Block(pixels, row[0], start)


def _as_int32(
    values: npt.NDArray[np.integer | np.bool_], shape: tuple[int, ...]
) -> npt.NDArray[np.integer | np.bool_]:
    """Return the values if they can be stored as int32."""
    if values.shape != shape:
        raise ValueError(f"a block must have the shape asked for, {shape}, got {values.shape}")
    if values.dtype.kind not in "iub":
        raise TypeError(
            f"values must be integers with 0 for nothing, got {values.dtype}; "
            "classify or round them first"
        )
    limits = np.iinfo(np.int32)
    if not np.can_cast(values.dtype, np.int32) and values.size:
        low, high = values.min(), values.max()
        if low < limits.min or high > limits.max:
            raise ValueError(f"values must fit 32 bits, got {low} to {high}")
    return values
