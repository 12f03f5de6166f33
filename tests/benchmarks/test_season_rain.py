"""Rain on real Sentinel-1 isn't confirmed as change, and a fall of backscatter is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmarks import season_rain
from benchmarks.season_rain import MONITORING, RAIN, confirmed_rain, first_changes
from cvlarray.features import Direction


@pytest.fixture(scope="module")
def bursts(external_data: Path) -> list[xr.Dataset]:
    return list(season_rain.bursts())


def test_rain_is_in_the_data(bursts: list[xr.Dataset]) -> None:
    rises = [
        10 * np.log10(power.sel(time=date).median() / power.median("time").median())
        for power in (burst["vh"] for burst in bursts)
        for date in RAIN
    ]
    assert np.median(rises) > 1.5
    assert max(rises) < 4.5


def test_rain_is_not_confirmed(external_data: Path) -> None:
    begun, n_pixels = season_rain.changes_by_date("vh")
    assert confirmed_rain(begun, n_pixels) == []
    assert max(begun[date] for date in RAIN) < 0.005 * n_pixels


def test_a_clearing_is_confirmed_all_the_same(bursts: list[xr.Dataset]) -> None:
    power, day = bursts[2], np.datetime64("2022-11-26")
    corner = (power["x"] < 30) & (power["y"] < 30)
    lost = xr.where((power["time"] >= day) & corner, 10**-0.8, 1).astype(np.float32)  # 8 dB
    found = first_changes(power * lost, "vh", Direction.FALLS).where(corner, drop=True)
    assert float((found == day).mean()) > 0.8


def test_standing_out_among_dry_dates_counts_as_confirmed() -> None:
    dry = np.datetime64("2022-11-14")
    assert confirmed_rain(Counter({dry: 9, RAIN[0]: 10, RAIN[1]: 9}), 10_000) == [RAIN[0]]
    assert confirmed_rain(Counter({dry: 900, RAIN[0]: 101}), 10_000) == [RAIN[0]]
    assert MONITORING.start < str(RAIN[0])
