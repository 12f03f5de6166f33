"""Checkpoints of every architecture: they come back as they were, or are refused in one line."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pystac
import pytest
from pystac.extensions.mlm import MLMExtension

torch = pytest.importorskip("torch", reason="make models")
pytest.importorskip("transformers", reason="make models")

from cvlarray.errors import CheckpointError  # noqa: E402
from cvlarray.models.change import CHANGE_CLASSES, change_bands  # noqa: E402
from cvlarray.models.networks import build_network, ready_to_run  # noqa: E402
from cvlarray.models.torch_model import (  # noqa: E402
    golden_hash,
    load_model,
    save_checkpoint,
)

BANDS = ("green", "red", "nir", "swir16", "swir22")
CLASSES = ("a", "b", "c", "d", "e")


def facts_of(architecture, bands, classes):
    return {
        "name": "test-model",
        "architecture": architecture,
        "bands": bands,
        "units": ("1",) * len(bands),
        "classes": classes,
        "normalisation": {"mean": [0.1] * len(bands), "std": [0.05] * len(bands)},
        "training_data": "none",
        "hyperparameters": {"seed": 1},
        "licence": "Apache-2.0",
        "command": "none",
        "moment": "2025-01-01T00:00:00Z",
        "metrics": {"simulated_test_mean_iou": 0.5},
    }


def trained(architecture, bands, classes):
    """A network whose statistics aren't those of a new one."""
    torch.manual_seed(1)
    network = build_network(architecture, n_bands=len(bands), n_classes=len(classes))
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return network.eval()


KINDS = {
    "segformer-small": (BANDS, CLASSES),
    "segformer-b0": (BANDS, CLASSES),
    "siamese-unet-8": (change_bands(("red", "nir")), CHANGE_CLASSES),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    network = trained("segformer-small", BANDS, CLASSES)
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    save_checkpoint(network, folder, facts_of("segformer-small", BANDS, CLASSES))
    return folder


@pytest.fixture
def folder(original, tmp_path):
    for path in original.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("architecture", KINDS)
def test_it_comes_back_as_it_was(architecture, tmp_path):
    bands, classes = KINDS[architecture]
    network = trained(architecture, bands, classes)
    as_written = copy.deepcopy(network).half().float()
    save_checkpoint(network, tmp_path, facts_of(architecture, bands, classes))
    model = load_model(tmp_path)
    random = np.random.default_rng(0)
    chips = random.normal(0.1, 0.05, (2, len(bands), 64, 64)).astype(np.float32)
    is_valid = random.random((2, 64, 64)) > 0.1
    ready = torch.from_numpy(np.where(is_valid[:, None], (chips - 0.1) / 0.05, 0).astype("f4"))
    with torch.inference_mode():
        expected = torch.softmax(as_written(ready, torch.from_numpy(is_valid)), 1).numpy()
    np.testing.assert_allclose(model.predict(chips, is_valid), expected, atol=1e-4)
    assert [band.name for band in model.spec.bands] == list(bands)
    assert model.spec.classes == classes


def test_masked_pixels_never_contribute_to_change(tmp_path):
    bands = change_bands(("red", "nir"))
    network = trained("siamese-unet-8", bands, CHANGE_CLASSES)
    save_checkpoint(network, tmp_path, facts_of("siamese-unet-8", bands, CHANGE_CLASSES))
    model = load_model(tmp_path)
    random = np.random.default_rng(0)
    chips = random.normal(0.1, 0.05, (1, len(bands), 64, 64)).astype(np.float32)
    is_valid = random.random((1, 64, 64)) > 0.3
    other = np.where(is_valid[:, None], chips, np.float32(7))
    np.testing.assert_array_equal(model.predict(chips, is_valid), model.predict(other, is_valid))


def test_a_season_that_both_dates_follow_is_subtracted(tmp_path):
    """The reflectance's own share aside, departures from the season are what the network sees."""
    network = trained("siamese-unet-8", change_bands(("red",)), CHANGE_CLASSES)
    before, expected_before, after, expected_after = torch.randn(4, 1, 1, 64, 64)
    is_valid = torch.ones(1, 64, 64, dtype=torch.bool)
    # Blind the first convolution to reflectance: only its departure from the season is left.
    with torch.no_grad():
        network.siamese.down[0].first.weight[:, :1] = 0
    with torch.inference_mode():
        one = network(torch.cat([before, expected_before, after, expected_after], 1), is_valid)
        greener = torch.cat([before, expected_before, after + 2, expected_after + 2], 1)
        torch.testing.assert_close(network(greener, is_valid), one, atol=1e-5, rtol=1e-5)


def test_the_card_is_an_item_of_the_mlm_extension(original):
    item = pystac.Item.from_file(original / "card.json")
    mlm = MLMExtension.ext(item)
    assert mlm.architecture == "segformer-small"
    assert mlm.tasks == ["semantic-segmentation"]
    (entry,), (output,) = mlm.input, mlm.output
    assert [band["name"] for band in entry.to_dict()["bands"]] == list(BANDS)
    assert entry.input.shape == [-1, 5, -1, -1]
    scaling = entry.to_dict()["value_scaling"]
    assert scaling == [{"type": "z-score", "mean": 0.1, "stddev": 0.05}] * 5
    classes = [one["name"] for one in output.to_dict()["classification:classes"]]
    assert classes == list(CLASSES)
    assert mlm.framework == "PyTorch"
    assert item.assets["model"].roles == ["mlm:model", "mlm:weights"]


def test_it_travels_without_its_weights(folder):
    assert len(pickle.dumps(load_model(folder))) < 5000


def change_card(folder, change):
    card = json.loads((folder / "card.json").read_text())
    change(card)
    (folder / "card.json").write_text(json.dumps(card))


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def only_a_pickle(folder):
    (folder / "model.safetensors").rename(folder / "model.pt")


def other_golden_output(card):
    card["properties"]["cvlarray:golden_output_sha256"] = "0" * 64


def other_architecture(card):
    card["properties"]["mlm:architecture"] = "segformer-b2"


def unknown_architecture(card):
    card["properties"]["mlm:architecture"] = "oracle"


def a_band_less(card):
    card["properties"]["mlm:input"][0]["bands"].pop()


def two_classes(card):
    output = card["properties"]["mlm:output"][0]
    output["classification:classes"] = output["classification:classes"][:2]
    output["result"]["shape"][1] = 2


def other_values(card):
    card["properties"]["mlm:output"][0]["classification:classes"][0]["value"] = 7


def something_unknown(card):
    card["properties"]["surprise"] = 1


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (truncate, "truncated, was changed, or belongs to another card"),
        (only_a_pickle, r"safetensors only, the folder has \['model.pt'\]"),
        (other_golden_output, "golden chip gives something else"),
        (a_band_less, "need the same number of bands"),
        (other_architecture, "doesn't fit segformer-b2 with 5 bands and 5 classes"),
        (unknown_architecture, "mlm:architecture: Input should be 'segformer-small'"),
        (two_classes, "5 bands and 2 classes"),
        (other_values, "values 0, 1, 2 and so on"),
        (something_unknown, "surprise: Extra inputs"),
        (lambda f: (f / "card.json").unlink(), "is no checkpoint"),
        (lambda f: (f / "card.json").write_text("{"), "card.json: the whole: Invalid JSON"),
    ],
)
def test_what_is_not_what_it_says_is_refused_in_one_line(folder, harm, message):
    if harm in {truncate, only_a_pickle} or harm.__name__ == "<lambda>":
        harm(folder)
    else:
        change_card(folder, harm)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    network = trained("segformer-small", BANDS, CLASSES)
    network.trained.decode_head.classifier.bias.data[0] = float("nan")
    save_checkpoint(network, tmp_path, facts_of("segformer-small", BANDS, CLASSES))
    with pytest.raises(CheckpointError, match="not finite"):
        load_model(tmp_path)


@pytest.mark.parametrize("architecture", ["segformer-small", "siamese-unet-8", "sar-unet-8"])
def test_other_weights_show_on_the_golden_chip(architecture):
    """Noise is one class all over to each of these networks; still their hashes differ."""
    hashes = set()
    for seed in range(4):
        torch.manual_seed(seed)
        network = build_network(architecture, n_bands=8, n_classes=2)
        hashes.add(golden_hash(ready_to_run(network), 8))
    assert len(hashes) == 4
