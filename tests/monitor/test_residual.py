"""How far observations are from their season, against closed forms."""

from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import psutil
import pytest
import xarray as xr

from cvlarray.baseline import fit_baseline
from cvlarray.monitor import monitor, residual, standardised_residual
from cvlarray.names import NODATA_DN

TIMES = pd.date_range("2018-01-01", "2021-12-31", freq="8D")
DATE = TIMES[150]
HISTORY = slice("2018-01-01", "2020-12-31")


def steady(shape: tuple[int, int]) -> xr.DataArray:
    """Return NDVI of 0.5 and red of 0.03 without season, noise or gap."""
    values = np.array([5_000, 300], np.int16)[:, None, None, None]
    coords = {
        "feature": ["ndvi", "red"],
        "time": TIMES,
        "y": np.arange(shape[0], dtype=float),
        "x": np.arange(shape[1], dtype=float),
    }
    whole = np.broadcast_to(values, (2, TIMES.size, *shape)).copy()
    return xr.DataArray(whole, coords, ("feature", "time", "y", "x"))


@pytest.mark.parametrize("chunks", [None, {"y": 1}])
def test_residual_is_what_was_put_in_in_the_features_own_units(chunks):
    features = steady((2, 3))
    baseline = fit_baseline(features, history=HISTORY)
    features.loc[{"feature": "ndvi", "time": DATE}] -= 1_234
    features[1, -1, 1, 2] = NODATA_DN
    given = features if chunks is None else features.chunk(chunks)
    found = residual(given, baseline.sel(feature=["red", "ndvi"]))
    assert (found.chunks is None) == (chunks is None)
    expected = xr.zeros_like(features, dtype=float)
    expected.loc[{"feature": "ndvi", "time": DATE}] = -1_234
    expected[1, -1, 1, 2] = np.nan
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert found.dtype == np.float32
    assert found.attrs["units"] == baseline["sigma"].attrs["units"]
    with pytest.raises(ValueError, match="has red, but not ndvi"):
        residual(features, baseline.sel(feature=["red"]))


def test_standardised_residual_is_that_over_the_noise_floor_towards_disturbance():
    features = steady((1, 1))
    baseline = fit_baseline(features, history=HISTORY)
    features.loc[{"time": DATE}] -= 400  # floors: 200 of NDVI, 50 of red
    found = standardised_residual(features, baseline).sel(time=DATE).squeeze()
    np.testing.assert_allclose(found, [2, -8], atol=0.01)


def test_kernels_start_no_threads_beside_those_of_dask():
    features = steady((64, 64)).chunk(y=8)
    fitted = fit_baseline(features, history=HISTORY)
    lazy = monitor(features.sel(time=slice("2021-01-01", None)), fitted)
    process, most, is_done = psutil.Process(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not is_done.is_set():
            most = max(most, process.num_threads())
            time.sleep(0.002)

    lazy.isel(y=slice(1)).compute(scheduler="synchronous")  # BLAS and caches are there by now
    before = process.num_threads()
    watcher = threading.Thread(target=watch)
    watcher.start()
    lazy.compute(scheduler="threads", num_workers=2)
    is_done.set()
    watcher.join()
    assert before < most <= before + 1 + 2
