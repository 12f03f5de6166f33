"""A cube's Landsat dates as Sentinel-2 would have measured them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.names import DN_PER_REFLECTANCE, NODATA_DN
from cvlarray.sensors import line_to_sentinel2


def harmonize(cube: xr.Dataset, platforms: Sequence[str]) -> xr.Dataset:
    """Return a cube with every date on Sentinel-2's scale of reflectance.

    Parameters
    ----------
    cube
        int16 bands (time, y, x) of reflectance × 10,000, -32768 missing; other variables, such as
        flags, are handed on.
    platforms
        Which satellite saw each date, such as ``"landsat-7"``; those of Sentinel-2 stay as they
        are.

    Returns
    -------
    As ``cube``, rounded to whole DN and limited to ±32767. Lazy if ``cube`` is. The lines are those
    of `cvlarray.sensors.harmonize`, published by Roy et al. 2016
    (doi:10.1016/j.rse.2015.12.024) and Claverie et al. 2018 (doi:10.1016/j.rse.2018.09.002).

    Raises
    ------
    ValueError
        If there aren't as many platforms as dates, or no line is published for a band or a
        platform.
    """
    if len(platforms) != cube.sizes["time"]:
        raise ValueError(
            f"each date needs its platform, got {len(platforms)} for {cube.sizes['time']} dates"
        )
    bands = [str(name) for name, band in cube.data_vars.items() if band.dtype == np.int16]
    return cube.assign({name: _harmonized(cube[name], platforms) for name in bands})


def _harmonized(band: xr.DataArray, platforms: Sequence[str]) -> xr.DataArray:
    found = {name: line_to_sentinel2(name, str(band.name)) for name in set(platforms)}
    lines = [found[name] for name in platforms]
    gain, offset = (
        xr.DataArray(np.array(part, np.float64), dims="time") for part in zip(*lines, strict=True)
    )
    moved: xr.DataArray = xr.apply_ufunc(
        _through,
        band,
        gain,
        offset * DN_PER_REFLECTANCE,
        dask="parallelized",
        output_dtypes=[np.int16],
        keep_attrs="override",
    )
    return moved.transpose(*band.dims)


def _through(
    dn: NDArray[np.int16], gain: NDArray[np.float64], offset_dn: NDArray[np.float64]
) -> NDArray[np.int16]:
    limited = np.clip(np.rint(dn * gain + offset_dn), -32767, 32767).astype(np.int16)
    return np.where(dn == NODATA_DN, NODATA_DN, limited)
