"""What a run takes as normal."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cvlarray.config import load_config
from cvlarray.pipeline.baseline import fit_season


@pytest.mark.parametrize("significance", [None, 0.01])
def test_a_disturbed_history_is_not_taken_as_normal(write_config, tmp_path, significance):
    settings = {"stable_history_significance": significance}
    config = load_config(write_config(tmp_path, baseline=settings))
    times = pd.date_range("2018-01-01", "2020-12-31", freq="10D")
    noise = np.random.default_rng(0).normal(0, 100, (2, times.size, 4, 6))
    noise[:, times < "2019-01-01", :, :3] -= 3_000  # it grew back within the history
    coords = {"feature": ["ndvi", "red"], "time": times, "y": np.arange(4.0), "x": np.arange(6.0)}
    dims = ("feature", "time", "y", "x")
    features = xr.DataArray((7_000 + noise).astype(np.int16), coords, dims).chunk(y=2)
    season = fit_season(features, dt.date(2018, 1, 1), dt.date(2020, 12, 31), config).compute()
    trend = np.abs(season["coefficients"].sel(coefficient="trend"))
    undisturbed, disturbed = trend[..., 3:], trend[..., :3]
    assert undisturbed.max() < 300
    assert (disturbed.max() < 300) == (significance is not None)
    n_valid = season["n_valid"][..., :3]
    assert n_valid.max() <= (75 if significance else times.size)
