"""Put the pixels of one scene under those of another: where something is missing, and filling it.

Each is one pass over the pixels, which are still in the processor's cache then.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import contiguous_rows, jit, jit_inline


@jit_inline
def _is_missing(value: Any, fill: Any) -> Any:
    """Whether a value is the fill, or NaN where it can be."""
    return (value == fill) | (value != value)  # noqa: PLR0124 (only NaN differs from itself)


@jit
def _has_missing(part: NDArray[Any], fill: Any) -> Any:
    """Whether anything is missing; without a way out of the loop, which is thereby vectorised."""
    found = False
    for col in range(part.size):
        found |= _is_missing(part[col], fill)
    return found


@jit
def missing_bounds(layer: NDArray[Any], fill: Any) -> tuple[int, int, int, int]:
    """Return the rows and columns outside which nothing is missing.

    Parameters
    ----------
    layer
        (y, x).
    fill
        What stands where something is missing, of the layer's dtype; in floats NaN does anyway.

    Returns
    -------
    First and last row plus one, first and last column plus one; zeros where nothing is missing.
    """
    top, bottom = 0, layer.shape[0]
    while top < bottom and not _has_missing(layer[top], fill):
        top += 1
    if top == bottom:
        return 0, 0, 0, 0
    while not _has_missing(layer[bottom - 1], fill):
        bottom -= 1
    left, right = layer.shape[1], 0
    for row in range(top, bottom):
        if _has_missing(layer[row, :left], fill):
            left = 0
            while not _is_missing(layer[row, left], fill):
                left += 1
        if _has_missing(layer[row, right:], fill):
            right = layer.shape[1]
            while not _is_missing(layer[row, right - 1], fill):
                right -= 1
    return top, bottom, left, right


def fill_missing(
    layer: NDArray[Any], values: NDArray[Any], fill: Any, was_missing: NDArray[np.bool_]
) -> None:
    """Put values where something is missing.

    Parameters
    ----------
    layer
        (y, x), changed in place.
    values
        (y, x) of the same dtype.
    fill
        As of `missing_bounds`.
    was_missing
        (y, x), written: where something was missing before.
    """
    _fill_missing(contiguous_rows(layer), np.ascontiguousarray(values), fill, was_missing)


@jit
def _fill_missing(
    layer: NDArray[Any], values: NDArray[Any], fill: Any, was_missing: NDArray[np.bool_]
) -> None:
    for row in range(values.shape[0]):
        for col in range(values.shape[1]):
            was_missing[row, col] = _is_missing(layer[row, col], fill)
        for col in range(values.shape[1]):
            value = layer[row, col]
            layer[row, col] = values[row, col] if _is_missing(value, fill) else value


def repeat_pixels(
    values: NDArray[Any], repeat: int, first: tuple[int, int], out: NDArray[Any]
) -> None:
    """Write each pixel as a square of ``repeat`` by ``repeat``.

    Parameters
    ----------
    values
        (y, x) of the coarse grid.
    repeat
        Pixels of the fine grid along the side of one of the coarse.
    first
        Row and column of ``out[0, 0]``, in fine pixels from the first coarse one.
    out
        (y, x) of the fine grid, written.
    """
    _repeat_pixels(np.ascontiguousarray(values), repeat, first, contiguous_rows(out), out.shape)


@jit
def _repeat_pixels(
    values: NDArray[Any],
    repeat: int,
    first: tuple[int, int],
    out: NDArray[Any],
    shape: tuple[int, int],
) -> None:
    height, width = shape
    for row in range(height):
        source = (first[0] + row) // repeat
        if row and (first[0] + row) % repeat:
            for col in range(width):
                out[row, col] = out[row - 1, col]
        elif repeat == 2:
            _double(values[source], first[1], out[row], width)
        else:
            for col in range(width):
                out[row, col] = values[source, (first[1] + col) // repeat]


@jit_inline
def _double(values: NDArray[Any], first: int, out: NDArray[Any], width: int) -> None:
    """Write each pixel of a row twice; in pairs, for the compiler makes that one store of many."""
    is_odd = first % 2
    if is_odd and width:
        out[0] = values[first // 2]
    column = first // 2 + is_odd
    for pair in range((width - is_odd) // 2):
        value = values[column + pair]
        out[is_odd + 2 * pair] = value
        out[is_odd + 2 * pair + 1] = value
    if width > is_odd and (width - is_odd) % 2:
        out[width - 1] = values[(first + width - 1) // 2]
