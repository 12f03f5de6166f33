"""Which variables a cube has, and of what dtype, from the scenes it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvlarray.names import NO_OBSERVATION, READ_STATUS, SCL, Variable, band
from cvlarray.sensors import PROFILES, Asset, Quantity, Scene

_LONG_NAMES = {
    "coastal": "coastal aerosol",
    "green_i": "green at 0.53 µm",
    "rededge1": "red edge 1",
    "rededge2": "red edge 2",
    "rededge3": "red edge 3",
    "nir": "near infrared",
    "nir08": "near infrared, narrow",
    "nir09": "water vapour, near infrared",
    "swir16": "short-wave infrared at 1.6 µm",
    "swir22": "short-wave infrared at 2.2 µm",
}


def cube_variables(scenes: Sequence[Scene], bands: Sequence[str]) -> tuple[Variable, ...]:
    """Return the variables of a cube: its bands, then ``read_status``.

    Parameters
    ----------
    scenes
        What the cube is made of; the first that has a band decides its dtype.
    bands
        Names of bands, such as ``["red", "nir", "scl"]``.

    Returns
    -------
    Reflectance as int16 DN, class codes as the file has them, backscatter as float32; each
    (time, y, x).

    Raises
    ------
    ValueError
        If a band is asked for twice, or no scene has it; if sensors are mixed and one of them
        doesn't measure it.
    """
    if not bands or len(set(bands)) != len(bands):
        raise ValueError(f"bands must be one or more different names, got {list(bands)}")
    _check_common(scenes, bands)
    return *(_variable(scenes, name) for name in bands), READ_STATUS


def _check_common(scenes: Sequence[Scene], bands: Sequence[str]) -> None:
    """Refuse reflectance that one of several sensors doesn't measure; each has its own mask."""
    families = {scene.family: measured_bands(scene) for scene in scenes}
    for name in bands:
        lacking = sorted(family for family, known in families.items() if name not in known)
        is_class = any(
            name in scene.assets and scene.assets[name].quantity is Quantity.CLASSES
            for scene in scenes
        )
        if lacking and len(lacking) < len(families) and not is_class:
            common = sorted(set.intersection(*(set(known) for known in families.values())))
            raise ValueError(
                f"{', '.join(lacking)} has no band {name}; bands of all sensors are "
                f"{', '.join(common)}"
            )


def measured_bands(scene: Scene) -> frozenset[str]:
    """Return the bands that a scene's sensor has at all, whether or not its Item names them."""
    return frozenset(band.name for band in PROFILES[scene.sensor].bands)


def is_missing(values: NDArray[Any], variable: Variable) -> NDArray[np.bool_]:
    """Return where an array of a variable has its fill value.

    Parameters
    ----------
    values
        Raw values, any shape.
    variable
        Whose fill is compared; NaN for floats.

    Returns
    -------
    True where missing, same shape.
    """
    missing: NDArray[np.bool_] = (
        np.isnan(values) if values.dtype.kind == "f" else values == variable.fill_value
    )
    return missing


def _variable(scenes: Sequence[Scene], name: str) -> Variable:
    """Return the variable of one band."""
    asset = next((scene.assets[name] for scene in scenes if name in scene.assets), None)
    if asset is None:
        known = sorted({key for scene in scenes for key in scene.assets})
        raise ValueError(f"no scene has the band {name}; bands are {', '.join(known) or 'none'}")
    if asset.quantity is Quantity.REFLECTANCE:
        return band(name, f"{_LONG_NAMES.get(name, name)} surface reflectance")
    if asset.quantity is Quantity.CLASSES:
        return SCL if name == SCL.name else _classes(asset)
    if asset.quantity is Quantity.POWER:
        attrs = {"long_name": f"{name.upper()} backscatter, gamma0, linear power", "units": "1"}
        return Variable(name, ("time", "y", "x"), "float32", np.float32("nan"), attrs)
    raise ValueError(
        f"{name} is {asset.quantity.value}, which has no place in a cube; "
        "calibrate and terrain-correct it first"
    )


def _classes(asset: Asset) -> Variable:
    """Return a variable of class codes or bit flags, in the dtype of its files."""
    dtype = np.dtype(asset.dtype)
    fill = dtype.type(NO_OBSERVATION if asset.nodata is None else asset.nodata)
    return Variable(
        asset.band, ("time", "y", "x"), dtype.name, fill, {"long_name": f"{asset.band} flags"}
    )
