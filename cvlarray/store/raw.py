"""Open a store as lazy arrays of what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from cvlarray.store.location import StoreLocation, place_of
from cvlarray.store.metadata import StoredArray, StoreMetadata, read_metadata
from cvlarray.store.place import ArrayPlace, Place
from cvlarray.store.window import read_window


def open_raw(path: StoreLocation, *, chunks: Mapping[str, int] | None = None) -> xr.Dataset:
    """Open a store lazily as it is stored: integers neither scaled nor masked.

    Each Dask chunk is one task, ``read_<variable>``, that reads and decodes the store's inner
    chunks in its own thread. Dask moves a slice such as ``isel(y=slice(0, 128))`` into that task,
    so only the inner chunks within the slice are read.

    The names of the tasks tell apart stores, and what `write_region` has changed: a graph made
    after a write doesn't get the results of one made before it, which a Dask cluster may hold.
    They don't tell what other programs write.

    Parameters
    ----------
    path
        Store made by `create_store`.
    chunks
        Length of the Dask chunks along some dimensions, -1 for the whole of it; best a multiple of
        the store's inner chunks, which are what is decoded at once. A shard where not given.

    Returns
    -------
    Dataset with Dask arrays of the stored dtypes; ``_FillValue`` and ``scale_factor`` in the attrs.
    ``time`` is datetime64[ns], other dates stay days since 1970-01-01. For scaled floats with NaN
    use ``xr.open_zarr(path)``.

    Raises
    ------
    StoreError
        If `path` is not such a store. When computed, if a shard is damaged or can't be read.
    ValueError
        If `chunks` names a dimension that the store doesn't have.
    """
    place = place_of(path)
    metadata = read_metadata(place)
    chunks = chunks or {}
    _check_chunks(place, metadata, chunks)
    dataset: xr.Dataset = xr.open_zarr(
        place.zarr_store(),
        chunks=None,
        consolidated=place.is_consolidated,
        mask_and_scale=False,
        decode_times=dict.fromkeys(metadata.arrays, False) | {"time": True},
        decode_timedelta=False,
    )
    pixels = {
        name: (
            array.dims,
            _lazy(place, array, chunks, metadata),
            dataset[name].attrs,
            dataset[name].encoding,
        )
        for name, array in metadata.arrays.items()
    }
    return dataset.assign(pixels).assign_coords(spatial_ref=dataset["spatial_ref"].load())


def _check_chunks(place: Place, metadata: StoreMetadata, chunks: Mapping[str, int]) -> None:
    dims = {dim: None for array in metadata.arrays.values() for dim in array.dims}
    if unknown := [dim for dim in chunks if dim not in dims]:
        raise ValueError(f"{place} has dims {', '.join(dims)}, got chunks along {unknown}")


def _lazy(
    place: Place, stored: StoredArray, chunks: Mapping[str, int], metadata: StoreMetadata
) -> da.Array:
    """Return an array of the store, one task a chunk."""
    array = place.array(stored.name)
    lengths = tuple(chunks.get(dim, length) for dim, length in stored.shard.items())
    token = tokenize(str(array), metadata.version, array.state(), lengths)
    pixels: Any = StoredPixels(array, stored, token)  # Dask's types ask for a whole array
    lazy: da.Array = da.from_array(
        pixels,
        chunks=lengths,
        name=f"read_{stored.name}-{token}",
        meta=np.empty((0,) * len(stored.shape), stored.format.dtype),
        inline_array=True,  # no task that does nothing but hand the array to the others
    )
    return lazy


@dataclass(frozen=True)
class StoredPixels:
    """An array of a store as Dask wants it: what is indexed is read."""

    place: ArrayPlace
    stored: StoredArray
    token: str
    """Names the array and the version of its values."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements along each dimension."""
        return self.stored.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.stored.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the elements."""
        return self.stored.format.dtype

    def __dask_tokenize__(self) -> str:
        return self.token

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray[Any, Any]:
        """Read what integers, slices and at most one list select, one for each dimension."""
        parts = [_split(index, size) for index, size in zip(key, self.shape, strict=True)]
        block = read_window(self.place, self.stored.format, [window for window, _ in parts])
        values: np.ndarray[Any, Any] = block[tuple(rest for _, rest in parts)]
        # A view of a few elements would keep the whole block in memory.
        return values if values.size == block.size else values.copy()


def _split(key: Any, size: int) -> tuple[slice, Any]:
    """Return the interval that an index along one dimension touches, and the index in that."""
    touched = np.arange(size)[key]
    if not touched.size:
        return slice(0, 0), slice(None)
    start, stop = int(touched.min()), int(touched.max()) + 1
    if isinstance(key, slice):
        return slice(start, stop), slice(None, None, key.step)
    return slice(start, stop), touched - start
