"""A run that draws what is seldom seen to the region's steady forest."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cvlarray.baseline import predict
from cvlarray.config import load_config
from cvlarray.errors import UnitError
from cvlarray.grid import tiles
from cvlarray.pipeline import Stage
from cvlarray.pipeline.prior import N_SAMPLES, sample_squares
from cvlarray.store import Workspace
from tests.pipeline.forest import GEOBOX, write_forest
from tests.pipeline.runs import run

HIDDEN = slice(40, 60), slice(4, 24)
PRIOR = {"baseline": {"regional_prior": True}}


@pytest.fixture(scope="module")
def hidden_source(tmp_path_factory):
    """Return the folder of a forest with a part that was seen eight times in three years."""
    folder = tmp_path_factory.mktemp("hidden")
    write_forest(folder, HIDDEN)
    return folder


def opened(place) -> xr.Dataset:
    return xr.open_zarr(place, decode_cf=False).load()


def test_what_is_seldom_seen_has_the_season_of_its_forest(hidden_source, write_config):
    config = load_config(write_config(hidden_source, **PRIOR))
    assert run(config, last=Stage.BASELINE)[Stage.PRIOR] == 1
    season = opened(Workspace(config.workspace).baseline)
    hidden = season.isel(y=HIDDEN[0], x=HIDDEN[1])
    assert 0 < hidden["n_valid"].max() < 12
    days = np.arange(np.datetime64("2019-01-01"), np.datetime64("2020-01-01"), 10)
    expected = predict(hidden, days).sel(feature="ndvi") / 1e4

    phase = 2 * np.pi * np.array([day.timetuple().tm_yday for day in days.tolist()]) / 365.2425
    red, nir = 300 + 40 * np.cos(phase), 3200 - 300 * np.cos(phase)
    true = xr.DataArray((nir - red) / (nir + red), dims="time")
    error = np.sqrt(((expected - true) ** 2).mean(("time", "y", "x")))
    assert error < 0.003  # single observations scatter by 0.015
    assert run(config, last=Stage.BASELINE) == {}


def test_watching_in_two_goes_keeps_the_prior(hidden_source, write_config):
    long, short = (
        {
            "history": {"start": "2018-01-01", "end": "2020-12-31"},
            "monitoring": {"start": "2021-01-01", "end": end},
        }
        for end in ("2021-08-15", "2021-04-30")
    )
    whole = load_config(write_config(hidden_source, "whole", periods=long, **PRIOR))
    run(whole, last=Stage.MONITOR)
    run(
        load_config(write_config(hidden_source, "parts", periods=short, **PRIOR)),
        last=Stage.MONITOR,
    )
    parts = load_config(write_config(hidden_source, "parts", periods=long, **PRIOR))
    done = run(parts, last=Stage.MONITOR)
    assert Stage.PRIOR not in done
    at_once, in_parts = (Workspace(one.workspace) for one in (whole, parts))
    xr.testing.assert_identical(opened(at_once.detections), opened(in_parts.detections))
    assert (opened(at_once.detections)["first_flagged"] >= 0).any()


def test_a_region_without_steady_forest_says_so(hidden_source, write_config):
    unfitted = {"regional_prior": True, "min_observations": 1000}
    config = load_config(write_config(hidden_source, baseline=unfitted))
    with pytest.raises(UnitError, match=r"baseline\.regional_prior needs forest that stood"):
        run(config, last=Stage.PRIOR)


@pytest.mark.parametrize("tile_px", [16, 32, 64])
def test_samples_are_chunks_spread_over_the_region(tile_px):
    squares = sample_squares(tiles(GEOBOX, tile_px), 16)
    corners = {(one.y.start, one.x.start) for one in squares}
    assert len(corners) == len(squares) == N_SAMPLES
    assert all(y % 16 == 0 and x % 16 == 0 for y, x in corners)
    assert {(y // 32, x // 32) for y, x in corners} == {(0, 0), (0, 1), (1, 0), (1, 1)}
