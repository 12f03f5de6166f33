"""Confirmed pixels, and which of them are one change: connected in place and near in date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from cvlarray.kernels.components import label_pixels
from cvlarray.names import (
    CONFIDENCE,
    CONFIRMED,
    FIRST_FLAGGED,
    INTERVAL_END,
    INTERVAL_START,
    MAGNITUDE,
    NO_DATE,
)
from cvlarray.vectorize import Connectivity, raster_blocks

__all__ = ["Candidates", "find_candidates", "group_changes"]

DayArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
KeyArray = npt.NDArray[np.int64]

DATES = (FIRST_FLAGGED, CONFIRMED, INTERVAL_START, INTERVAL_END)


@dataclass(frozen=True)
class Candidates:
    """Confirmed pixels of a grid, ordered by row and then column.

    Dates are days since 1970-01-01, -1 where missing; all arrays are (n,).
    """

    row: npt.NDArray[np.int32]
    col: npt.NDArray[np.int32]
    first_flagged: DayArray
    confirmed: DayArray
    interval_start: DayArray
    interval_end: DayArray
    magnitude: FloatArray
    confidence: FloatArray


def find_candidates(detections: xr.Dataset, *, min_confidence: float) -> Candidates:
    """Read the confirmed pixels, block by block.

    Memory follows the number of confirmed pixels (32 bytes each), not the size of the grid.

    Parameters
    ----------
    detections
        At least the dates, ``magnitude`` and ``confidence`` of `names.DETECTION_VARIABLES`,
        dims (y, x), as stored (days, -1 for none) or decoded (datetime64, NaT); may be lazy.
    min_confidence
        Pixels below are left out; so are those whose confidence is missing.

    Raises
    ------
    ValueError
        If a variable is missing or has other dims.
    """
    names = [variable.name for variable in (*DATES, MAGNITUDE, CONFIDENCE)]
    missing = [name for name in names if name not in detections]
    if missing:
        raise ValueError(f"detections must have {', '.join(names)}; missing: {', '.join(missing)}")
    wanted = detections[names].reset_coords(drop=True)
    if any(wanted[name].dims != ("y", "x") for name in names):
        raise ValueError(f"detections must have dims (y, x), got {tuple(wanted.sizes)}")
    blocks = [
        _candidates_of(wanted.isel(y=y, x=x).compute(), y.start, x.start, min_confidence)
        for y, x in raster_blocks(wanted[FIRST_FLAGGED.name])
    ]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    order = np.lexsort((columns["col"], columns["row"]))
    return Candidates(**{name: values[order] for name, values in columns.items()})


def _candidates_of(
    block: xr.Dataset, first_row: int, first_col: int, min_confidence: float
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the columns of `Candidates` for one block."""
    days = {variable.name: _days(block[variable.name]) for variable in DATES}
    confidence = block[CONFIDENCE.name].to_numpy()
    is_candidate = (days[FIRST_FLAGGED.name] != NO_DATE) & (days[CONFIRMED.name] != NO_DATE)
    row, col = np.nonzero(is_candidate & (confidence >= min_confidence))
    magnitude = block[MAGNITUDE.name].to_numpy()
    return {
        "row": (row + first_row).astype(np.int32),
        "col": (col + first_col).astype(np.int32),
        **{name: values[row, col] for name, values in days.items()},
        MAGNITUDE.name: magnitude[row, col].astype(np.float32),
        CONFIDENCE.name: confidence[row, col].astype(np.float32),
    }


def _days(dates: xr.DataArray) -> DayArray:
    """Return dates as days since 1970-01-01, -1 where missing."""
    values = dates.to_numpy()
    if values.dtype.kind != "M":
        return values.astype(np.int32, copy=False)
    days = values.astype("datetime64[D]").astype(np.int64)
    return np.where(np.isnat(values), NO_DATE, days).astype(np.int32)


def group_changes(
    candidates: Candidates, *, connectivity: Connectivity, max_gap_days: int
) -> KeyArray:
    """Say which candidates are one change.

    Neighbours are one change if no more than ``max_gap_days`` lie between the dates on which they
    were first flagged: clearings of different campaigns that share a border stay apart, one that
    goes on without a pause stays whole.

    Parameters
    ----------
    candidates
        From `find_candidates`.
    connectivity
        4 or 8.
    max_gap_days
        Longest pause between neighbours [days].

    Returns
    -------
    (n,) labels 0, 1, ..., in the order of each change's first pixel.
    """
    days = candidates.first_flagged.astype(np.int64)
    return label_pixels(candidates.row, candidates.col, days, max_gap_days, connectivity == 8)
