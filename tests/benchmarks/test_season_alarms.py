"""The false-alarm study counts what it says, and sees what the monitor sees."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from benchmarks.season_alarm_blocks import HELD_OUT, STABLE, Block, Season, block_of, seeds_from
from benchmarks.season_alarm_curves import (
    WITHIN,
    curve_of,
    detected_share,
    false_alarms,
    matching_threshold,
    mean_delay,
    omitted_share,
)
from benchmarks.season_alarm_figure import Panel, draw
from benchmarks.season_alarm_methods import FEATURE, METHODS, last_year, previous_date
from cvlarray.baseline import fit_baseline, is_forest
from cvlarray.features import FEATURES
from cvlarray.monitor import Consecutive, measure_dates, monitor
from cvlarray.names import NODATA_DN


@pytest.fixture(scope="module")
def block() -> Block:
    return block_of(*seeds_from(7, 1))


def walk(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    evidence = rng.normal(0, 1, shape).astype(np.float32)
    evidence[rng.random(shape) < 0.3] = np.nan
    return evidence


@pytest.mark.parametrize("threshold", [-0.5, 0.0, 1.3])
def test_false_alarms_are_runs_above_the_threshold(threshold: float) -> None:
    evidence = walk(np.random.default_rng(0), (40, 30))
    curve = curve_of(evidence, ~np.isnan(evidence), np.arange(40), np.full(30, STABLE))
    n_runs = 0
    for values in evidence.T:
        above = values[~np.isnan(values)] >= threshold
        n_runs += np.count_nonzero(above & ~np.insert(above, 0, False)[:-1])
    assert false_alarms([curve], threshold) == pytest.approx(n_runs / 30)


def test_detections_count_valid_observations_from_the_change_on() -> None:
    days, changed = np.arange(0, 80, 10), np.array([15, 15, STABLE])
    evidence = np.zeros((8, 3), np.float32)
    evidence[1, 0] = 9  # before the change
    evidence[4, 0] = 5  # its second valid observation
    evidence[7, 1] = 5  # its sixth
    is_valid = np.ones((8, 3), bool)
    is_valid[3, 0] = False
    curve = curve_of(evidence, is_valid, days, changed)
    assert WITHIN == 5
    assert detected_share([curve], 4) == 0.5
    assert mean_delay([curve], 4) == 2
    assert omitted_share([curve], 4) == 0
    assert omitted_share([curve], 6) == 1


def test_threshold_matches_the_detections() -> None:
    rng = np.random.default_rng(1)
    evidence = walk(rng, (40, 500))
    changed = rng.integers(0, 10, 500).astype(np.int32)
    curve = curve_of(evidence, ~np.isnan(evidence), np.arange(40), changed)
    assert detected_share([curve], matching_threshold([curve])) == pytest.approx(0.8, abs=0.003)


def hand_made(values: list[float], times: list[str]) -> xr.DataArray:
    coords = {"feature": [FEATURE], "time": np.array(times, "datetime64[ns]"), "y": [0], "x": [0]}
    array = np.array(values, np.int16).reshape(1, -1, 1, 1)
    return xr.DataArray(array, coords, ("feature", "time", "y", "x"))


def test_differences_are_to_the_observations_meant() -> None:
    times = ["2022-01-10", "2022-03-01", "2022-12-20", "2023-01-12", "2023-01-20", "2023-03-05"]
    features = hand_made([9_000, 8_500, 8_000, NODATA_DN, 7_000, 6_000], times)
    one, two = (previous_date(features, count)[:, 0] for count in (1, 2))
    np.testing.assert_array_equal(one, [np.nan, 1_000, 1_000])
    np.testing.assert_array_equal(two, [np.nan, 500, 1_000])
    np.testing.assert_array_equal(last_year(features, 1)[:, 0], [np.nan, 2_000, 2_500])


@pytest.mark.parametrize("count", [1, 2])
def test_ours_is_what_the_monitor_decides_by(block: Block, count: int) -> None:
    features = block.features(Season.STRONG, [FEATURE])
    evidence = METHODS["ours"](features, count)
    threshold = 4.7  # beyond what the season learns from, so that waiting for more changes nothing
    year = features.sel(time=slice(str(HELD_OUT), None))
    baseline = fit_baseline(features, history=slice("2020", "2022"))
    forest = is_forest(baseline)
    dates = measure_dates(year, baseline, forest)
    found = monitor(
        year, baseline, dates=dates, is_forest=forest, detector=Consecutive(threshold, count)
    )
    is_above = (evidence > threshold).any(axis=0)
    assert is_above.sum() > 20
    np.testing.assert_array_equal((found["confirmed"] >= 0).to_numpy().ravel(), is_above)


def test_blocks_are_as_described(block: Block) -> None:
    is_seen = block.bands[Season.WEAK][0] != NODATA_DN
    assert 0.02 < block.is_missed.sum() / is_seen.sum() < 0.12
    stable = block.changed == STABLE
    swings = {}
    for season in Season:
        ndvi = block.features(season, [FEATURE]).isel(feature=0).to_numpy()[:, stable]
        known = np.where(ndvi == NODATA_DN, np.nan, ndvi / 1e4)
        month = (block.days % 365.25 // 30.44).astype(int)
        medians = [np.nanmedian(known[month == one]) for one in (5, 8)]
        swings[season] = abs(medians[0] - medians[1])
    assert swings[Season.WEAK] < 0.06
    assert 0.1 < swings[Season.STRONG] < 0.3
    assert FEATURES[FEATURE].direction == -1


def test_figure_is_drawn(tmp_path: object) -> None:
    rng = np.random.default_rng(2)
    curves = []
    for _ in range(4):
        evidence = walk(rng, (40, 60))
        changed = np.where(np.arange(60) < 30, 5, STABLE)
        curves.append(curve_of(evidence, ~np.isnan(evidence), np.arange(40), changed))
    file = tmp_path / "new" / "false_alarms.png"  # type: ignore[operator]
    draw([Panel("weak", {"ours": curves, "OLS z": curves})], file)
    assert file.read_bytes()[:4] == b"\x89PNG"
