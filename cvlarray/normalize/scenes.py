"""Take off each scene what atmospheric correction left: a gain and an offset a band and date.

Forest that doesn't change is the yardstick: what a band shows there on a date is held against what
is expected of it. What is found is recorded, and a scene that is right is left alone, bit by bit.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.radiometry import robust_line
from cvlarray.names import (
    CORRECTION_VARIABLES,
    DEVIATION,
    GAIN,
    GAIN_ERROR,
    IS_CORRECTED,
    N_REFERENCE,
    NODATA_DN,
    OFFSET_DN,
)
from cvlarray.normalize.dates import MIN_SHARE

LEAST_DEVIATION = 0.005
"""Share of its reflectance by which a scene must be off to be corrected."""
MIN_REFERENCE_PX = 400
"""Fewer reference pixels can't tell gain from offset."""
MAX_REFERENCE_PX = 65_536
"""Pixels that a scene is measured on."""
MAX_LIMIT_DN = 32_767


def fit_corrections(
    cube: xr.Dataset,
    is_clear: xr.DataArray,
    expected: xr.Dataset,
    is_reference: xr.DataArray,
    *,
    expected_error: xr.Dataset | None = None,
    least_deviation: float = LEAST_DEVIATION,
) -> xr.Dataset:
    """Return by which gain and offset each band is off on each date.

    Parameters
    ----------
    cube
        Bands (time, y, x), int16 of reflectance × 10,000, -32768 missing; those that ``expected``
        has are looked at.
    is_clear
        Boolean (time, y, x).
    expected
        What the bands should show [DN], NaN where unknown: (y, x), such as `median_reference` gives
        for evergreen forest, or (time, y, x), the seasonal expectation once there is one
        (`cvlarray.baseline.predict` of the bands as features).
    is_reference
        Boolean (y, x): pixels that don't change, such as `invariant_forest` gives. Where many, they
        are measured on every n-th row and column, and so the same for any chunks.
    expected_error
        Standard error of ``expected`` [DN], with the same bands; it would otherwise shrink the
        gains. None takes ``expected`` as exact.
    least_deviation
        Share of the reflectance; scenes off by less everywhere between the 5th and the 95th
        percentile of the reference's values, or by less than 4 standard errors, are right.

    Returns
    -------
    `cvlarray.names.CORRECTION_VARIABLES` (band, time): observed = ``gain`` × expected +
    ``offset_dn``. Gain is 1 and offset 0 where ``is_corrected`` is False: because the scene is
    right, or because fewer than 400 reference pixels or 1 % of them were seen, and it can't be
    judged (``deviation`` is NaN there). Lazy if ``cube`` is.

    Raises
    ------
    ValueError
        If ``expected`` has no band of the cube.
    TypeError
        If a band isn't int16.
    """
    bands = [name for name in expected.data_vars if name in cube.data_vars]
    if not bands:
        raise ValueError(
            f"expected must have bands of the cube, got {', '.join(map(str, expected.data_vars))} "
            f"for {', '.join(map(str, cube.data_vars))}"
        )
    for name in bands:
        if cube[name].dtype != np.int16:
            raise TypeError(f"{name} must be int16 DN, got {cube[name].dtype}; see mask_and_scale")
    step = max(1, math.isqrt(is_reference.size // MAX_REFERENCE_PX))
    thin = {dim: slice(step // 2, None, step) for dim in ("y", "x")}
    fit = partial(_fit_dates, least_deviation=least_deviation)
    found = [
        xr.apply_ufunc(
            fit,
            *(_one_chunk(one.isel(thin)) for one in (cube[name], is_clear)),
            *(_one_chunk(one.isel(thin)) for one in (expected[name], is_reference)),
            0.0 if expected_error is None else _one_chunk(expected_error[name].isel(thin)),
            input_core_dims=[
                ["y", "x"],
                ["y", "x"],
                ["y", "x"],
                ["y", "x"],
                [] if expected_error is None else ["y", "x"],
            ],
            output_core_dims=[["value"]],
            dask="parallelized",
            output_dtypes=[np.float64],
            dask_gufunc_kwargs={"output_sizes": {"value": len(CORRECTION_VARIABLES)}},
        )
        for name in bands
    ]
    return _unpack(xr.concat(found, dim=pd.Index([str(name) for name in bands], name="band")))


def apply_corrections(cube: xr.Dataset, corrections: xr.Dataset) -> xr.Dataset:
    """Return the cube with each band's gain and offset taken off.

    Parameters
    ----------
    cube
        As for `fit_corrections`; variables that ``corrections`` don't have stay as they are.
    corrections
        From `fit_corrections`, for the same dates.

    Returns
    -------
    The cube; int16, rounded, within ±32767, -32768 where it was. Dates that aren't corrected keep
    every bit. Lazy if either is.

    Raises
    ------
    ValueError
        If the dates differ.
    """
    if not corrections.indexes["time"].equals(cube.indexes["time"]):
        raise ValueError(
            f"corrections must be of the cube's dates, got {corrections.sizes['time']} for "
            f"{cube.sizes['time']}; fit them to this cube"
        )
    corrected = {}
    for name in corrections["band"].to_numpy().tolist():
        of_band = corrections.sel(band=name, drop=True)
        band = xr.apply_ufunc(
            _apply,
            cube[name],
            of_band[GAIN.name],
            of_band[OFFSET_DN.name],
            dask="parallelized",
            output_dtypes=[np.int16],
            join="exact",
            keep_attrs=False,
        )
        corrected[name] = band.transpose(*cube[name].dims).assign_attrs(cube[name].attrs)
    return cube.assign(corrected)


def correction_table(corrections: xr.Dataset) -> pd.DataFrame:
    """Return the corrections as one row a date and band, for the record.

    Parameters
    ----------
    corrections
        From `fit_corrections`, computed.

    Returns
    -------
    Indexed by ``time`` and ``band``, a column a variable.

    Raises
    ------
    ValueError
        If ``corrections`` are lazy.
    """
    if any(variable.chunks for variable in corrections.data_vars.values()):
        raise ValueError("a table needs numbers, got lazy corrections; call .compute() first")
    names = [variable.name for variable in CORRECTION_VARIABLES]
    return corrections[names].to_dataframe(dim_order=["time", "band"])[names]


def _one_chunk(array: xr.DataArray) -> xr.DataArray:
    """Return an array whose y and x are one chunk, if it is lazy."""
    whole = array.transpose(..., "y", "x")
    return whole.chunk({"y": -1, "x": -1}) if whole.chunks else whole


def _fit_dates(
    observed: NDArray[np.int16],
    is_clear: NDArray[np.bool_],
    expected: NDArray[Any],
    is_reference: NDArray[np.bool_],
    expected_error: NDArray[Any] | float,
    *,
    least_deviation: float,
) -> NDArray[np.float64]:
    """Return the corrections of images (..., y, x) as (..., value)."""
    shape = observed.shape
    result = np.empty((*shape[:-2], len(CORRECTION_VARIABLES)))
    target, error = (np.broadcast_to(one, shape) for one in (expected, expected_error))
    min_count = max(MIN_REFERENCE_PX, math.ceil(MIN_SHARE * np.count_nonzero(is_reference)))
    usable = is_reference & is_clear & (observed != NODATA_DN) & (target > 0) & np.isfinite(error)
    for index in np.ndindex(shape[:-2]):
        pixels = usable[index]
        n_pixels = np.count_nonzero(pixels)
        if n_pixels < min_count:
            result[index] = (1, 0, np.nan, np.nan, n_pixels, False)
            continue
        line = robust_line(
            *(one[index][pixels].astype(np.float64) for one in (target, observed, error))
        )
        is_off = line.is_sure and line.deviation > least_deviation
        found = (line.gain, line.offset_dn) if is_off else (1, 0)
        result[index] = (*found, line.gain_error, line.deviation, n_pixels, is_off)
    return result


def _unpack(packed: xr.DataArray) -> xr.Dataset:
    """Return one variable for each value."""
    corrections = xr.Dataset(coords=packed.coords)
    order = (GAIN, OFFSET_DN, GAIN_ERROR, DEVIATION, N_REFERENCE, IS_CORRECTED)
    for number, variable in enumerate(order):
        values = packed.isel(value=number).astype(variable.dtype).transpose("band", "time")
        corrections[variable.name] = values.assign_attrs(variable.attrs)
    return corrections


def _apply(
    band: NDArray[np.int16], gain: NDArray[np.float32], offset: NDArray[np.float32]
) -> NDArray[np.int16]:
    """Return (band - offset) / gain; gain and offset have the dims of ``band`` that they know."""
    corrected = np.rint((band - offset) / gain)
    limited = np.clip(corrected, -MAX_LIMIT_DN, MAX_LIMIT_DN).astype(np.int16)
    return np.where(band == NODATA_DN, NODATA_DN, limited)
