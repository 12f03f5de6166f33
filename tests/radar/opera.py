"""Real Sentinel-1 backscatter as a series: OPERA RTC-S1 over California, 21 dates a burst."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr

BURSTS = ("T137-292319-IW2", "T137-292320-IW2", "T137-292321-IW2", "T137-292322-IW2")
RAINY = (np.datetime64("2022-11-02"), np.datetime64("2023-01-01"))
"""Days on which the median VH lies 1 to 3 dB higher, by the data's own description."""


def read_burst(folder: Path) -> xr.Dataset:
    """Return ``vv`` and ``vh`` (time, y, x) of a burst, linear gamma0."""
    layers: dict[np.datetime64, dict[str, np.ndarray]] = {}
    for path in sorted(folder.glob("*_V[VH].tif")):
        day = re.search(r"_(\d{4})(\d{2})(\d{2})T\d{6}Z_", path.name)
        assert day
        with rasterio.open(path) as dataset:
            image = dataset.read(1)
        date = np.datetime64("-".join(day.groups()), "ns")
        layers.setdefault(date, {})[path.stem[-2:].lower()] = image
    dates = sorted(layers)
    return xr.Dataset(
        {
            name: (("time", "y", "x"), np.stack([layers[date][name] for date in dates]))
            for name in ("vv", "vh")
        },
        {"time": dates, "y": -30.0 * np.arange(100), "x": 30.0 * np.arange(100)},
    )
