"""Splits by place: nothing that is looked at to validate or test lies near what is trained on."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.training.splits import Split, split_by_place

places = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=2, max_size=60, unique=True
)


def table_of(corners, side_m=2560.0, crs="EPSG:32719"):
    boxes = [shapely.box(100 * x, 100 * y, 100 * x + side_m, 100 * y + side_m) for x, y in corners]
    return gpd.GeoDataFrame(geometry=boxes, crs=crs)


def split(table, **changes):
    chosen = {
        "block_m": 8000.0,
        "guard_m": 1000.0,
        "validation_share": 0.25,
        "test_share": 0.25,
        "seed": 1,
    }
    return split_by_place(table, **(chosen | changes))


@settings(max_examples=80, deadline=None)
@given(places, st.integers(0, 5), st.sampled_from([0.0, 500.0, 3000.0]))
def test_no_two_splits_come_within_the_guard_distance(corners, seed, guard_m):
    table = table_of(corners)
    splits = split(table, seed=seed, guard_m=guard_m)
    # The distance of axis-parallel boxes, without a library of geometry.
    low = 100.0 * np.array(corners)
    gap = np.maximum(np.abs(low[:, None] - low[None]) - 2560.0, 0)
    distance = np.hypot(gap[..., 0], gap[..., 1])
    used = splits != Split.GUARD
    differ = (splits[:, None] != splits[None]) & used[:, None] & used[None]
    assert (distance[differ] > guard_m).all()


@settings(max_examples=30, deadline=None)
@given(places, st.integers(0, 5))
def test_a_place_keeps_its_split_whatever_else_there_is(corners, seed):
    whole = split(table_of(corners), seed=seed, guard_m=0.0)
    half = corners[::2]
    kept = split(table_of(half), seed=seed, guard_m=0.0)
    decided = (whole[::2] != Split.GUARD) & (kept != Split.GUARD)
    np.testing.assert_array_equal(whole[::2][decided], kept[decided])


def test_dates_of_one_place_stay_together():
    corners = [(x, y) for x in range(0, 2000, 80) for y in range(0, 400, 80)]
    once, twice = split(table_of(corners)), split(table_of(corners * 2))
    np.testing.assert_array_equal(np.tile(once, 2), twice)
    shares = {one: (once == one).mean() for one in Split}
    assert shares[Split.TEST] == pytest.approx(0.25, abs=0.12)
    assert shares[Split.VALIDATION] == pytest.approx(0.25, abs=0.12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_m": 0.0}, "block_m must be above 0"),
        ({"test_share": 0.8}, "leave something to train on"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        split(table_of([(0, 0), (50, 50)]), **changes)


def test_degrees_are_refused():
    with pytest.raises(ValueError, match="metric CRS"):
        split(table_of([(0, 0), (1, 1)], crs="EPSG:4326"))
