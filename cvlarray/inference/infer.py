"""A model over a lazy cube."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.delayed import delayed
from numpy.typing import NDArray

from cvlarray.inference.blend import Blend, Crop
from cvlarray.inference.block import NO_CLASS, Piece, classify_block
from cvlarray.inference.inputs import model_bands, plane_origin
from cvlarray.inference.lattice import Lattice
from cvlarray.inference.maps import map_variables
from cvlarray.models.model import FloatArray, Model

__all__ = ["infer"]


def infer(
    cube: xr.Dataset,
    model: Model,
    *,
    window: int = 512,
    overlap: int = 64,
    blend: Blend | None = None,
    batch_size: int = 4,
) -> xr.Dataset:
    """Run a model over a date of a cube, or over each of its dates.

    Parameters
    ----------
    cube
        The model's bands (y, x) or (time, y, x), NumPy or dask: int16 of reflectance × 10,000 with
        -32768 missing, or float32 with NaN missing. Its chunks along y and x become those of the
        result, one task each; about 4096 pixels make windows at their borders cost little.
    model
        Any `cvlarray.models.Model`.
    window
        Edge of the square that it sees at once [pixels].
    overlap
        What neighbouring squares share [pixels].
    blend
        How they share it; `Crop` by default.
    batch_size
        Squares that go through the model together.

    Returns
    -------
    The model's output, such as ``land_cover`` (uint8, 255 where a band is missing, with CF
    ``flag_values`` and ``flag_meanings``), and ``probability`` of that class (float32, NaN there),
    dims as in the cube. Lazy if the cube is. The same bytes for any chunks.

    Raises
    ------
    ValueError
        If a band is missing or has no pixel size, or window and overlap don't fit the model.
    TypeError
        If a band is neither int16 nor float32.
    """
    spec = model.spec
    lattice = Lattice(window, overlap, spec.stride)
    stacked = model_bands(cube, spec.bands)
    origin = plane_origin(stacked)
    settings = {
        "model": model,
        "lattice": lattice,
        "blend": blend or Crop(),
        "batch_size": batch_size,
    }
    maps: tuple[Any, Any]
    if isinstance(stacked.data, da.Array):
        maps = _lazily(stacked.data, origin, lattice, settings)
    else:
        maps = _at_once(stacked.to_numpy(), origin, settings)
    dims = stacked.isel(band=0, drop=True).dims
    coords = {name: one for name, one in cube.coords.items() if set(one.dims) <= set(dims)}
    mapping = {key: value for key, value in stacked.attrs.items() if key == "grid_mapping"}
    layers = {
        variable.name: (dims, layer, {**variable.attrs, **mapping})
        for variable, layer in zip(map_variables(spec), maps, strict=True)
    }
    layers[spec.output][2]["_FillValue"] = NO_CLASS
    return xr.Dataset(layers, coords)


def _lazily(
    bands: da.Array, origin: tuple[int, int], lattice: Lattice, settings: dict[str, Any]
) -> tuple[da.Array, da.Array]:
    """Return lazy classes and probabilities, one task a date and chunk."""
    dates = range(bands.shape[0]) if bands.ndim == 4 else [...]
    maps = [_one_date(bands[date], origin, lattice, settings) for date in dates]
    classes, probability = zip(*maps, strict=True)
    if bands.ndim == 3:
        return classes[0], probability[0]
    return da.stack(classes), da.stack(probability)


def _one_date(
    bands: da.Array, origin: tuple[int, int], lattice: Lattice, settings: dict[str, Any]
) -> tuple[da.Array, da.Array]:
    """Return lazy maps of one date (band, y, x)."""
    rows, cols = bands.chunks[1:]
    work = delayed(infer_block, pure=True)
    classes: list[list[da.Array]] = []
    probability: list[list[da.Array]] = []
    for y in _spans(rows):
        seen_y = _reached(y, lattice, bands.shape[1])
        classes.append([])
        probability.append([])
        for x in _spans(cols):
            seen_x = _reached(x, lattice, bands.shape[2])
            place = origin[0] + seen_y.start, origin[1] + seen_x.start
            shape = y.stop - y.start, x.stop - x.start
            both = work(
                bands[:, seen_y, seen_x],
                place,
                _moved(y, origin[0]),
                _moved(x, origin[1]),
                settings,
            )
            classes[-1].append(da.from_delayed(both[0], shape, np.uint8))
            probability[-1].append(da.from_delayed(both[1], shape, np.float32))
    return da.block(classes), da.block(probability)


def infer_block(
    bands: FloatArray, place: tuple[int, int], y: slice, x: slice, settings: dict[str, Any]
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Return the maps of a rectangle; the task's name on the dashboard."""
    maps = classify_block(Piece(bands, *place), y, x, **settings)
    return maps.classes, maps.probability


def _at_once(
    bands: FloatArray, origin: tuple[int, int], settings: dict[str, Any]
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Return the maps of an array in memory."""
    if bands.ndim == 4:
        maps = [_at_once(date, origin, settings) for date in bands]
        classes, probability = zip(*maps, strict=True)
        return np.stack(classes), np.stack(probability)
    y, x = slice(0, bands.shape[1]), slice(0, bands.shape[2])
    return infer_block(bands, origin, _moved(y, origin[0]), _moved(x, origin[1]), settings)


def _spans(sizes: Sequence[int]) -> list[slice]:
    """Return where each chunk lies."""
    return [slice(*ends) for ends in pairwise(accumulate(sizes, initial=0))]


def _moved(along: slice, by: int) -> slice:
    return slice(along.start + by, along.stop + by)


def _reached(along: slice, lattice: Lattice, size: int) -> slice:
    """Return what the windows of a chunk can reach of the array."""
    return slice(max(0, along.start - lattice.window), min(size, along.stop + lattice.window))
