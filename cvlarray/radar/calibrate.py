"""From the amplitudes of a ground-range product to beta0: noise and borders off, calibrated."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.swath_edges import inside_swath
from cvlarray.radar.noise import Floats, NoiseTable, on_grid


def beta0(measurement: xr.DataArray, calibration: xr.Dataset, noise: NoiseTable) -> xr.DataArray:
    """Return beta0 of a ground-range product.

    Parameters
    ----------
    measurement
        Amplitudes, uint16 (azimuth_time, ground_range), 0 where there is no image; Dask-backed.
    calibration
        ``betaNought`` (line, pixel), from xarray-sentinel.
    noise
        Of the same polarisation.

    Returns
    -------
    float32, (DN² - noise) / betaNought², negative where noise is stronger than what is left of the
    signal (which keeps averages right), NaN outside the swath.
    """
    table = calibration["betaNought"]
    function = partial(
        _beta0,
        noise=noise,
        lines=table["line"].to_numpy().astype(np.float64),
        pixels=table["pixel"].to_numpy().astype(np.float64),
        factors=table.to_numpy().astype(np.float64),
    )
    dn = da.asarray(measurement.data).rechunk({1: -1})
    map_blocks: Any = da.map_blocks  # dask leaves it untyped
    data = map_blocks(function, dn, dtype=np.float32, meta=np.empty((0, 0), np.float32))
    attrs = {"long_name": "beta nought, noise removed", "units": "1"}
    kept = measurement.copy(data=data).assign_attrs(attrs)
    return kept.drop_vars(["line", "pixel"], errors="ignore")


def _beta0(
    dn: NDArray[np.uint16],
    *,
    noise: NoiseTable,
    lines: Floats,
    pixels: Floats,
    factors: Floats,
    block_info: Any = None,
) -> NDArray[np.float32]:
    """Return beta0 of some whole lines."""
    first = block_info[0]["array-location"][0][0] if block_info else 0
    at_lines, at_pixels = np.arange(first, first + dn.shape[0]), np.arange(dn.shape[1])
    power = dn.astype(np.float32) ** 2
    thermal = noise.power(at_lines, at_pixels)
    result = (power - thermal) / on_grid(lines, pixels, factors, at_lines, at_pixels) ** 2
    result[~inside_swath(power, thermal)] = np.nan
    return result
