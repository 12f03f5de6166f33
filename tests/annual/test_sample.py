"""A sample of pixels gives areas whose intervals hold the truth as often as they say."""

import numpy as np
import pytest

from cvlarray.alerts.statistics import area_of_classes, stratified_accuracy
from cvlarray.annual import Strata, count_labels, sample_sizes


def test_area_is_olofssons():
    counts, area = np.array([[40, 10], [5, 95]]), [300.0, 700.0]
    both = stratified_accuracy(counts, area, classes=["a", "b"]).by_class
    estimate, low, high = area_of_classes(counts, area, [0])
    assert estimate == pytest.approx(both.loc["a", "area"])
    assert (high - low) / 2 == pytest.approx(both.loc["a", "area_half_width"], rel=0.05)
    assert area_of_classes(counts, area, [0, 1])[0] == pytest.approx(1000)


def test_a_class_that_no_one_saw_still_has_an_interval():
    counts = np.array([[50, 0], [0, 50]])
    estimate, low, high = area_of_classes(counts, [10.0, 990.0], [0])
    assert estimate == 10
    assert low < 10 < high
    with pytest.raises(ValueError, match="stratum needs two sampled units or more, number 1 has 1"):
        area_of_classes(np.array([[50, 0], [0, 1]]), [10.0, 990.0], [0])


def erring_truth(rng, area, strata):
    """Return how a map's strata divide among true classes: years and agents mistaken, omissions."""
    chance = np.zeros((strata.size, strata.size))
    classes = range(2, strata.size)
    chance[0, 2:] = 2e-4 / len(classes)
    chance[1, 2:] = 0.1 / len(classes)
    for number in classes:
        chance[number, number] = 0.85
        chance[number, number ^ 1] += 0.06
        chance[number, max(2, number - 2)] += 0.04
    chance[:, 0] += 1 - chance.sum(axis=1)
    return np.array([rng.multinomial(int(n), p) for n, p in zip(area, chance, strict=True)])


def test_95_percent_intervals_hold_the_truth_in_90_to_99_percent_of_100_regions():
    """Sampled truth rather than 100 whole reanalyses: what is tested is the interval's method."""
    rng = np.random.default_rng(3)
    strata = Strata(tuple(range(2013, 2025)))
    sizes = sample_sizes(strata, 50)
    inside, half_widths = [], []
    for _ in range(100):
        yearly = np.column_stack([rng.integers(20, 300, 12), rng.integers(50, 600, 12)]).ravel()
        area = np.concatenate([[100_000, 4_000], yearly])
        true = erring_truth(rng, area, strata)
        drawn = [
            rng.multivariate_hypergeometric(row, min(int(n), size))
            for row, n, size in zip(true, area, sizes, strict=True)
        ]
        for year in strata.years:
            for agent in ("mining", "all"):
                chosen = strata.chosen(year, agent)
                _, low, high = area_of_classes(np.array(drawn), area, chosen)
                known = true[:, chosen].sum()
                inside.append(low <= known <= high)
                half_widths.append((high - low) / 2 / known)
    assert 0.90 <= np.mean(inside) <= 0.99
    assert np.median(half_widths) < 0.2


def test_labels_are_counted_by_map_and_by_what_they_are():
    strata = Strata((2019, 2020))
    counts = count_labels(np.array([0, 2, 2, 3]), np.array([0, 2, 0, 3]), strata)
    assert counts.shape == (6, 6)
    assert counts[2].tolist() == [1, 0, 1, 0, 0, 0]
    assert strata.chosen(2020, "all") == [4, 5]
    assert strata.chosen(2020, "mining") == [5]
    assert strata.chosen(2021, "mining") == []
