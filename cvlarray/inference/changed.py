"""The probability of a change, out of what `infer` says with a model of two classes."""

from __future__ import annotations

import xarray as xr

from cvlarray.inference.block import NO_CLASS

__all__ = ["change_probability"]


def change_probability(maps: xr.Dataset, output: str) -> xr.DataArray:
    """Return the probability of the second of two classes.

    Parameters
    ----------
    maps
        From `infer`: the class and its ``probability``.
    output
        Name of the class map, such as ``radar_change``.

    Returns
    -------
    float32, dims as in ``maps``; NaN where not seen. Lazy if ``maps`` are.

    Raises
    ------
    ValueError
        If the map isn't of two classes.
    """
    classes = maps[output]
    meanings = str(classes.attrs["flag_meanings"]).split()
    if len(meanings) != 2:
        raise ValueError(f"{output} must have two classes, it has {', '.join(meanings)}")
    stated = maps["probability"]
    second: xr.DataArray = stated.where(classes == 1, 1 - stated).where(classes != NO_CLASS)
    attrs = {**stated.attrs, "long_name": f"probability of {meanings[1]}"}
    return second.astype(stated.dtype).assign_attrs(attrs)
