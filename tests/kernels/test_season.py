import numpy as np
import pytest

from cvlarray.kernels.season import (
    TimeAxis,
    coefficient_names,
    design_matrix,
    moment_table,
    phase,
)

DAYS = np.sort(np.random.default_rng(1).integers(16_000, 17_100, 60))
AXIS = TimeAxis.over(16_000, 17_100)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_moments_make_the_gram_matrix(order):
    design = design_matrix(DAYS, AXIS, harmonic_order=order)
    table = moment_table(DAYS, AXIS, harmonic_order=order)
    sums = table.moments.sum(axis=1)
    gram = (sums[table.entries] * table.factors).sum(axis=-1)
    np.testing.assert_allclose(gram, design @ design.T, atol=1e-10)
    assert len(sums) == 3 + 6 * order


def test_names_follow_the_rows():
    assert coefficient_names(2) == ["level", "trend", "cosine_1", "sine_1", "cosine_2", "sine_2"]
    assert len(design_matrix(DAYS, AXIS, harmonic_order=3)) == len(coefficient_names(3))


def test_gram_matrix_is_well_conditioned():
    days = np.arange(16_000, 17_096, 5)
    design = design_matrix(days, TimeAxis.over(16_000, 17_096))
    assert np.linalg.cond(design @ design.T) < 5


def test_phase_doesnt_drift_over_leap_years():
    new_year = np.array([f"{year}-01-01" for year in range(2000, 2031)], "datetime64[D]")
    angle = phase(new_year.astype(int))
    turns = (angle - angle[0]) / (2 * np.pi)
    assert np.abs(turns - np.arange(31)).max() < 1.1 / 365


def test_time_stands_still_outside_the_history():
    assert AXIS.scaled([16_000, 16_550, 17_100]).tolist() == [-1, 0, 1]
    assert AXIS.scaled([15_000, 20_000]).tolist() == [-1, 1]


def test_history_without_length():
    with pytest.raises(ValueError, match="last day after its first, got 5 to 5"):
        TimeAxis.over(5, 5)
