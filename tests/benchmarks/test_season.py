"""The season's sides do what they are compared for; its figures of agreement hold."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import season_fits, season_sides
from benchmarks.registry import MEASURES
from benchmarks.targets import load_targets
from cvlarray.kernels.season import design_matrix

TARGETS = {target.key: target for target in load_targets()}


def test_the_twin_knows_the_kernels_schedule() -> None:
    measured = MEASURES["season/robust_vs_twin_p99"]()
    assert TARGETS["season/robust_vs_twin_p99"].holds(measured.value)


def test_series_are_as_described() -> None:
    series = season_sides.series(2_000)
    assert series.shape == (220, 2_000)
    assert np.mean(series == season_sides.MISSING) == pytest.approx(0.65, abs=0.01)
    assert np.isnan(season_sides.series_float(2_000)).mean() == pytest.approx(0.65, abs=0.01)
    assert np.array_equal(series, season_sides.series(2_000))


def test_peers_get_the_same_model() -> None:
    ours = design_matrix(season_sides.days(), season_fits.AXIS).T
    assert season_sides.design() == pytest.approx(ours, abs=2e-3)  # days are whole, τ isn't
