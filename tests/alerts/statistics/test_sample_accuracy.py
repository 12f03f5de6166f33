"""A sample of a map of known truth says what the truth is, as a whole and by place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cvlarray.alerts.statistics import (
    STABLE,
    UNSURE,
    draw_sample,
    sample_accuracy,
)

PIXEL_M2 = 100.0
WHOLE, WEST = 0, 1
WEST_PX = 120


def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a map and the truth, where the map misses clearings, more of them in the west."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((200, 300)) < 0.1).astype(int)
    missed = rng.random(truth.shape) < np.where(np.arange(300) < WEST_PX, 0.4, 0.1)
    false = rng.random(truth.shape) < 0.01
    return np.where(truth == 1, 1 - missed, false).astype(int), truth


def sampled(mapped: np.ndarray, truth: np.ndarray, n: int, seed: int):
    blocks = [(slice(y, y + 100), slice(x, x + 100)) for y in (0, 100) for x in range(0, 300, 100)]
    drawn = draw_sample(lambda y, x: mapped[y, x], blocks, [n, n], seed=seed)
    names = np.array([STABLE, "clearing"])
    points = pd.DataFrame(
        {
            "point_id": [f"p{number}" for number in range(2 * n)],
            "map_class": names[drawn.stratum],
            "places": [[WHOLE, WEST] if col < WEST_PX else [WHOLE] for col in drawn.col],
        }
    )
    labels = dict(zip(points["point_id"], names[truth[drawn.row, drawn.col]], strict=True))
    parts = [(WHOLE, "region", mapped), (WEST, "west", mapped[:, :WEST_PX])]
    areas = pd.DataFrame(
        [
            {
                "place": place,
                "layer": layer,
                "code": None,
                "name": None,
                "map_class": names[number],
                "area_m2": PIXEL_M2 * (part == number).sum(),
            }
            for place, layer, part in parts
            for number in (0, 1)
        ]
    )
    return points, areas, labels


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 80 samples 95 % should; as rest on the normal distribution, a few less do."""
    hits = {"region": 0, "west": 0}
    for seed in range(80):
        mapped, truth = world(seed)
        found = sample_accuracy(*sampled(mapped, truth, 400, seed))
        rows = found[found["class"] == "clearing"].set_index("layer")
        for layer, part in (("region", truth), ("west", truth[:, :WEST_PX])):
            off = abs(rows.loc[layer, "area_m2"] - PIXEL_M2 * part.sum())
            hits[layer] += off <= rows.loc[layer, "area_half_width_m2"]
    assert hits["region"] / 80 > 0.87
    assert hits["west"] / 80 > 0.87


def test_points_that_nobody_can_tell_count_as_not_labelled():
    mapped, truth = world(0)
    points, areas, labels = sampled(mapped, truth, 50, 0)
    ids = points["point_id"]
    half = {name: labels[name] if number % 2 else UNSURE for number, name in enumerate(ids)}
    found = sample_accuracy(points, areas, half)
    whole = found[found["layer"] == "region"].set_index("class")
    assert whole["n_points"].to_dict() == {"clearing": 50, STABLE: 50}
    assert whole["n_labelled"].to_dict() == {"clearing": 25, STABLE: 25}
    assert whole["overall"].between(0.5, 1).all()


def test_too_few_labels_say_nothing():
    mapped, truth = world(0)
    points, areas, labels = sampled(mapped, truth, 50, 0)
    found = sample_accuracy(points, areas, dict(list(labels.items())[:1]))
    assert found["overall"].isna().all()
    assert found["mapped_area_m2"].sum() == pytest.approx(PIXEL_M2 * 200 * (300 + WEST_PX))
