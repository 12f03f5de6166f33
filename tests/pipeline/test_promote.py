"""A checkpoint takes another one's place where it is no less precise on held-out chips."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="make models")

from cvlarray.errors import CheckpointError
from cvlarray.models.checkpoint import read_card
from cvlarray.models.torch_model import load_model
from cvlarray.pipeline.promote import promote
from cvlarray.training.chips import NO_LABEL
from cvlarray.training.fit import Aim, SplitSettings, fit, held_out
from cvlarray.training.recipe import Recipe
from tests.training.sets import KIND, Squares


def aim_of(steps, source=None):
    recipe = Recipe(
        seed=3,
        steps=steps,
        batch_size=4,
        crop_px=32,
        learning_rate=5e-3,
        warmup_steps=2,
        validate_every=min(steps, 10),
        validation_chips=2,
        save_every=steps,
    )
    return Aim(
        name="squares",
        description="",
        architecture="sar-unet-8",
        output="land_cover",
        source=source or Squares(),
        chips_key="0" * 64,
        split=SplitSettings(seed=1, test_share=0.3, validation_share=0.2),
        recipe=recipe,
        licence="Apache-2.0",
        command="test",
    )


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """Return two trainings of the same chips, one longer than the other."""
    folder = tmp_path_factory.mktemp("trainings")
    found = {}
    for name, steps in (("good", 25), ("weak", 14)):
        fit(aim_of(steps), folder / name)
        found[name] = aim_of(steps), folder / name
    return found


def precision_by_hand(aim, folder, checkpoint):
    """Return how many of the pixels that are called bare are bare, both annotators' words."""
    chips, _, test = held_out(aim, folder)
    images, is_valid = chips.images(test)
    is_bare = load_model(checkpoint).predict(images, is_valid)[:, 1] > 0.5
    labels = chips.labels(test)
    is_told = (labels != NO_LABEL) & (is_valid & is_bare)[:, None]
    return (labels[is_told] == 1).mean()


@pytest.mark.parametrize(("candidate", "at_work"), [("good", "weak"), ("weak", "good")])
def test_only_what_is_no_less_precise_gets_to_work(trainings, candidate, at_work, tmp_path):
    aim, folder = trainings[candidate]
    place = tmp_path / "model"
    shutil.copytree(trainings[at_work][1] / "checkpoint", place)
    before = read_card(place).weights_sha256
    decision = promote(aim, folder, place)
    precise = {
        name: precision_by_hand(aim, folder, trainings[name][1] / "checkpoint")
        for name in trainings
    }
    assert decision.candidate_precision == pytest.approx(precise[candidate])
    assert decision.current_precision == pytest.approx(precise[at_work])
    assert decision.may_promote == (precise[candidate] >= precise[at_work])
    assert decision.may_promote == (candidate == "good")
    load_model(place)  # whole, whichever it is
    if decision.may_promote:
        assert read_card(place) == read_card(folder / "checkpoint")
        load_model(tmp_path / f"model-{before[:12]}")  # the other one is there to go back to
    else:
        assert read_card(place).weights_sha256 == before
        assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_same_checkpoint_may_stay(trainings, tmp_path):
    aim, folder = trainings["good"]
    shutil.copytree(folder / "checkpoint", tmp_path / "model")
    assert promote(aim, folder, tmp_path / "model").may_promote


def test_checkpoints_of_other_things_are_not_compared(trainings, tmp_path):
    aim, folder = trainings["good"]
    kind = replace(KIND, classes=("forest", "water"))
    other = aim_of(1, Squares(chip_kind=kind))
    fit(other, tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"must say the classes .* got .*water"):
        promote(aim, folder, tmp_path / "other" / "checkpoint")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        promote(aim, folder, tmp_path / "nothing")
    assert np.array_equal(held_out(aim, folder)[2], held_out(other, tmp_path / "other")[2])
