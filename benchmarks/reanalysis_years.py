"""Reanalyses of years: breaks of real series, and how often intervals hold the truth."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.registry import Measurement, measures
from benchmarks.season_dates_series import BANDS, SERIES, DatedSeries
from cvlarray.alerts.statistics import area_of_classes
from cvlarray.annual import Strata, sample_sizes
from cvlarray.annual.maps import dated, year_bounds
from cvlarray.baseline import fit_baseline, stable_history
from cvlarray.cluster import InlineExecutor
from cvlarray.config import load_config
from cvlarray.demo import demo_config, write_romania
from cvlarray.features import feature_cube
from cvlarray.monitor import follow, refit, start, update
from cvlarray.pipeline import Stage, run_pipeline, workspace_of
from cvlarray.pipeline.progress import LogProgress
from cvlarray.store import open_raw
from tests import romania

FEATURES = {"spongy_moth": "nbr"}
"""What shows a change, where NDVI doesn't: defoliated oaks."""
N_REGIONS = 100


@measures("break_year_errors")
def break_year_errors() -> Measurement:
    """Watched from the fourth year on, with a yearly refit to the stable part of three years."""
    found = {series.name: _first_disturbance(series) for series in SERIES}
    wrong = [series.name for series in SERIES if found[series.name][:4] != series.changes[0][0][:4]]
    note = ", ".join(f"{name} {day}" for name, day in found.items())
    return Measurement(float(len(wrong)), "series", note=note)


@measures("interval_coverage")
def interval_coverage() -> Measurement:
    """Sampled truth, not whole reanalyses: maps of 12 years that err in known ways, then samples.

    A map mistakes the year in 4 % of its disturbed pixels, the agent in 6 %, finds 5 % that are
    none, and misses 10 % of what lies beside its changes.
    """
    rng = np.random.default_rng(7)
    strata = Strata(tuple(range(2013, 2025)))
    sizes = sample_sizes(strata, 50)
    inside, half_widths = [], []
    for _ in range(N_REGIONS):
        yearly = np.column_stack([rng.integers(20, 300, 12), rng.integers(50, 600, 12)]).ravel()
        area = np.concatenate([[100_000, 4_000], yearly])
        true = np.array(
            [rng.multinomial(n, p) for n, p in zip(area, _confusion(strata), strict=True)]
        )
        drawn = np.array(
            [
                rng.multivariate_hypergeometric(row, min(int(n), size))
                for row, n, size in zip(true, area, sizes, strict=True)
            ]
        )
        for year in strata.years:
            chosen = strata.chosen(year, "mining")
            _, low, high = area_of_classes(drawn, area, chosen)
            known = true[:, chosen].sum()
            inside.append(low <= known <= high)
            half_widths.append((high - low) / 2 / known)
    note = (
        f"sampled truth of {N_REGIONS} maps × 12 years, not whole reanalyses; {sum(sizes):,} "
        f"pixels a map are looked at; half width {np.median(half_widths):.0%} in the median"
    )
    return Measurement(100 * float(np.mean(inside)), "%", note=note)


def _confusion(strata: Strata) -> np.ndarray:
    chance = np.zeros((strata.size, strata.size))
    chance[0, 2:], chance[1, 2:] = 2e-4 / (strata.size - 2), 0.1 / (strata.size - 2)
    for number in range(2, strata.size):
        chance[number, number] = 0.85
        chance[number, number ^ 1] += 0.06
        chance[number, max(2, number - 2)] += 0.04
    chance[:, 0] += 1 - chance.sum(axis=1)
    return chance


@measures("campaigns_in_their_years")
def campaigns_in_their_years() -> Measurement:
    """The demo's real square, reanalysed; the campaigns are told by the summers' medians."""
    known = romania.truth(romania.load(10))
    with tempfile.TemporaryDirectory() as name:
        write_romania(Path(name))
        config = load_config(demo_config(), {"workspace": name, "cluster": "threads"})
        run_pipeline(config, InlineExecutor(), LogProgress(), last=Stage.CHANGES)
        changes = open_raw(workspace_of(config).changes).load()
    day = dated(changes).isel(episode=0).to_numpy()
    is_back = changes["recovered"].isel(episode=0).to_numpy() >= 0
    n_right, notes = 0, []
    for name, campaign, year in (("A", known.campaign_a, 2019), ("B", known.campaign_b, 2020)):
        first, last = year_bounds(year)
        found = campaign & (day >= 0)
        share = float(((day >= first) & (day <= last))[found].mean())
        covered = float(romania.grown(day >= 0)[campaign].mean())
        n_right += covered >= 0.9 and share >= 0.97
        notes.append(
            f"{name}: {found.sum()} of {campaign.sum()} pixels ({covered:.1%} with one beside "
            f"them), {share:.1%} of them in {year}, "
            f"{is_back[found].mean():.1%} grown back"
        )
    return Measurement(n_right, "campaigns", note="; ".join(notes))


@cache
def _first_disturbance(series: DatedSeries) -> str:
    table = series.clear()
    bands = {
        name: (("time", "y", "x"), table[name].to_numpy(np.int16)[:, None, None]) for name in BANDS
    }
    cube = xr.Dataset(bands, coords={"time": table.index})
    clear = xr.ones_like(cube["red"], dtype=bool)
    features = feature_cube(cube, clear, [FEATURES.get(series.name, "ndvi")])
    years = range(table.index[0].year + 3, table.index[-1].year + 1)
    state = start(_season(features, years[0]))
    for year in years:
        state = refit(state, _season(features, year)) if year > years[0] else state
        state = update(state, features.sel(time=str(year)))
    found = follow(features.sel(time=slice(str(years[0]), None)), state)
    day = int(found["disturbed"].to_numpy()[0, 0, 0])
    return str(np.datetime64(day, "D")) if day >= 0 else "none"


def _season(features: xr.DataArray, year: int) -> xr.Dataset:
    history = slice(f"{year - 3}-01-01", f"{year - 1}-12-31")
    return fit_baseline(stable_history(features.sel(time=history)), history=history)
