"""The bands of a cube as a model takes them, and where they lie on the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np
import xarray as xr

from cvlarray.models.model import Band, FloatArray
from cvlarray.names import DN_PER_REFLECTANCE, NODATA_DN

__all__ = ["LazyPlane", "model_bands", "plane_origin"]


def model_bands(cube: xr.Dataset, bands: Sequence[Band]) -> xr.DataArray:
    """Return the bands in order as float32 in the model's units, NaN where missing.

    They are lazy if the cube is.

    Raises
    ------
    ValueError
        If a band is missing or has other units.
    TypeError
        If a band is neither int16 nor float32.
    """
    missing = [band.name for band in bands if band.name not in cube]
    if missing:
        known = ", ".join(map(str, cube.data_vars))
        raise ValueError(f"the model needs the bands {', '.join(missing)}; the cube has {known}")
    layers = [_in_units(cube[band.name], band) for band in bands]
    stacked: xr.DataArray = xr.concat(layers, "band", coords="minimal", compat="override")
    order = ("time", "band", "y", "x") if "time" in stacked.dims else ("band", "y", "x")
    whole = {"time": 1, "band": -1} if "time" in stacked.dims else {"band": -1}
    stacked = stacked.transpose(*order)
    return stacked.chunk(whole) if isinstance(stacked.data, da.Array) else stacked


def plane_origin(cube: xr.DataArray) -> tuple[int, int]:
    """Return row and column of the first pixel, counted from the origin of the CRS.

    Raises
    ------
    ValueError
        If a pixel's size can't be told.
    """
    place = []
    for name in ("y", "x"):
        centres = cube[name].to_numpy() if name in cube.coords else np.array([])
        if centres.size < 2:
            raise ValueError(f"the cube needs coordinates of two or more pixels along {name}")
        step = (centres[-1] - centres[0]) / (centres.size - 1)
        place.append(int(np.floor(centres[0] / step)))
    return place[0], place[1]


@dataclass(frozen=True)
class LazyPlane:
    """One date of a lazy cube: what is read is computed, in the thread that reads."""

    bands: xr.DataArray
    """(band, y, x), what `model_bands` returned."""

    @property
    def y(self) -> slice:
        """Its rows on the plane."""
        row = plane_origin(self.bands)[0]
        return slice(row, row + self.bands.sizes["y"])

    @property
    def x(self) -> slice:
        """Its columns on the plane."""
        col = plane_origin(self.bands)[1]
        return slice(col, col + self.bands.sizes["x"])

    def read(self, y: slice, x: slice) -> FloatArray:
        """Return a part."""
        row, col = plane_origin(self.bands)
        part = self.bands.isel(
            y=slice(y.start - row, y.stop - row), x=slice(x.start - col, x.stop - col)
        )
        values: FloatArray = part.compute(scheduler="synchronous").to_numpy()
        return values


def _in_units(layer: xr.DataArray, band: Band) -> xr.DataArray:
    if layer.dtype == np.int16:
        if band.units != "1":
            raise ValueError(f"{band.name} is reflectance, the model takes it in {band.units}")
        missing = np.float32("nan")
        return layer.where(layer != NODATA_DN, missing).astype(np.float32) / np.float32(
            DN_PER_REFLECTANCE
        )
    if layer.dtype != np.float32:
        raise TypeError(f"{band.name} must be int16 or float32, got {layer.dtype}")
    units = layer.attrs.get("units", band.units)
    if units != band.units:
        raise ValueError(f"{band.name} is in {units}, the model takes it in {band.units}")
    return layer
