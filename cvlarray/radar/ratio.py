"""The cross ratio of two polarisations."""

from __future__ import annotations

import xarray as xr


def with_ratio(cube: xr.Dataset) -> xr.Dataset:
    """Return a cube of backscatter with VH/VV beside VV and VH.

    Parameters
    ----------
    cube
        ``vv`` and ``vh``, linear power.

    Returns
    -------
    The cube with ``vh_vv`` [1], NaN where either is missing. Lazy if ``cube`` is.

    Raises
    ------
    ValueError
        If one of them is missing.
    """
    missing = [name for name in ("vv", "vh") if name not in cube.data_vars]
    if missing:
        raise ValueError(f"VH/VV needs vv and vh, the cube lacks {', '.join(missing)}")
    kept = {key: value for key, value in cube["vh"].attrs.items() if key == "grid_mapping"}
    attrs = {"long_name": "VH over VV backscatter, gamma0", "units": "1", **kept}
    return cube.assign(vh_vv=(cube["vh"] / cube["vv"]).assign_attrs(attrs))
