"""Dates as numbers and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["dates_of"]


def dates_of(days: npt.ArrayLike) -> npt.NDArray[np.datetime64]:
    """Return the dates so many days after 1970-01-01, NaT where NaN.

    `pandas.to_datetime` of floats with NaN multiplies memory that it never set (pandas 2 and 3),
    which now and then overflows.
    """
    numbers = np.asarray(days, np.float64)
    dates = np.full(numbers.shape, "NaT", "datetime64[D]")
    is_known = ~np.isnan(numbers)
    dates[is_known] = numbers[is_known].astype(np.int64).astype("datetime64[D]")
    return dates.astype("datetime64[ms]")
