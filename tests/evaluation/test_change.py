"""Counting changes between dates, and how late they are dated."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import xarray as xr
from sklearn import metrics

from cvlarray.evaluation import HeldOut
from cvlarray.evaluation.change import N_BINS, Pairs, best_threshold, count_change, pairs_of
from cvlarray.models import Band, ModelSpec

SIDE = 16
DATES = tuple(dt.date(2022, 6, 1) + dt.timedelta(days=10 * k) for k in range(4))
FIRST = (DATES[2] - dt.date(1970, 1, 1)).days - 3


class Oracle:
    """Says the share that is written in the one band."""

    @property
    def spec(self):
        return ModelSpec("oracle", (Band("red_after"),), ("unchanged", "changed"), output="change")

    def predict(self, chips, is_valid):
        return np.stack([1 - chips[:, 0], chips[:, 0]], axis=1)


def pairs(said, looks=((0, 0), (1, 1), (2, 2))):
    """Return consecutive pairs; rows 0 to 3 change before the third date."""
    region = next(iter(HeldOut(n_regions=2, size_px=64).regions()))
    first = np.full((SIDE, SIDE), -1, np.int32)
    first[:4] = FIRST
    is_changed = np.zeros((3, SIDE, SIDE), bool)
    is_changed[1, :4] = True
    is_clear = np.ones((4, SIDE, SIDE), bool)
    is_clear[2, :2] = False  # the change is first seen on the fourth date there
    pixels = 10.0 * np.arange(SIDE)
    cube = xr.Dataset({"red_after": (("time", "y", "x"), said)}, {"y": -pixels, "x": pixels})
    return Pairs(region, cube, (1, 2, 3), looks, DATES, is_changed, first, is_clear)


def test_counts_and_date_errors_by_hand():
    said = np.full((3, SIDE, SIDE), 0.1, np.float32)
    said[1, 2:4] = 0.9  # right, on the right date
    said[2, :2] = 0.9  # the right date there, though that pair didn't change: wrong as a pair
    found = count_change(pairs(said), Oracle())
    assert found.counts(0.5).tolist() == [2 * SIDE, 2 * SIDE, 2 * SIDE]
    assert sorted(set(found.date_errors.tolist())) == [0]
    said[:] = 0.1
    said[2, :4] = 0.9
    late = count_change(pairs(said), Oracle()).date_errors
    assert np.bincount(late).tolist() == [2 * SIDE, 2 * SIDE]


def test_what_the_next_look_takes_back_was_no_change_and_what_it_misses_is_not_judged():
    said = np.full((6, SIDE, SIDE), 0.1, np.float32)
    said[1, :6] = said[4, :4] = 0.9  # rows 4 and 5 were a cloud
    said[4, 2] = np.nan
    found = count_change(pairs(said, looks=((0, 3), (1, 4), (2, 5))), Oracle())
    assert found.counts(0.5).tolist() == [3 * SIDE, 0, 0]


def test_pairs_are_drawn_with_the_look_after_each():
    region = next(iter(HeldOut(n_regions=2, size_px=64).regions()))
    found = pairs_of(region, ("red",), dt.date(2022, 5, 1), n_dates=4)
    assert found.after == (1, 2, 2)
    assert found.cube.sizes["time"] == 5
    is_same_start = [
        np.array_equal(*(found.cube["red_before"][look] for look in looks)) for looks in found.looks
    ]
    assert all(is_same_start)


def test_the_best_threshold_is_that_of_scikit_learn():
    random = np.random.default_rng(1)
    truth = random.random(20_000) < 0.05
    stated = np.clip(random.normal(np.where(truth, 0.6, 0.3), 0.12), 0, 0.999)
    histogram = np.stack(
        [np.histogram(stated[truth == is_changed], N_BINS, (0, 1))[0] for is_changed in (0, 1)]
    )
    precision, recall, cuts = metrics.precision_recall_curve(truth, stated)
    f1 = 2 * precision * recall / (precision + recall)
    assert best_threshold(histogram) == pytest.approx(cuts[np.argmax(f1)], abs=0.01)


def test_where_nothing_changed_the_threshold_stays_at_even_odds():
    histogram = np.zeros((2, N_BINS), np.int64)
    histogram[0, :10] = 1000
    assert best_threshold(histogram) == 0.5
