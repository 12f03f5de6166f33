"""Run a kernel that works pixel by pixel on NumPy arrays, or lazily on each spatial chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray


def over_pixels(
    function: Callable[..., NDArray[Any]],
    *inputs: xr.DataArray,
    dims: Sequence[str],
    sizes: Mapping[str, int],
    dtype: DTypeLike,
) -> xr.DataArray:
    """Return ``function`` of the inputs' arrays: at once for NumPy, else one task a spatial chunk.

    Parameters
    ----------
    function
        Takes the inputs' arrays, all with the same pixels; must be picklable. All other dims of an
        input reach it whole.
    inputs
        At least one with dims y and x.
    dims
        Dims of the result.
    sizes
        Sizes of the result's dims that no input has.
    dtype
        Of the result.

    Returns
    -------
    The result with the coordinates of the inputs that fit its dims, and their grid mapping.
    """
    is_lazy = any(one.chunks is not None for one in inputs)
    data = (
        _blockwise(function, inputs, dims, sizes, np.dtype(dtype))
        if is_lazy
        else function(*(one.data for one in inputs))
    )
    result = xr.DataArray(data, dims=tuple(dims))
    fitting = {
        name: coord
        for one in inputs
        for name, coord in one.coords.items()
        if set(coord.dims) <= set(dims)
    }
    grids = {one.attrs["grid_mapping"] for one in inputs if "grid_mapping" in one.attrs}
    attrs = {"grid_mapping": grids.pop()} if len(grids) == 1 else {}
    return result.assign_coords(fitting).assign_attrs(attrs)


def require_one_chunk(array: xr.DataArray, dim: str, purpose: str) -> None:
    """Raise a ValueError that says how, unless ``dim`` is one chunk."""
    chunks = array.chunksizes.get(dim, (0,))
    if len(chunks) > 1:
        raise ValueError(
            f"{dim} must be one chunk to {purpose}, got {len(chunks)}; "
            f"rechunk with {array.name or 'array'}.chunk({dim}=-1)"
        )


def _blockwise(
    function: Callable[..., NDArray[Any]],
    inputs: Sequence[xr.DataArray],
    dims: Sequence[str],
    sizes: Mapping[str, int],
    dtype: np.dtype[Any],
) -> da.Array:
    """Return the lazy result; dims other than y and x are joined within each task."""
    pairs = [part for one in inputs for part in (_whole(one), one.dims)]
    blockwise: Callable[..., da.Array] = da.blockwise  # dask leaves it untyped
    return blockwise(
        function,
        tuple(dims),
        *pairs,
        token=getattr(function, "func", function).__name__.strip("_"),
        concatenate=True,
        new_axes={dim: sizes[dim] for dim in dims if dim in sizes},
        dtype=dtype,
        meta=np.empty((0,) * len(dims), dtype),
    )


def _whole(array: xr.DataArray) -> Any:
    """Return an input's data, in one chunk along every dim but y and x."""
    if array.chunks is None:
        return array.data
    joined = {axis: -1 for axis, dim in enumerate(array.dims) if dim not in {"y", "x"}}
    # Named, because to choose a method Dask would load `distributed` first.
    return array.data.rechunk(joined, method="tasks")
