"""What is watched: spectral indices and bands, and the way each goes when forest is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.kernels.indices import clear_band, normalised_difference, scale_power
from cvlarray.names import NODATA_DN


class Direction(IntEnum):
    """Where a feature goes when forest is lost."""

    FALLS = -1
    RISES = 1


FALLS, RISES = Direction.FALLS, Direction.RISES


@dataclass(frozen=True)
class Feature:
    """A band, or the normalised difference of two, as int16 × 10,000."""

    bands: tuple[str, ...]
    """One band, or two: ``(a, b)`` means ``(a - b) / (a + b)``."""
    direction: Direction
    """Where it goes when forest is lost."""
    noise_floor: float
    """What the residual's standard deviation is at least, × 10,000: sensor and atmosphere, which a
    short or lucky history can understate."""
    long_name: str


FEATURES = {
    "ndvi": Feature(("nir", "red"), FALLS, 200, "normalised difference vegetation index"),
    "nbr": Feature(("nir", "swir22"), FALLS, 200, "normalised burn ratio"),
    "ndmi": Feature(("nir", "swir16"), FALLS, 200, "normalised difference moisture index"),
    "red_swir": Feature(("red", "swir16"), RISES, 200, "normalised difference of red and SWIR 1.6"),
    "blue": Feature(("blue",), RISES, 50, "blue reflectance"),
    "green": Feature(("green",), RISES, 50, "green reflectance"),
    "red": Feature(("red",), RISES, 50, "red reflectance"),
    "nir": Feature(("nir",), FALLS, 100, "near-infrared reflectance"),
    "swir16": Feature(("swir16",), RISES, 100, "short-wave infrared reflectance, 1.6 µm"),
    "swir22": Feature(("swir22",), RISES, 100, "short-wave infrared reflectance, 2.2 µm"),
}
"""Every optical feature by name. ``red_swir`` shows wet ground, mines and ponds; not dry slash."""

RADAR_FEATURES = {
    "vh": Feature(("vh",), FALLS, 25, "VH backscatter, gamma0, linear power"),
    "vv": Feature(("vv",), FALLS, 25, "VV backscatter, gamma0, linear power"),
}
"""Those of Sentinel-1 RTC; hand them on as ``definitions``. Average pixels in power against speckle
first, as ``cube.coarsen(y=3, x=3).mean()`` does. One series is one relative orbit."""

STAND_INS = {"nir": "nir08"}
"""Band that serves where the first is missing: the narrow near infrared at 20 m."""


def bands_of(features: Sequence[str], available: Collection[str]) -> tuple[str, ...]:
    """Return the bands that features need, each once, out of those available.

    Raises
    ------
    ValueError
        If a feature is unknown or a band isn't available; the message names them.
    """
    wanted = [band for name in features for band in find_feature(name).bands]
    return tuple(dict.fromkeys(_available(band, available) for band in wanted))


def find_feature(name: str, definitions: Mapping[str, Feature] = FEATURES) -> Feature:
    """Return a feature by its name, or raise a ValueError that lists those known."""
    if name not in definitions:
        raise ValueError(f"no feature is called {name}; known are {', '.join(definitions)}")
    return definitions[name]


def feature_cube(
    cube: xr.Dataset,
    is_clear: xr.DataArray,
    features: Sequence[str],
    *,
    definitions: Mapping[str, Feature] = FEATURES,
) -> xr.DataArray:
    """Return the features of a cube where the ground was seen.

    Parameters
    ----------
    cube
        Bands (time, y, x), NumPy or dask: int16 of reflectance × 10,000, -32768 missing, or float32
        of backscatter in linear power, NaN or 0 missing.
    is_clear
        Boolean (time, y, x).
    features
        Names in ``definitions``.
    definitions
        What the names mean; add your own to a copy of `FEATURES`.

    Returns
    -------
    int16 (feature, time, y, x), × 10,000, -32768 where not clear or missing. Lazy if ``cube`` is.

    Raises
    ------
    ValueError
        If no feature is asked for, one is unknown, or a band isn't in the cube.
    TypeError
        If a band is neither int16 nor float32.
    """
    if not features:
        raise ValueError(f"features must name at least one of {', '.join(definitions)}")
    available = [str(name) for name in cube.data_vars]
    used = {
        name: [_available(band, available) for band in find_feature(name, definitions).bands]
        for name in features
    }
    bands = {name: _in_dn(cube[name]) for names in used.values() for name in names}
    places = [tuple(list(bands).index(name) for name in names) for names in used.values()]
    # All in one step: put together afterwards, they would be copied.
    stacked: xr.DataArray = xr.apply_ufunc(
        partial(_features, bands_of_features=places),
        is_clear,
        *bands.values(),
        output_core_dims=[["feature"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"feature": len(features)}},
        output_dtypes=[np.int16],
        join="exact",
    )
    stacked = stacked.assign_coords(feature=list(features)).transpose("feature", "time", "y", "x")
    # Of the bands' attributes only the one that leads to the CRS is true of the features.
    first = next(iter(bands.values()))
    kept = {key: value for key, value in first.attrs.items() if key == "grid_mapping"}
    attrs = {"long_name": "features", "units": "1e-4", "nodata": int(NODATA_DN), **kept}
    return stacked.rename("features").drop_attrs(deep=False).assign_attrs(attrs)


def _features(
    is_clear: NDArray[np.bool_],
    *bands: NDArray[np.int16],
    bands_of_features: Sequence[tuple[int, ...]],
) -> NDArray[np.int16]:
    """Return the features of a block, with the features' own axis last."""
    features = np.empty((len(bands_of_features), *is_clear.shape), np.int16)
    for feature, (first, *second) in zip(features, bands_of_features, strict=True):
        if second:
            normalised_difference(bands[first], bands[second[0]], is_clear, out=feature)
        else:
            clear_band(bands[first], is_clear, out=feature)
    return np.moveaxis(features, 0, -1)


def _in_dn(band: xr.DataArray) -> xr.DataArray:
    """Return a band as int16: backscatter × 10,000, reflectance as it is."""
    if band.dtype == np.int16:
        return band
    if band.dtype != np.float32 or str(band.name) not in RADAR_FEATURES:
        raise TypeError(
            f"{band.name} must be int16 of reflectance × 10,000, got {band.dtype}; "
            "open the cube mask_and_scale=False"
        )
    scaled: xr.DataArray = xr.apply_ufunc(
        scale_power, band, dask="parallelized", output_dtypes=[np.int16], keep_attrs=True
    )
    return scaled


def _available(band: str, available: Collection[str]) -> str:
    """Return the band, or its stand-in."""
    for name in (band, STAND_INS.get(band, band)):
        if name in available:
            return name
    raise ValueError(
        f"a feature needs the band {band}, but there are {', '.join(sorted(available))}"
    )
