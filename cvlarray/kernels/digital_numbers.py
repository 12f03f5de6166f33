"""Digital numbers of a file made those of the cube, in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import contiguous_rows, jit


def shift_and_fill(
    values: NDArray[np.integer], *, offset: int, nodata: float | None, fill: int
) -> None:
    """Add an offset to the values, and put the fill where they are missing.

    Parameters
    ----------
    values
        (y, x), changed in place; their dtype must hold the shifted values.
    offset
        Added to what isn't missing.
    nodata
        What is missing in ``values``; None, or a number that their dtype can't hold, if nothing is.
    fill
        What takes its place.
    """
    limits, kind = np.iinfo(values.dtype), values.dtype.type
    if nodata is None or not (limits.min <= nodata <= limits.max and float(nodata).is_integer()):
        missing, has_nodata = kind(0), False
    else:
        missing, has_nodata = kind(nodata), True
    rows, n_cols = contiguous_rows(values), values.shape[1]
    _shift_and_fill(rows, n_cols, kind(offset), missing, has_nodata, kind(fill))


@jit
def _shift_and_fill(
    values: NDArray[Any], n_cols: int, offset: Any, nodata: Any, has_nodata: bool, fill: Any
) -> None:
    for row in range(values.shape[0]):
        for col in range(n_cols):
            value = values[row, col]
            is_missing = has_nodata & (value == nodata)
            values[row, col] = fill if is_missing else value + offset
