"""Real series with reference dates, reanalysed year by year: yearly refit and stable history."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from benchmarks.season_dates_series import BANDS, SERIES
from cvlarray.baseline import fit_baseline, stable_history
from cvlarray.features import feature_cube
from cvlarray.monitor import follow, refit, start, update

BY_NAME = {series.name: series for series in SERIES}


def reanalysed(series, feature: str) -> tuple[list[str], list[str]]:
    """Return the disturbances and recoveries of a pixel, from the fourth year of its series on."""
    table = series.clear()
    bands = {
        name: (("time", "y", "x"), table[name].to_numpy(np.int16)[:, None, None]) for name in BANDS
    }
    cube = xr.Dataset(bands, coords={"time": table.index})
    features = feature_cube(cube, xr.ones_like(cube["red"], dtype=bool), [feature])
    years = range(table.index[0].year + 3, table.index[-1].year + 1)

    def season(year):
        history = slice(f"{year - 3}-01-01", f"{year - 1}-12-31")
        return fit_baseline(stable_history(features.sel(time=history)), history=history)

    state = start(season(years[0]))
    for year in years:
        if year > years[0]:
            state = refit(state, season(year))
        state = update(state, features.sel(time=str(year)))
    found = follow(features.sel(time=slice(str(years[0]), None)), state)
    first, second = (
        [str(np.datetime64(int(day), "D")) for day in found[name].to_numpy().ravel() if day >= 0]
        for name in ("disturbed", "recovered")
    )
    return first, second


@pytest.mark.parametrize(
    ("name", "feature"),
    [("logging", "ndvi"), ("fire", "ndvi"), ("landsat", "ndvi"), ("spongy_moth", "nbr")],
)
def test_the_break_is_of_its_reference_year(external_data, name, feature):
    """Seven to sixteen years are watched; the year is the reference's (NBR sees defoliation)."""
    series = BY_NAME[name]
    disturbed, _ = reanalysed(series, feature)
    assert series.changes[0][0][:4] in {day[:4] for day in disturbed}
    assert disturbed[0][:4] == series.changes[0][0][:4]
