"""What a run takes as normal."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import xarray as xr

from cvlarray.config import load_config
from cvlarray.pipeline.season import fit_season


def test_a_disturbed_history_is_not_taken_as_normal(write_config, tmp_path):
    times = pd.date_range("2018-01-01", "2020-12-31", freq="10D")
    noise = np.random.default_rng(0).normal(0, 100, (2, times.size, 4, 6))
    noise[:, times < "2019-01-01", :, :3] -= 3_000  # it grew back within the history
    coords = {"feature": ["ndvi", "red"], "time": times, "y": np.arange(4.0), "x": np.arange(6.0)}
    dims = ("feature", "time", "y", "x")
    features = xr.DataArray((7_000 + noise).astype(np.int16), coords, dims).chunk(y=2)
    whole, stable = (
        fit_season(features, dt.date(2018, 1, 1), dt.date(2020, 12, 31), config, None).compute()
        for config in (
            load_config(write_config(tmp_path, baseline={"stable_history_significance": one}))
            for one in (None, 0.01)
        )
    )
    assert (whole["n_valid"] == times.size).all()
    assert (stable["n_valid"][..., :3] < times.size).all()
    assert (stable["n_valid"][..., 3:] == times.size).mean() > 0.9
    trend_whole, trend_stable = (
        np.abs(one["coefficients"].sel(coefficient="trend"))[..., :3].mean()
        for one in (whole, stable)
    )
    assert trend_stable < 0.9 * trend_whole
