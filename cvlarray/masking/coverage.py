"""How much of each tile was seen on each date, and where SAR has to look instead."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.masking.flags import OBSCURING, is_clear_of
from cvlarray.names import MASKED_SHARE, NEEDS_SAR, QualityFlag

MAX_MASKED_SHARE = 0.6
"""A tile of which more is masked on a date is left to SAR."""

WINDOW_DAYS = 10


def tile_coverage(
    quality: xr.DataArray,
    tile_px: int,
    *,
    inside: xr.DataArray | None = None,
    flags: QualityFlag = OBSCURING,
    max_masked_share: float = MAX_MASKED_SHARE,
) -> xr.Dataset:
    """Return how much of each tile is masked on each date, and whether that is too much.

    Parameters
    ----------
    quality
        uint8 flags (time, y, x).
    tile_px
        Tile side; tiles are counted and named as by `cvlarray.grid.tiles`, the last row and column
        may be smaller.
    inside
        Boolean (y, x): pixels that matter, all by default.
    flags
        What masks a pixel. Pixels that a scene didn't reach count as masked.
    max_masked_share
        With a larger share masked a tile-date needs SAR [1].

    Returns
    -------
    ``masked_share`` (time, tile) float32, NaN where a date has no observation of the tile at all or
    the tile no pixel inside; ``needs_sar`` (time, tile), False there. ``tile`` has the names
    ("r003c012"). Lazy if ``quality`` is.

    Raises
    ------
    ValueError
        If ``tile_px`` or ``max_masked_share`` is out of range, or ``inside`` is on another grid.
    """
    if tile_px < 1 or not 0 <= max_masked_share <= 1:
        raise ValueError(
            "tile_px must be at least 1 and max_masked_share from 0 to 1, got "
            f"{tile_px} and {max_masked_share}"
        )
    images = quality.transpose("time", "y", "x")
    matters = xr.ones_like(images.isel(time=0), bool) if inside is None else inside
    if matters.sizes != {dim: images.sizes[dim] for dim in ("y", "x")}:
        raise ValueError(
            f"inside must be (y, x) like quality, got {dict(matters.sizes)} for "
            f"{dict(images.sizes)}"
        )
    matters = matters.transpose("y", "x").expand_dims(time=1)
    n_inside = _count(matters.data, tile_px)
    n_clear = _count((is_clear_of(images, flags) & matters.isel(time=0)).data, tile_px)
    n_seen = _count(((images != QualityFlag.FILL) & matters.isel(time=0)).data, tile_px)
    share = xr.DataArray(
        1 - n_clear / np.where(n_seen > 0, n_inside, math.nan), dims=("time", "tile")
    ).astype(np.float32)
    rows, columns = (math.ceil(images.sizes[dim] / tile_px) for dim in ("y", "x"))
    names = [f"r{row:03d}c{column:03d}" for row in range(rows) for column in range(columns)]
    coverage = xr.Dataset(
        {MASKED_SHARE.name: share, NEEDS_SAR.name: share > max_masked_share},
        coords={"time": images["time"], "tile": names},
    )
    for variable in (MASKED_SHARE, NEEDS_SAR):
        coverage[variable.name].attrs = dict(variable.attrs)
    return coverage


def coverage_by_ten_days(coverage: xr.Dataset) -> pd.DataFrame:
    """Return how much was seen in each window of ten days.

    Windows are counted from 1970-01-01 on, so that they stay the same when dates are added.

    Parameters
    ----------
    coverage
        From `tile_coverage`, computed.

    Returns
    -------
    Indexed by the ``start`` of each window from the first date to the last, with empty ones among
    them. Columns: ``n_dates``; ``n_tile_dates``, tiles observed, once for each date;
    ``clear_share``, of an average one of them; ``clear_tile_dates``, the share of them that doesn't
    need SAR; ``clear_tiles``, the share of all tiles of which at least one date doesn't. Shares are
    NaN without an observation, ``clear_tiles`` is 0.

    Raises
    ------
    ValueError
        If ``coverage`` is lazy.
    """
    days = _days(coverage)
    start = days - days % WINDOW_DAYS
    every = np.arange(start.min(), start.max() + 1, WINDOW_DAYS)
    return _by_period(coverage, _dates(start), pd.DatetimeIndex(_dates(every)))


def coverage_by_month(coverage: xr.Dataset) -> pd.DataFrame:
    """Return how much was seen in each calendar month.

    Parameters
    ----------
    coverage
        From `tile_coverage`, computed.

    Returns
    -------
    Indexed by the ``start`` of each month, with the columns of `coverage_by_ten_days`.

    Raises
    ------
    ValueError
        If ``coverage`` is lazy.
    """
    months = _dates(_days(coverage)).astype("datetime64[M]")
    every = np.arange(months.min(), months.max() + np.timedelta64(1, "M"))
    in_days = "datetime64[D]"
    return _by_period(coverage, months.astype(in_days), pd.DatetimeIndex(every.astype(in_days)))


def _by_period(
    coverage: xr.Dataset, start: NDArray[np.datetime64], every: pd.DatetimeIndex
) -> pd.DataFrame:
    """Return the statistics of the dates with the same start."""
    masked = coverage[MASKED_SHARE.name].transpose("time", "tile").to_numpy()
    is_seen = np.isfinite(masked)
    is_clear = is_seen & ~coverage[NEEDS_SAR.name].transpose("time", "tile").to_numpy()
    period = every.get_indexer(pd.DatetimeIndex(start))

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(period, weights=values, minlength=len(every)).astype(np.float64)

    n_seen = total(is_seen.sum(axis=1))
    observed = np.where(n_seen > 0, n_seen, np.nan)
    clear_once = np.zeros((len(every), masked.shape[1]), bool)
    np.logical_or.at(clear_once, period, is_clear)
    return pd.DataFrame(
        {
            "n_dates": total(is_seen.any(axis=1)).astype(int),
            "n_tile_dates": n_seen.astype(int),
            "clear_share": total(np.where(is_seen, 1 - masked, 0).sum(axis=1)) / observed,
            "clear_tile_dates": total(is_clear.sum(axis=1)) / observed,
            "clear_tiles": clear_once.mean(axis=1),
        },
        index=every.rename("start"),
    )


def _days(coverage: xr.Dataset) -> NDArray[np.int64]:
    """Return the dates as days since 1970-01-01, of coverage that is there."""
    if coverage[MASKED_SHARE.name].chunks or coverage[NEEDS_SAR.name].chunks:
        raise ValueError("a table needs numbers, got lazy coverage; call coverage.compute() first")
    if not coverage.sizes["time"]:
        raise ValueError("a table needs at least one date, got none")
    return coverage["time"].to_numpy().astype("datetime64[D]").astype(np.int64)


def _dates(days: NDArray[np.int64]) -> NDArray[np.datetime64]:
    return days.astype("datetime64[D]")


def _count(mask: Any, tile_px: int) -> Any:
    """Return how many pixels are True in each tile, (time, tile)."""
    if isinstance(mask, np.ndarray):
        return _count_block(mask, tile_px=tile_px)
    starts = [range(0, size, tile_px) for size in mask.shape[1:]]
    sizes = tuple(
        tuple(min(tile_px, size - start) for start in along)
        for along, size in zip(starts, mask.shape[1:], strict=True)
    )
    rechunked = mask.rechunk({1: sizes[0], 2: sizes[1]})
    map_blocks: Callable[..., da.Array] = da.map_blocks  # dask leaves it untyped
    counts = map_blocks(
        _count_tile,
        rechunked,
        chunks=(rechunked.chunks[0], *((1,) * len(along) for along in starts)),
        dtype=np.int64,
        meta=np.empty((0, 0, 0), np.int64),
    )
    return counts.reshape(counts.shape[0], -1)


def _count_tile(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = mask.sum(axis=(1, 2), keepdims=True, dtype=np.int64)
    return counts


def _count_block(mask: NDArray[np.bool_], *, tile_px: int) -> NDArray[np.int64]:
    rows, columns = (
        [slice(start, start + tile_px) for start in range(0, size, tile_px)]
        for size in mask.shape[1:]
    )
    # Twenty times as fast as np.add.reduceat, which makes an integer of every pixel.
    counts = [[np.count_nonzero(date[y, x]) for y in rows for x in columns] for date in mask]
    return np.array(counts, np.int64).reshape(len(mask), -1)
