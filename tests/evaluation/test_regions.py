"""Regions held out: no seed and no range of training is among them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from cvlarray.evaluation import HeldOut
from cvlarray.evaluation.regions import FIRST_SEED, LAND_USE, Group

TRAININGS = Path(__file__).parents[2] / "configs" / "train"


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
    for name in ("mining_sites", "clearings", "old_fields", "logging_roads", "burns"):
        usual = max(one[name] for one in use[Group.SEEDS])
        assert min(one[name] for one in use[Group.RANGES]) > usual


@pytest.mark.parametrize("kind", ["land_cover", "change", "radar"])
def test_no_training_saw_the_new_ranges(kind):
    recipe = yaml.safe_load((TRAININGS / f"{kind}.yaml").read_text())
    trained = recipe["chips"]["regions"]["land_use"]
    for name in ("mining_sites", "old_mining_sites", "clearings", "old_fields", "logging_roads"):
        assert trained[name]["high"] < LAND_USE[Group.RANGES][name][0]


def test_too_few_or_too_small_regions_are_refused():
    with pytest.raises(ValueError, match="got 1 of 384"):
        HeldOut(n_regions=1)
