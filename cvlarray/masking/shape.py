"""Grow flags over the rim that a mask misses, and drop specks, whatever the chunks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.morphology import grown, without_small
from cvlarray.masking.flags import as_quality
from cvlarray.names import QualityFlag

MAX_RADIUS_PX = 254
CLOUD_AND_SHADOW = QualityFlag.CLOUD | QualityFlag.SHADOW


def grow_flags(
    quality: xr.DataArray, radius_px: int, flags: QualityFlag = CLOUD_AND_SHADOW
) -> xr.DataArray:
    """Spread each of some flags to all pixels within a distance.

    Parameters
    ----------
    quality
        uint8 flags (..., y, x).
    radius_px
        Distance in pixels, 0 to 254. A pixel of halo for each is read from neighbouring chunks.
    flags
        Which to spread, each by itself; ``FILL`` can't be spread, and takes on no other flag.

    Returns
    -------
    uint8 flags of the same shape; the same for any chunks. Lazy if ``quality`` is.

    Raises
    ------
    ValueError
        If the radius is out of range, or ``flags`` hold ``FILL``.
    """
    if not 0 <= radius_px <= MAX_RADIUS_PX:
        raise ValueError(f"radius_px must be 0 to {MAX_RADIUS_PX}, got {radius_px}")
    _refuse_fill(flags)
    return _with_halo(partial(_grow_flags, radius_px=radius_px, flags=flags), quality, radius_px)


def drop_specks(
    quality: xr.DataArray, min_px: int, flags: QualityFlag = CLOUD_AND_SHADOW
) -> xr.DataArray:
    """Take each of some flags off objects of fewer than some pixels.

    Parameters
    ----------
    quality
        uint8 flags (..., y, x).
    min_px
        Least pixels that an object keeps its flag with, at least 1; corners connect. A halo of
        ``min_px - 1`` pixels is read from neighbouring chunks: whatever is larger than it reaches
        ``min_px`` within it.
    flags
        Which to look at, each by itself; not ``FILL``.

    Returns
    -------
    uint8 flags of the same shape; the same for any chunks. Lazy if ``quality`` is.

    Raises
    ------
    ValueError
        If ``min_px`` is less than 1, or ``flags`` hold ``FILL``.
    """
    if min_px < 1:
        raise ValueError(f"min_px must be at least 1, got {min_px}")
    _refuse_fill(flags)
    return _with_halo(partial(_drop_specks, min_px=min_px, flags=flags), quality, min_px - 1)


def _refuse_fill(flags: QualityFlag) -> None:
    if QualityFlag.FILL in flags:
        raise ValueError("FILL means no observation and has no shape to change; leave it out")


def _with_halo(
    function: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], quality: xr.DataArray, halo_px: int
) -> xr.DataArray:
    """Return a function of (..., y, x), each chunk with pixels of its neighbours around it."""
    last = quality.transpose(..., "y", "x")
    if last.chunks is None:
        return as_quality(last.copy(data=function(last.to_numpy())))
    map_overlap: Callable[..., da.Array] = da.map_overlap  # dask leaves it untyped
    data = map_overlap(
        function,
        last.data,
        depth={axis: min(halo_px, last.shape[axis]) for axis in (last.ndim - 2, last.ndim - 1)},
        boundary="none",
        dtype=np.uint8,
        meta=np.empty((0,) * last.ndim, np.uint8),
    )
    return as_quality(last.copy(data=data.rechunk(last.chunks)))


def _each_slice(
    function: Callable[[NDArray[np.bool_], int], NDArray[np.bool_]],
    quality: NDArray[np.uint8],
    number: int,
    flags: QualityFlag,
) -> NDArray[np.uint8]:
    """Return the flags with the shape of each of some changed in each image."""
    result = quality.copy()
    images: NDArray[Any] = result.reshape(-1, *quality.shape[-2:])
    for image in images:
        is_fill = image == QualityFlag.FILL
        for flag in flags:
            bit = np.uint8(flag)
            changed = function(image & bit != 0, number)
            image[...] = np.where(changed, image | bit, image & ~bit)
        image[is_fill] = QualityFlag.FILL
    return result


def _grow_flags(
    quality: NDArray[np.uint8], *, radius_px: int, flags: QualityFlag
) -> NDArray[np.uint8]:
    return _each_slice(grown, quality, radius_px, flags)


def _drop_specks(
    quality: NDArray[np.uint8], *, min_px: int, flags: QualityFlag
) -> NDArray[np.uint8]:
    return _each_slice(without_small, quality, min_px, flags)
