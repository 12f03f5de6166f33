"""SegFormer, folded and kept: the same answers as transformers' own."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="make models")
transformers = pytest.importorskip("transformers", reason="make models")

from cvlarray.errors import CheckpointError  # noqa: E402
from cvlarray.models.segformer import (  # noqa: E402
    FoldedSegformer,
    SegformerSize,
    build_segformer,
)
from cvlarray.models.torch_model import load_model, save_segformer  # noqa: E402

BANDS = ("green", "red", "nir", "swir16", "swir22")
CLASSES = ("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def trained():
    """A small network whose statistics aren't those of a new one."""
    torch.manual_seed(1)
    network = build_segformer(SegformerSize.B0, n_bands=5, n_classes=5)
    norm = network.decode_head.batch_norm
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    return network.eval()


@pytest.fixture
def folder(trained, tmp_path):
    save_segformer(
        trained,
        tmp_path / "model",
        {
            "name": "test",
            "architecture": "segformer-b0",
            "bands": BANDS,
            "units": ("1",) * 5,
            "classes": CLASSES,
            "normalisation": {"mean": [0.1] * 5, "std": [0.05] * 5},
            "training_data": "none",
            "licence": "Apache-2.0",
            "command": "none",
        },
    )
    return tmp_path / "model"


def test_folding_changes_nothing_but_the_work(trained):
    chips = torch.randn(2, 5, 128, 96)
    with torch.inference_mode():
        small = trained(chips).logits
        expected = torch.nn.functional.interpolate(
            small, size=chips.shape[-2:], mode="bilinear", align_corners=False
        )
        got = FoldedSegformer(trained)(chips)
    assert float((got - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    assert torch.equal(got.argmax(1), expected.argmax(1))


@pytest.mark.parametrize(
    ("size", "millions"),
    # Table 1 of Xie et al. 2021: encoder and decoder, three bands, the 150 classes of ADE20K.
    [("b0", 3.8), ("b1", 13.7), ("b2", 27.5), ("b3", 47.3), ("b4", 64.1), ("b5", 84.7)],
)
def test_sizes_are_the_papers(size, millions):
    with torch.device("meta"):
        network = build_segformer(SegformerSize(size), n_bands=3, n_classes=150)
    n_weights = sum(one.numel() for one in network.parameters())
    assert n_weights / 1e6 == pytest.approx(millions, rel=0.02)


def test_a_checkpoint_comes_back_as_it_was(trained, folder):
    model = load_model(folder)
    assert model.spec.stride == 32
    random = np.random.default_rng(0)
    chips = random.normal(0.1, 0.05, (2, 5, 64, 64)).astype(np.float32)
    is_valid = random.random((2, 64, 64)) > 0.1
    found = model.predict(chips, is_valid)
    ready = torch.from_numpy(np.where(is_valid[:, None], (chips - 0.1) / 0.05, 0).astype("f4"))
    with torch.inference_mode():
        logits = torch.nn.functional.interpolate(
            trained(ready).logits, scale_factor=4.0, mode="bilinear"
        )
    np.testing.assert_allclose(found, torch.softmax(logits, 1).numpy(), atol=1e-4)


def test_it_travels_without_its_weights(folder):
    assert len(pickle.dumps(load_model(folder))) < 5000


def change_card(folder, **changes):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | changes))


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def only_a_pickle(folder):
    (folder / "model.safetensors").rename(folder / "model.pt")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (truncate, "truncated, was changed, or belongs to another card"),
        (only_a_pickle, r"safetensors only, the folder has \['model.pt'\]"),
        (
            lambda f: change_card(f, golden_output_sha256="0" * 64),
            "golden chip gives other classes",
        ),
        (lambda f: change_card(f, bands=["red"]), "same number of entries"),
        (lambda f: change_card(f, architecture="segformer-b2"), "doesn't fit segformer-b2"),
        (lambda f: change_card(f, classes=["a", "b"]), "5 bands and 2 classes"),
        (lambda f: change_card(f, surprise=1), "surprise: Extra inputs"),
        (lambda f: (f / "card.json").unlink(), "is no checkpoint"),
        (lambda f: (f / "card.json").write_text("{"), "card.json: the whole: Invalid JSON"),
    ],
)
def test_a_checkpoint_that_is_not_what_it_says_is_refused(folder, harm, message):
    harm(folder)
    with pytest.raises(CheckpointError, match=message):
        load_model(folder)


def test_weights_that_are_not_numbers_are_refused(trained, folder):
    weights = trained.state_dict()
    broken = build_segformer(SegformerSize.B0, n_bands=5, n_classes=5)
    broken.load_state_dict(weights)
    broken.decode_head.classifier.bias.data[0] = float("nan")
    card = json.loads((folder / "card.json").read_text())
    facts = {k: v for k, v in card.items() if "sha256" not in k and k not in {"stride", "halo"}}
    save_segformer(broken, folder, facts)
    with pytest.raises(CheckpointError, match="not finite"):
        load_model(folder)
