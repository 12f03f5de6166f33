"""What evergreen forest shows on an ordinary date, and which forest is steady enough to go by."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.names import NODATA_DN

MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, for normal noise."""


class Reference(NamedTuple):
    """The ordinary state of each pixel over many dates; bands (y, x)."""

    expected: xr.Dataset
    """Median [DN], float32; NaN with too few clear dates."""
    spread: xr.Dataset
    """Robust standard deviation, 1.4826 × MAD [DN], float32."""
    error: xr.Dataset
    """Standard error of the median [DN], float32."""


def median_reference(
    cube: xr.Dataset, is_clear: xr.DataArray, bands: tuple[str, ...], *, min_dates: int = 5
) -> Reference:
    """Return the median over dates of each pixel.

    For forest that is green all year. Where it isn't, the median knows no season, and correcting
    towards it would take the season away: use the seasonal expectation there.

    Parameters
    ----------
    cube
        Bands (time, y, x), int16 DN, -32768 missing; ``time`` one chunk.
    is_clear
        Boolean (time, y, x).
    bands
        Which to take.
    min_dates
        Pixels that were clear on fewer get NaN.

    Returns
    -------
    Lazy if ``cube`` is.

    Raises
    ------
    ValueError
        If ``time`` has more than one chunk.
    """
    n_chunks = len(cube.chunksizes.get("time", (0,)))
    if n_chunks > 1:
        raise ValueError(
            f"time must be one chunk for a median over dates, got {n_chunks}; "
            "rechunk with cube.chunk(time=-1)"
        )
    parts: list[dict[str, xr.DataArray]] = [{}, {}, {}]
    for name in bands:
        statistics = xr.apply_ufunc(
            partial(_median, min_dates=min_dates),
            cube[name],
            is_clear,
            input_core_dims=[["time"], ["time"]],
            output_core_dims=[[], [], []],
            dask="parallelized",
            output_dtypes=[np.float32] * 3,
            join="exact",
        )
        for part, values in zip(parts, statistics, strict=True):
            part[name] = values.assign_attrs(units="1e-4")
    return Reference(*(xr.Dataset(part) for part in parts))


def invariant_forest(
    reference: Reference,
    *,
    lowest_ndvi: float = 0.7,
    highest_swir22_dn: float = 1000,
    largest_spread: float = 0.15,
) -> xr.DataArray:
    """Return dark, dense forest that stays what it is.

    Parameters
    ----------
    reference
        From `median_reference`, with red and nir, and swir22 where there is one.
    lowest_ndvi
        Of the medians [1].
    highest_swir22_dn
        Median DN: dense canopies are moist and shaded.
    largest_spread
        Standard deviation of nir over its median [1].

    Returns
    -------
    Boolean (y, x). Lazy if the reference is.
    """
    expected = reference.expected
    red, nir = expected["red"], expected["nir"]
    is_forest = (nir - red >= lowest_ndvi * (nir + red)) & (red > 0)
    is_forest &= reference.spread["nir"] <= largest_spread * nir
    if "swir22" in expected:
        is_forest &= expected["swir22"] <= highest_swir22_dn
    attrs = {"long_name": "dense forest that stays the same", "units": "1"}
    return is_forest.rename("is_reference").assign_attrs(attrs)


def _median(
    band: NDArray[np.int16], is_clear: NDArray[np.bool_], *, min_dates: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return median, spread and error of the median over the last axis."""
    known = np.where(is_clear, band, NODATA_DN)
    is_known = known != NODATA_DN
    n_known = is_known.sum(axis=-1)
    median = _ranked_median(np.where(is_known, known, np.float32(np.inf)), n_known)
    with np.errstate(invalid="ignore"):  # a pixel without dates
        distance = np.abs(known - median[..., None])
    spread = 1.4826 * _ranked_median(np.where(is_known, distance, np.float32(np.inf)), n_known)
    error = MEDIAN_ERROR * spread / np.sqrt(np.maximum(n_known, 1))
    enough = n_known >= max(min_dates, 1)
    missing = np.float32("nan")
    median, spread, error = (
        np.where(enough, one, missing).astype(np.float32) for one in (median, spread, error)
    )
    return median, spread, error


def _ranked_median(values: NDArray[np.float32], n_known: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the median of the first ``n_known`` of the sorted values; NaN if there are none."""
    ranked = np.sort(values, axis=-1)
    last = values.shape[-1] - 1
    ranks = (np.clip((n_known + shift) // 2, 0, last) for shift in (-1, 0))
    low, high = (np.take_along_axis(ranked, rank[..., None], -1)[..., 0] for rank in ranks)
    middle = np.where(n_known > 0, low, 0) / 2 + np.where(n_known > 0, high, 0) / 2
    return np.where(n_known > 0, middle, np.nan).astype(np.float32)
