"""Rain on real Sentinel-1: backscatter that rises for a date mustn't be confirmed as change.

Four bursts over California, 21 dates each. The history is the first season, of six dates; two of
the dates that follow are wet, by 1 to 3 dB. Pixels of 30 m are averaged by threes in power;
all else is as for any radar series: a prior, each date's own offset and spread, the default test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import xarray as xr

from benchmarks.reference import reference_folder
from benchmarks.registry import Measurement, measures
from cvlarray.baseline import fit_baseline, regional_prior
from cvlarray.features import RADAR_FEATURES, Direction, feature_cube
from cvlarray.monitor import measure_dates, monitor

RAIN = (np.datetime64("2022-11-02"), np.datetime64("2023-01-01"))
HISTORY = slice("2021-11-01", "2021-12-31")
MONITORING = slice("2022-01-01", None)
BANDS = ("VH", "VV")
LOOKS = 3
"""Pixels along a side that are averaged."""


def bursts() -> Iterator[xr.Dataset]:
    """Yield each burst's ``vh`` and ``vv``, linear power (time, y, x), in pixels of 90 m."""
    for folder in sorted((reference_folder("opera_s1") / "california_T137").iterdir()):
        power = xr.Dataset({band: _series(sorted(folder.glob(f"*_{band}.tif"))) for band in BANDS})
        yield (
            power.rename({band: band.lower() for band in BANDS})
            .coarsen(y=LOOKS, x=LOOKS, boundary="trim")
            .mean()
        )


def _series(files: Sequence[Path]) -> xr.DataArray:
    """Return one polarisation of a burst; a file's name has the time of its acquisition."""
    layers = []
    for file in files:
        with rasterio.open(file) as source:
            layers.append(source.read(1))
    power = np.stack(layers)
    times = pd.to_datetime([file.name.split("_")[4][:8] for file in files])
    _, height, width = power.shape
    coords = {"time": times, "y": np.arange(height)[::-1], "x": np.arange(width)}
    return xr.DataArray(power, coords, ("time", "y", "x"))


def first_changes(power: xr.Dataset, band: str, direction: Direction) -> xr.DataArray:
    """Return the first date (y, x) of each confirmed change towards a direction, NaT where none."""
    definitions = {band: replace(RADAR_FEATURES[band], direction=direction)}
    features = feature_cube(power, power[band].notnull(), [band], definitions=definitions)
    history = features.sel(time=HISTORY)
    everywhere = xr.ones_like(features.isel(feature=0, time=0, drop=True), bool)
    # One season of six dates says nothing of the others: level and trend alone.
    first = fit_baseline(history, harmonic_order=0, min_observations=3)
    prior = regional_prior(first, everywhere, history["time"])
    baseline = fit_baseline(history, harmonic_order=0, prior=prior)
    watched = features.sel(time=MONITORING)
    dates = measure_dates(watched, baseline, everywhere, definitions=definitions)
    found = monitor(watched, baseline, dates=dates, definitions=definitions)["first_flagged"]
    return found.astype("datetime64[D]").where(found >= 0)


@cache
def changes_by_date(band: str) -> tuple[Counter[np.datetime64], int]:
    """Return confirmed changes by the date they begin on, both directions, and pixels looked at."""
    begun: Counter[np.datetime64] = Counter()
    n_pixels = 0
    for power in bursts():
        n_pixels += power["vh"].isel(time=0).size
        for direction in Direction:
            first = first_changes(power, band, direction).to_numpy()
            begun.update(first[~np.isnat(first)].astype("datetime64[D]"))
    return begun, n_pixels


def confirmed_rain(begun: Counter[np.datetime64], n_pixels: int) -> list[np.datetime64]:
    """Return the wet dates on which more change begins than on any dry one, or on 1 % of pixels."""
    most = max(count for date, count in begun.items() if date not in RAIN)
    return [date for date in RAIN if begun[date] > min(most, 0.01 * n_pixels)]


@measures("rain_spikes_confirmed")
def rain_spikes_confirmed() -> Measurement:
    """VH, which is what is watched; both directions, though forest only falls."""
    confirmed = confirmed_rain(*changes_by_date("vh"))
    notes = "; ".join(_counts(band, *changes_by_date(band)) for band in ("vh", "vv"))
    return Measurement(len(confirmed), "spikes", note=notes)


def _counts(band: str, begun: Counter[np.datetime64], n_pixels: int) -> str:
    dry = sorted(count for date, count in begun.items() if date not in RAIN)
    wet = ", ".join(f"{begun[date]} on {date}" for date in RAIN)
    return (
        f"{band}: of {n_pixels:,} pixels, changes begin on {wet}, {dry[0]}-{dry[-1]} on dry dates"
    )
