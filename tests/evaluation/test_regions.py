"""Regions held out: no seed and no range of training is among them."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from cvlarray.evaluation import HeldOut
from cvlarray.evaluation.regions import FIRST_SEED, Group


def test_reported_and_tuning_regions_have_no_seed_in_common():
    held = HeldOut(n_regions=12, size_px=64)
    reported = {region.landscape.seed for region in held.regions()}
    tuning = {region.landscape.seed for region in held.tuning_regions()}
    assert len(reported) == 12
    assert min(reported) >= FIRST_SEED > max(tuning)


def test_new_ranges_lie_beyond_those_of_new_seeds():
    held = HeldOut(n_regions=40, size_px=64)
    use = {
        group: [asdict(one.landscape.land_use) for one in held.regions() if one.group == group]
        for group in (Group.SEEDS, Group.RANGES)
    }
    for name in ("mining_sites", "clearings", "old_fields", "logging_roads", "rivers"):
        usual = max(one[name] for one in use[Group.SEEDS])
        assert min(one[name] for one in use[Group.RANGES]) > usual


def test_too_few_or_too_small_regions_are_refused():
    with pytest.raises(ValueError, match="got 1 of 384"):
        HeldOut(n_regions=1)
