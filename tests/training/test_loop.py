"""The loop: it learns, and stopped or not it gives the same bits."""

from __future__ import annotations

import csv

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="make models")
pytest.importorskip("transformers", reason="make models")

from cvlarray.errors import CheckpointError  # noqa: E402
from cvlarray.training.batches import class_weights, members_of, normalisation_of  # noqa: E402
from cvlarray.training.chips import write_chips  # noqa: E402
from cvlarray.training.loop import confusion_on, train  # noqa: E402
from cvlarray.training.recipe import Recipe  # noqa: E402
from cvlarray.training.scores import mean_iou  # noqa: E402
from cvlarray.training.splits import Split  # noqa: E402
from tests.training.sets import Squares  # noqa: E402

SPLITS = np.array([Split.TRAIN] * 10 + [Split.VALIDATION] * 4 + [Split.TEST] * 2, "<U10")
SMALL = "segformer-small"


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    return write_chips(tmp_path_factory.mktemp("chips") / "set", Squares())


def recipe(**changes):
    chosen = {
        "seed": 3,
        "steps": 6,
        "batch_size": 2,
        "crop_px": 32,
        "warmup_steps": 2,
        "validate_every": 3,
        "validation_chips": 2,
        "save_every": 2,
    }
    return Recipe(**(chosen | changes))


def weights(trained):
    return {name: value.clone() for name, value in trained.network.state_dict().items()}


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.fixture(scope="module")
def undisturbed(chips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return weights(train(chips, SPLITS, SMALL, recipe(), folder)), (folder / "log.csv").read_text()


class KilledError(Exception):
    pass


class KilledAt:
    def __init__(self, step):
        self.step = step

    def step_done(self, step, n_steps, loss):
        if step == self.step:
            raise KilledError

    def validated(self, step, score, *, is_best):
        pass


def test_stopped_and_killed_it_gives_the_same_bits(chips, undisturbed, tmp_path):
    assert not train(chips, SPLITS, SMALL, recipe(), tmp_path, stop_after=1).is_finished
    with pytest.raises(KilledError):  # after step 5 was done, and before it was saved
        train(chips, SPLITS, SMALL, recipe(), tmp_path, listener=KilledAt(5))
    done = train(chips, SPLITS, SMALL, recipe(), tmp_path)
    assert done.is_finished
    assert done.position.step == 6
    assert_same_bits(weights(done), undisturbed[0])
    assert (tmp_path / "log.csv").read_text() == undisturbed[1]


def test_another_seed_is_another_result(chips, undisturbed, tmp_path):
    other = weights(train(chips, SPLITS, SMALL, recipe(seed=4), tmp_path))
    assert any(not torch.equal(other[name], undisturbed[0][name]) for name in other)


def test_another_recipe_does_not_go_on_from_its_state(chips, tmp_path):
    train(chips, SPLITS, SMALL, recipe(), tmp_path, stop_after=1)
    with pytest.raises(CheckpointError, match="another recipe or other chips"):
        train(chips, SPLITS, SMALL, recipe(learning_rate=0.5), tmp_path)
    (tmp_path / "state.safetensors").write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match="is no state of a training"):
        train(chips, SPLITS, SMALL, recipe(), tmp_path)


def test_it_learns_and_stops_early(chips, tmp_path):
    how = recipe(
        steps=400,
        batch_size=4,
        learning_rate=5e-3,
        validate_every=10,
        patience=2,
        validation_chips=4,
        save_every=400,
    )
    trained = train(chips, SPLITS, "sar-unet-8", how, tmp_path)
    assert trained.position.step < 400  # it can't go on getting better
    assert trained.position.best_step < trained.position.step
    test = confusion_on(chips, np.array([14, 15]), trained.network, trained.normalisation)
    assert mean_iou(test) > 0.9
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, trained.position.step + 1))
    best = max(float(row["validation_miou"]) for row in rows if row["validation_miou"])
    assert best == pytest.approx(trained.position.best_score, abs=1e-6)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 2


def test_bfloat16_multiplies_in_it_and_keeps_weights_whole(chips, undisturbed, tmp_path):
    trained = train(chips, SPLITS, SMALL, recipe(precision="bfloat16"), tmp_path)
    found = weights(trained)
    assert {value.dtype for value in found.values()} <= {torch.float32, torch.int64}
    assert any(not torch.equal(found[name], undisturbed[0][name]) for name in found)


def test_torch_is_left_as_it_was(chips, tmp_path):
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    state = torch.random.get_rng_state()
    train(chips, SPLITS, SMALL, recipe(threads=2), tmp_path, stop_after=1)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_every_chip_comes_once_a_round(chips):
    members = np.array([2, 3, 5, 7, 11])
    seen = np.concatenate([members_of(step, members, recipe()) for step in range(10)])
    for number in range(4):
        assert sorted(seen[5 * number : 5 * number + 5]) == list(members)


def test_statistics_are_those_of_what_is_seen(chips):
    found = normalisation_of(chips, np.arange(10))
    images, is_valid = chips.images(np.arange(10))
    seen = np.moveaxis(images, 1, 0)[:, is_valid]
    np.testing.assert_allclose(found.mean, seen.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(found.std, seen.std(axis=1), atol=1e-5)


def test_rare_classes_weigh_more(chips):
    labels = chips.labels(np.arange(10))
    share = [(labels == value).sum() / (labels != 255).sum() for value in (0, 1)]
    found = class_weights(chips, np.arange(10), 0.5)
    assert found[1] / found[0] == pytest.approx((share[0] / share[1]) ** 0.5, rel=1e-5)
    assert found.mean() == pytest.approx(1)


def test_without_chips_to_validate_by_it_says_so(chips, tmp_path):
    only = np.array([Split.TRAIN] * 16, "<U10")
    with pytest.raises(ValueError, match="chips to train on and to validate by, got 16 and 0"):
        train(chips, only, SMALL, recipe(), tmp_path)
