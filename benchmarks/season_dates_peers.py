"""Where the peers date the changes of the real series; run in their environment, prints JSON.

COLD and S-CCD see all bands and the whole series, as their documentation calls them; the monitors
of nrt see the same index, history and harmonics as ours, with the fit that each one prefers.
"""

from __future__ import annotations

import datetime as dt
import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.season_dates_series import BANDS, SERIES, DatedSeries

HARMONIC_ORDER = 3


def dates_of_peers() -> dict[str, dict[str, list[str]]]:
    """Return ISO dates by series and peer, those from the monitoring's first day on."""
    return {series.name: dict(_dates(series)) for series in SERIES}


def _dates(series: DatedSeries) -> Iterator[tuple[str, list[str]]]:
    from nrt.monitor.ccdc import CCDC
    from nrt.monitor.cusum import CuSum
    from nrt.monitor.ewma import EWMA
    from nrt.monitor.iqr import IQR
    from nrt.monitor.mosum import MoSum

    yield "COLD", _later(series, _cold(series.table()))
    yield "S-CCD", _later(series, _sccd(series.table()))
    clear = series.clear()
    for name, monitor in {
        "EWMA": EWMA, "CUSUM": CuSum, "MOSUM": MoSum, "IQR": IQR, "CCDC": CCDC,
    }.items():  # fmt: skip
        yield f"nrt {name}", _monitored(monitor, clear, series.first_year)


def _later(series: DatedSeries, ordinals: Any) -> list[str]:
    days = [dt.date.fromordinal(int(day)) for day in np.atleast_1d(ordinals) if day > 0]
    return [day.isoformat() for day in days if day.year >= series.first_year]


def _arrays(table: pd.DataFrame, names: list[str]) -> list[Any]:
    return [np.ascontiguousarray(table[name].to_numpy()) for name in names]


def _cold(table: pd.DataFrame) -> Any:
    from pyxccd import cold_detect

    return cold_detect(*_arrays(table, ["dates", *BANDS, "thermal", "qa"]))["t_break"]


def _sccd(table: pd.DataFrame) -> Any:
    from pyxccd import sccd_detect

    segments = sccd_detect(*_arrays(table, ["dates", *BANDS, "qa"])).rec_cg
    return segments["t_break"] if len(segments) else []


def _monitored(make: Callable[..., Any], clear: pd.DataFrame, first_year: int) -> list[str]:
    """Return when a monitor of nrt calls a change; it stops at the first."""
    nbr = _cube((clear["nir"] - clear["swir22"]) / (clear["nir"] + clear["swir22"]))
    history = slice(str(first_year - 3), str(first_year - 1))
    bands = {}
    if make.__name__ == "CCDC":  # it screens outliers by two bands
        green, swir = (_cube(clear[name] / 10_000) for name in ("green", "swir16"))
        bands = {"green": green.sel(time=history), "swir": swir.sel(time=history)}
    monitor = make(trend=True, harmonic_order=HARMONIC_ORDER)
    monitor.fit(nbr.sel(time=history), **bands)
    watched = nbr.sel(time=slice(str(first_year), None))
    for time, values in zip(watched["time"].to_numpy(), watched.to_numpy(), strict=True):
        monitor.monitor(values, pd.Timestamp(time).to_pydatetime())
    day = int(monitor.detection_date[0, 0])
    return [np.datetime64(day, "D").item().isoformat()] if day else []


def _cube(values: pd.Series) -> Any:
    """Return a series as one pixel (time, y, x)."""
    import xarray as xr

    pixel = values.to_numpy(np.float64)[:, np.newaxis, np.newaxis]
    return xr.DataArray(pixel, {"time": values.index, "y": [0.0], "x": [0.0]}, ("time", "y", "x"))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(dates_of_peers()))
