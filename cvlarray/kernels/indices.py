"""Spectral indices of int16 bands, missing values and masks in the same pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvlarray.kernels.accelerate import jit

NODATA = np.int16(-32_768)

INDEX_SCALE = np.float32(10_000)
"""An index of 1 is stored as this."""


def normalised_difference(
    first: NDArray[np.int16],
    second: NDArray[np.int16],
    is_clear: NDArray[np.bool_],
    *,
    out: NDArray[np.int16] | None = None,
) -> NDArray[np.int16]:
    """Return ``(first - second) / (first + second)`` × 10,000, within ±10,000.

    Parameters
    ----------
    first, second
        Reflectance × 10,000, same shape; -32768 is missing.
    is_clear
        Where the observation may be used.
    out
        C-contiguous array of the same shape for the result; a new one by default.

    Returns
    -------
    int16 of the same shape; -32768 where a band is missing, not clear, or the sum isn't positive.
    """
    result = np.empty(first.shape, np.int16) if out is None else out
    _normalised_difference(
        np.ascontiguousarray(first).ravel(),
        np.ascontiguousarray(second).ravel(),
        np.ascontiguousarray(is_clear).ravel(),
        result.reshape(-1),
    )
    return result


def clear_band(
    band: NDArray[np.int16],
    is_clear: NDArray[np.bool_],
    *,
    out: NDArray[np.int16] | None = None,
) -> NDArray[np.int16]:
    """Return a band with -32768 where the observation may not be used.

    Parameters
    ----------
    band
        Reflectance × 10,000; -32768 is missing.
    is_clear
        Where the observation may be used.
    out
        C-contiguous array of the same shape for the result; a new one by default.

    Returns
    -------
    int16 of the same shape.
    """
    result = np.empty(band.shape, np.int16) if out is None else out
    _clear_band(
        np.ascontiguousarray(band).ravel(),
        np.ascontiguousarray(is_clear).ravel(),
        result.reshape(-1),
    )
    return result


def scale_power(power: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return backscatter × 10,000, within int16.

    Parameters
    ----------
    power
        Linear power; NaN is missing, and so is what isn't positive, as beyond a scene's border.

    Returns
    -------
    int16 of the same shape, at least 1; -32768 where missing.
    """
    is_seen = power > 0
    scaled = np.rint(np.where(is_seen, power, 0) * INDEX_SCALE)
    return np.where(is_seen, np.clip(scaled, 1, 32_767), NODATA).astype(np.int16)


@jit
def _clear_band(
    band: NDArray[np.int16], is_clear: NDArray[np.bool_], result: NDArray[np.int16]
) -> None:
    for i in range(result.size):
        value = band[i]  # read in any case: no branch
        result[i] = value if is_clear[i] else NODATA


@jit
def _normalised_difference(
    first: NDArray[np.int16],
    second: NDArray[np.int16],
    is_clear: NDArray[np.bool_],
    result: NDArray[np.int16],
) -> None:
    largest = np.float32(INDEX_SCALE)
    for i in range(result.size):
        a, b = np.float32(first[i]), np.float32(second[i])
        total = a + b
        is_valid = is_clear[i] and first[i] != NODATA and second[i] != NODATA and total > 0
        index = largest * (a - b) / (total if is_valid else np.float32(1))
        index = min(max(index, -largest), largest)
        result[i] = np.int16(np.rint(index)) if is_valid else NODATA
