"""Scenes held against the season: an error goes, the season stays."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cvlarray.normalize import apply_corrections, fit_corrections, median_reference
from cvlarray.pipeline.normalize import seasonal_reference

SIDE = 48
HISTORY = pd.date_range("2019-01-05", "2021-12-31", freq="12D")
LATER = pd.date_range("2022-01-05", "2022-12-20", freq="20D")
FOREST = xr.DataArray(np.ones((SIDE, SIDE), bool), dims=("y", "x"))
ERRORS = {3: (1.06, 100), 9: (0.94, -100), 14: (1.0, 100)}
"""Gain and offset [DN] of near infrared, by the number of a later date."""


def forest(times, random, ground):
    """Return near infrared [DN] that swings by 12 % over the year, and where it is clear."""
    phase = 2 * np.pi * times.dayofyear.to_numpy() / 365.2425
    season = 1 + 0.12 * np.cos(phase)[:, None, None]
    nir = ground * season + random.normal(0, 40, (len(times), SIDE, SIDE))
    coords = {"time": times}
    is_clear = xr.DataArray(random.random(nir.shape) < 0.7, dims=("time", "y", "x"), coords=coords)
    return xr.Dataset({"nir": (("time", "y", "x"), nir)}, coords=coords), is_clear


@pytest.fixture(scope="module")
def made():
    random = np.random.default_rng(8)
    ground = random.normal(3000, 250, (SIDE, SIDE))
    past, past_clear = forest(HISTORY, random, ground)
    true, is_clear = forest(LATER, random, ground)
    seen = true.copy(deep=True)
    for number, (gain, offset) in ERRORS.items():
        seen["nir"][number] = gain * seen["nir"][number] + offset
    past["nir"][5] *= 1.06  # a scene of the history that is off itself
    return past.round().astype(np.int16), past_clear, true, seen.round().astype(np.int16), is_clear


def test_an_error_is_taken_off_to_under_one_percent_and_right_scenes_keep_every_bit(made):
    past, past_clear, true, seen, is_clear = made
    expected, error = seasonal_reference(past, past_clear, seen["time"], 1)
    corrections = fit_corrections(seen, is_clear, expected, FOREST, expected_error=error)
    found = apply_corrections(seen, corrections)["nir"]
    is_wrong = np.isin(np.arange(len(LATER)), list(ERRORS))
    np.testing.assert_array_equal(corrections["is_corrected"].squeeze(), is_wrong)
    xr.testing.assert_equal(found[~is_wrong], seen["nir"][~is_wrong])
    left = np.abs(found - true["nir"]) / true["nir"]
    assert left[is_wrong].quantile(0.95, ("y", "x")).max() < 0.01


def test_the_median_would_take_the_season_for_an_error(made):
    past, past_clear, _, seen, is_clear = made
    reference = median_reference(past, past_clear, ("nir",))
    corrections = fit_corrections(
        seen, is_clear, reference.expected, FOREST, expected_error=reference.error
    )
    assert corrections["is_corrected"].mean() > 0.8
