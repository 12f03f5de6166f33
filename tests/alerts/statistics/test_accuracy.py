"""The worked example that Olofsson et al. (2014) publish, and laws that any sample obeys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.alerts.statistics import (
    allocate,
    count_strata,
    draw_block,
    draw_sample,
    keep_least,
    sample_size,
    stratified_accuracy,
)

CLASSES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
COUNTS = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
PIXELS = [200_000, 150_000, 3_200_000, 6_450_000]
HA_PER_PIXEL = 0.09


@pytest.fixture(scope="module")
def example():
    """Table 8 of the paper, areas in hectares."""
    return stratified_accuracy(COUNTS, np.array(PIXELS) * HA_PER_PIXEL, classes=CLASSES)


def test_proportions_are_those_of_table_9(example):
    published = [
        [0.0176, 0, 0.0013, 0.0011],
        [0, 0.0110, 0.0016, 0.0024],
        [0.0019, 0, 0.2967, 0.0213],
        [0.0040, 0.0020, 0.0179, 0.6212],
    ]
    np.testing.assert_allclose(example.proportions, published, atol=5.1e-5)


def test_accuracies_are_those_published(example):
    assert (round(example.overall, 2), round(example.overall_half_width, 2)) == (0.95, 0.02)
    table = example.by_class.round(2)
    assert table["users"].tolist() == [0.88, 0.73, 0.93, 0.96]
    assert table["users_half_width"].tolist() == [0.07, 0.10, 0.04, 0.02]
    assert table["producers"].tolist() == [0.75, 0.85, 0.93, 0.96]
    assert table["producers_half_width"].iloc[0] == 0.21


def test_producers_doubt_is_that_of_a_ratio(example):
    """Linearised: the variance, stratum by stratum, of each unit's (hit - P × is of the class)."""
    weights, counts = np.array(PIXELS) / sum(PIXELS), np.array(COUNTS)
    for k, row in enumerate(example.by_class.itertuples()):
        variance = 0.0
        for stratum, n in enumerate(counts):
            of_class = np.repeat([1.0, 0.0], [n[k], n.sum() - n[k]])
            residual = (float(stratum == k) - row.producers) * of_class
            variance += weights[stratum] ** 2 * residual.var(ddof=1) / n.sum()
        share = example.proportions.iloc[:, k].sum()
        assert row.producers_half_width == pytest.approx(1.96 * variance**0.5 / share, rel=1e-4)


def test_the_area_of_deforestation_is_the_one_published(example):
    row = example.by_class.loc["deforestation"]
    assert row["area"] == pytest.approx(21_158, abs=0.5)
    assert row["area_half_width"] == pytest.approx(6_158, abs=1)
    assert example.by_class["area"].sum() == pytest.approx(sum(PIXELS) * HA_PER_PIXEL)


def test_the_sample_size_is_the_one_published():
    weights, users = [0.02, 0.015, 0.32, 0.645], [0.7, 0.6, 0.9, 0.95]
    assert sample_size(weights, users, target_standard_error=0.01) == 641


def test_intervals_cover_the_truth_as_often_as_they_say():
    """A map of known error, sampled again and again."""
    rng = np.random.default_rng(3)
    weights, shares = np.array([0.1, 0.9]), np.array([[0.85, 0.15], [0.04, 0.96]])
    truth = (weights[:, None] * shares).sum(axis=0)
    hits = []
    for _ in range(400):
        counts = [rng.multinomial(150, row) for row in shares]
        found = stratified_accuracy(counts, weights, classes=("a", "b")).by_class
        hits.append(abs(found["area"].iloc[0] - truth[0]) <= found["area_half_width"].iloc[0])
    assert 0.90 < np.mean(hits) < 0.985


@given(
    counts=st.lists(st.integers(2, 40), min_size=3, max_size=3),
    areas=st.lists(st.floats(1, 1e6), min_size=3, max_size=3),
)
def test_a_perfect_map_has_its_own_areas_and_no_doubt(counts, areas):
    found = stratified_accuracy(np.diag(counts), areas, classes=("a", "b", "c"))
    assert found.overall == pytest.approx(1)
    assert found.overall_half_width == 0
    np.testing.assert_allclose(found.by_class["area"], areas)
    np.testing.assert_allclose(found.by_class["area_half_width"], 0, atol=1e-9)


@given(
    n=st.integers(150, 5000),
    weights=st.lists(st.floats(0.001, 1), min_size=2, max_size=3),
)
def test_an_allocation_adds_up_and_forgets_no_stratum(n, weights):
    allocation = allocate(n, np.array(weights) / sum(weights))
    assert allocation.sum() == n
    assert allocation.min() >= 50


def test_the_papers_allocation_has_its_like():
    """75, 75, 165, 325 of 640 by the paper's hand; ours with its minimum of 75."""
    assert allocate(640, [0.02, 0.015, 0.32, 0.645], minimum=75).tolist() == [75, 75, 162, 328]


def test_a_drawn_sample_lies_in_its_strata_and_is_drawn_again():
    strata = np.random.default_rng(0).integers(-1, 3, (40, 50))
    blocks = [(slice(y, y + 7), slice(x, x + 9)) for y in range(0, 100, 7) for x in (0, 9, 18)]
    counts = count_strata(lambda y, x: strata[y, x], blocks, 3)
    assert counts.sum(axis=0).tolist() == [
        int((strata[:, :27] == number).sum()) for number in range(3)
    ]
    drawn = draw_sample(lambda y, x: strata[y, x], blocks, [5, 0, 20], seed=1)
    assert drawn.stratum.tolist() == [0] * 5 + [2] * 20
    assert strata[drawn.row, drawn.col].tolist() == drawn.stratum.tolist()
    assert len(set(zip(drawn.row.tolist(), drawn.col.tolist(), strict=True))) == 25
    again = draw_sample(lambda y, x: strata[y, x], blocks, [5, 0, 20], seed=1)
    assert drawn.equals(again)
    with pytest.raises(ValueError, match="stratum 1 has"):
        draw_sample(lambda y, x: strata[y, x], blocks, [0, 10_000, 0], seed=1)


def test_every_pixel_of_a_stratum_is_as_likely_as_any_other():
    """Of 6 pixels over uneven blocks 2 are drawn: each is there in a third of all draws."""
    strata = np.array([[0, 0, 1, 0], [0, 1, 0, 0]])
    blocks = [(slice(0, 1), slice(0, 4)), (slice(1, 2), slice(0, 1)), (slice(1, 2), slice(1, 4))]
    hits = np.zeros(strata.shape)
    for seed in range(400):
        drawn = draw_sample(lambda y, x: strata[y, x], blocks, [2, 0], seed=seed)
        hits[drawn.row, drawn.col] += 1
    shares = hits[strata == 0] / 400
    assert shares == pytest.approx(1 / 3, abs=4 * (1 / 3 * 2 / 3 / 400) ** 0.5)


def test_the_blocks_draws_are_a_simple_random_sample():
    """Each pixel of a stratum is as likely to be drawn, whatever block it lies in."""
    number = np.zeros((4, 30), np.int16)
    number[1] = 1
    number[0] = -1
    hits = np.zeros(number.shape)
    for run in range(150):
        parts = [
            draw_block(number[:, cols], [6, 4], seed=1000 * run + place).assign(
                col=lambda part, cols=cols: part["col"] + cols.start
            )
            for place, cols in enumerate([slice(0, 5), slice(5, 30)])
        ]
        kept = keep_least(pd.concat(parts, ignore_index=True), [6, 4])
        assert kept.groupby("stratum").size().tolist() == [6, 4]
        assert not kept.duplicated(["row", "col"]).any()
        hits[kept["row"], kept["col"]] += 1
    assert (hits[0] == 0).all()
    # 150 draws of 4 out of 30, and of 6 out of 60: five standard errors.
    assert abs(hits[1] / 150 - 4 / 30).max() < 5 * np.sqrt(4 / 30 * 26 / 30 / 150)
    assert abs(hits[2:] / 150 - 6 / 60).max() < 5 * np.sqrt(0.1 * 0.9 / 150)


@pytest.mark.parametrize(
    ("counts", "areas", "reason"),
    [
        ([[1, 2]], [1, 1], "2 × 2"),
        ([[1, -2], [3, 4]], [1, 1], "negative"),
        ([[1, 0], [3, 4]], [1, 1], "two sampled units or more, number 0 has 1"),
        ([[1, 2], [3, 4]], [0, 0], "all areas zero"),
    ],
)
def test_samples_that_say_nothing(counts, areas, reason):
    with pytest.raises(ValueError, match=reason):
        stratified_accuracy(counts, areas, classes=("a", "b"))
