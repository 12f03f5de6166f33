"""Verdicts as chips: what was judged is labelled, on the date that shows it."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import odc.geo.xr  # noqa: F401
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_zeros

from cvlarray.models.change import CHANGE_CLASSES
from cvlarray.models.model import Band
from cvlarray.training.chips import ChipKind, read_chips, write_chips
from cvlarray.training.feedback import FeedbackChips, JoinedChips

LEFT, TOP = 300_000, 8_100_000
GEOBOX = GeoBox((128, 128), Affine(10, 0, LEFT, 0, -10, TOP), "EPSG:32719")
DAYS = pd.date_range("2024-05-01", periods=4, freq="10D")
KIND = ChipKind((Band("red"),), CHANGE_CLASSES, ("reviewers",), "feedback", size_px=64)


def images():
    layer = xr_zeros(GEOBOX, dtype="int16")
    stacked = xr.concat([layer + 100 * n for n in range(4)], pd.DatetimeIndex(DAYS, name="time"))
    return stacked.astype("int16").to_dataset(name="red")


def verdict(name, row, col, *, is_change, class_name="mine_pit", end="2024-05-11"):
    """A square of four pixels whose upper left one is (row, col)."""
    x, y = LEFT + 10 * col, TOP - 10 * row
    return {
        "event_id": name,
        "class": class_name,
        "is_change": is_change,
        "interval_end": pd.Timestamp(end),
        "geometry": shapely.box(x + 1, y - 39, x + 39, y - 1),
    }


def chips_of(rows, kind=KIND):
    labels = gpd.GeoDataFrame(rows, crs="EPSG:32719").to_crs("EPSG:4326")
    return list(FeedbackChips(labels, images(), kind).chips())


def test_confirmed_is_changed_and_dismissed_is_not():
    found = chips_of(
        [
            verdict("b", 60, 60, is_change=False, end="2024-05-20"),
            verdict("a", 40, 50, is_change=True),
        ]
    )
    assert [chip.facts["scene"] for chip in found] == ["feedback-a", "feedback-b"]
    for chip, value, day, brightness in zip(
        found, (1, 0), ("2024-05-11", "2024-05-21"), (100, 200), strict=True
    ):
        labelled = chip.label != 255
        assert 16 <= labelled.sum() <= 36  # four by four, and what the polygon's way back touches
        assert set(chip.label[labelled]) == {value}
        assert chip.facts["date"] == day
        assert (chip.image == brightness).all()
    # The polygon of the first lies 8 rows below the chip's top, were it not pushed inside.
    rows, cols = np.nonzero(found[0].label[0] == 1)
    left, _, _, top = found[0].footprint.bounds
    assert abs((TOP - top) / 10 + rows.mean() - 41.5) < 0.6
    assert abs((left - LEFT) / 10 + cols.mean() - 51.5) < 0.6


def test_land_cover_takes_the_classes_that_it_has():
    kind = ChipKind(
        (Band("red"),), ("intact_forest", "mine_pit"), ("reviewers",), "feedback", size_px=64
    )
    found = chips_of(
        [
            verdict("a", 40, 50, is_change=True),
            verdict("b", 40, 50, is_change=True, class_name="forest_disturbance"),
            verdict("c", 40, 50, is_change=False),
        ],
        kind,
    )
    assert [set(np.unique(chip.label)) for chip in found] == [{1, 255}]


@pytest.mark.parametrize(
    "row",
    [
        verdict("late", 40, 50, is_change=True, end="2030-01-01"),
        verdict("outside", 400, 50, is_change=True),
    ],
)
def test_what_no_image_shows_gives_no_chip(row):
    assert chips_of([row]) == []


def test_joined_sets_say_whose_labels_they_are(tmp_path):
    labels = gpd.GeoDataFrame([verdict("a", 40, 50, is_change=True)], crs="EPSG:32719")
    feedback = FeedbackChips(labels.to_crs("EPSG:4326"), images(), KIND)
    simulated = FeedbackChips(
        labels.to_crs("EPSG:4326"),
        images(),
        ChipKind(KIND.bands, KIND.classes, ("simulator",), "simulated", size_px=64),
    )
    joined = write_chips(tmp_path / "set", JoinedChips(simulated, feedback))
    assert len(read_chips(tmp_path / "set")) == 2
    assert joined.kind.source == "simulated"
    assert list(joined.table["label_source"])[-1] == "feedback"
