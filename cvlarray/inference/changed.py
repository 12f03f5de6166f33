"""The probability of a change, out of what `infer` says with a model of two classes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cvlarray.inference.block import NO_CLASS

__all__ = ["change_probability", "confirmed_change"]


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


def confirmed_change(
    at_first: NDArray[np.float32], looked_again: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the probability of a change that the next look at the place has not taken back.

    A cloud that its mask missed is gone by then, a clearing isn't.

    Parameters
    ----------
    at_first
        Any shape, 0 to 1: between an earlier date and the first look.
    looked_again
        The same shape: between that earlier date and the look after.

    Returns
    -------
    The smaller of the two; NaN where either is: what isn't seen again isn't judged yet.
    """
    return np.minimum(at_first, looked_again)
