"""Dates as the kernels count them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.season import TimeAxis


def days_of(array: xr.DataArray) -> NDArray[np.int64]:
    """Return the dates of ``time`` as days since 1970-01-01."""
    return _to_days(array["time"].to_numpy())


def history_axis(days: NDArray[np.int64], history: slice | None) -> TimeAxis:
    """Return the axis over the period asked for, so that all regions of a run share it.

    Raises
    ------
    ValueError
        If there are fewer than two dates.
    """
    if days.size < 2:
        raise ValueError(f"a history needs at least two dates, got {days.size}")
    bounds = (None, None) if history is None else (history.start, history.stop)
    first = days.min() if bounds[0] is None else _to_days(_period(bounds[0])[0])
    last = days.max() if bounds[1] is None else _to_days(_period(bounds[1])[1])
    return TimeAxis.over(float(first), float(last))


def _period(bound: Any) -> tuple[np.datetime64, np.datetime64]:
    """Return first and last moment of what a bound names: "2018" is a whole year in a slice."""
    if isinstance(bound, str):
        period = pd.Period(bound)
        return period.start_time.to_datetime64(), period.end_time.to_datetime64()
    moment = pd.Timestamp(bound).to_datetime64()
    return moment, moment


def _to_days(dates: NDArray[np.datetime64] | np.datetime64) -> NDArray[np.int64]:
    return np.asarray(dates).astype("datetime64[D]").astype(np.int64)
