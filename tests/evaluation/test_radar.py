"""Counting radar's changes: a model that knows the truth is right, one that says nothing misses."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cvlarray.evaluation import HeldOut
from cvlarray.evaluation.radar import Rains, count_radar
from cvlarray.models import Band, ModelSpec
from cvlarray.radar.departure import CHANNELS

N_DATES, SIDE = 8, 32
DAYS = 19_000 + 12 * np.arange(N_DATES)


class Oracle:
    """Says what ``vv_departure`` says: the truth is written there."""

    def __init__(self, is_shy=False):
        self.is_shy = is_shy

    @property
    def spec(self):
        bands = tuple(Band(name, "dB") for name in CHANNELS)
        return ModelSpec("oracle", bands, ("unchanged", "changed"), output="radar_change")

    def predict(self, chips, is_valid):
        changed = np.where(chips[:, 0] < 0, np.float32(0.0 if self.is_shy else 0.99), 0.01)
        return np.stack([1 - changed, changed], axis=1).astype(np.float32)


@pytest.fixture
def rains():
    """Return a region of which one part changes after the third pass, and one by a storm."""
    region = next(iter(HeldOut(n_regions=2, size_px=64).regions()))
    changed = np.full((SIDE, SIDE), -1, np.int32)
    changed[4:14, 4:14] = DAYS[3] - 5
    vv = np.zeros((N_DATES, SIDE, SIDE), np.float32)
    vv[3:, 4:14, 4:14] = -3
    vv[2:, 20:24, 20:25] = -3
    pixels = 10.0 * np.arange(SIDE)
    time = DAYS.astype("datetime64[D]").astype("datetime64[ns]")
    layer = xr.DataArray(vv, {"time": time, "y": -pixels, "x": pixels}, ("time", "y", "x"))
    departures = xr.Dataset({name: layer.assign_attrs(units="dB") for name in CHANNELS})
    is_watched = np.ones((SIDE, SIDE), bool)
    is_watched[:, :6] = False
    return Rains(region, departures, changed, is_watched)


def test_counts_by_hand(rains):
    found = count_radar(rains, Oracle())
    assert found.counts.tolist() == [80, 20, 0, 80]
    assert found.late_passes.tolist() == [0] * 80


def test_silence_misses_everything(rains):
    found = count_radar(rains, Oracle(is_shy=True))
    assert found.counts.tolist() == [0, 0, 80, 0]
    assert found.late_passes.size == 0
