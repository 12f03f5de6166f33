"""A checkpoint as a model: a light handle that loads its weights once a process."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cvlarray.errors import CheckpointError
from cvlarray.models.checkpoint import CARD, WEIGHTS, Card, Normalisation, check_files, read_card
from cvlarray.models.model import BoolArray, FloatArray, ModelSpec
from cvlarray.models.runtime import Forward, Runtime
from cvlarray.models.segformer import STRIDE, FoldedSegformer, SegformerSize, build_segformer
from cvlarray.models.torch_runtime import TorchRuntime
from cvlarray.store.atomic import make_folder, write_atomic

__all__ = ["CheckpointModel", "load_model", "save_segformer"]

GOLDEN_SIZE = 64
"""Edge of the chip by which a machine shows that it computes what the trainer's did [pixels]."""

MODELS_KEPT = 4


class CheckpointModel:
    """A trained model that travels by name: pickled, it is a path and a hash.

    Parameters
    ----------
    folder
        The checkpoint, on a path that every worker has.
    card
        What `read_card` returned.
    runtime
        What it is run by; torch on the CPU by default.
    """

    def __init__(self, folder: Path, card: Card, runtime: Runtime | None = None) -> None:
        self.folder = folder
        self.card = card
        self.runtime = runtime or TorchRuntime()

    @property
    def spec(self) -> ModelSpec:
        """What the card says."""
        return self.card.spec

    def predict(self, chips: FloatArray, is_valid: BoolArray) -> FloatArray:
        """Return class probabilities; see `cvlarray.models.Model`."""
        ready = normalised(chips, is_valid, self.card.normalisation)
        return softmax(self.load()(ready, is_valid))

    def load(self) -> Forward:
        """Return the weights at work, loaded at the first call in a process.

        Raises
        ------
        CheckpointError
            If the folder isn't here, or holds other weights by now.
        """
        with _LOADING:
            return _at_work(self.folder, self.card.weights_sha256, self.runtime)


def softmax(logits: FloatArray) -> FloatArray:
    """Return probabilities over axis 1, the same whatever gave the logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def load_model(folder: Path, runtime: Runtime | None = None) -> CheckpointModel:
    """Return a checkpoint as a model; everything about it is checked at once.

    Parameters
    ----------
    folder
        With ``model.safetensors`` and ``card.json``.
    runtime
        What it is run by; torch on the CPU by default.

    Raises
    ------
    CheckpointError
        If a file is missing, changed or truncated, the weights don't fit the architecture or are
        not finite, or this machine computes something else than the one that made them.
    """
    card = read_card(folder)
    model = CheckpointModel(folder.resolve(), card, runtime)
    found = _golden_hash(_network(model.folder, card.weights_sha256), len(card.bands))
    if found != card.golden_output_sha256:
        raise CheckpointError(
            f"{folder}: the golden chip gives other classes than where it was trained; "
            "the versions of torch or transformers compute something else"
        )
    return model


def normalised(chips: FloatArray, is_valid: BoolArray, by: Normalisation) -> FloatArray:
    """Return chips (chip, band, y, x) around 0 with spread 1, and 0 where nothing was seen."""
    mean, std = (np.array(one, np.float32)[:, None, None] for one in (by.mean, by.std))
    ready: FloatArray = np.where(is_valid[:, None], (chips - mean) / std, np.float32(0))
    return ready


def save_segformer(trained: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Card:
    """Write a trained SegFormer as a checkpoint; the card is written last.

    Parameters
    ----------
    trained
        What `cvlarray.models.segformer.build_segformer` returned, trained.
    folder
        Where; made if absent.
    facts
        The card's entries, without hashes, stride and halo.

    Returns
    -------
    The card.

    Raises
    ------
    StoreError
        If it can't be written.
    """
    weights = save({name: value.contiguous() for name, value in trained.state_dict().items()})
    module = FoldedSegformer(trained)
    card = Card.model_validate(
        {
            **facts,
            "stride": STRIDE,
            "halo": STRIDE,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "golden_output_sha256": _golden_hash(module, len(facts["bands"])),
        }
    )
    make_folder(folder)
    write_atomic(folder / WEIGHTS, weights)
    write_atomic(folder / CARD, card.model_dump_json(indent=2))
    return card


_LOADING = threading.Lock()
"""Threads that ask for the same weights at the same time load them once."""


@lru_cache(MODELS_KEPT)
def _at_work(folder: Path, weights_sha256: str, runtime: Runtime) -> Forward:
    """Return the weights at work; once a process, and anew when the checkpoint is another."""
    return runtime.start(_ChipsOnly(_network(folder, weights_sha256)))


class _ChipsOnly(nn.Module):
    """A network that doesn't look at where its chips are valid."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, chips: Tensor, is_valid: Tensor) -> Tensor:  # noqa: ARG002 (see above)
        logits: Tensor = self.network(chips)
        return logits


def _network(folder: Path, weights_sha256: str) -> nn.Module:
    """Return the network of a checkpoint with its weights, ready to run."""
    card = read_card(folder)
    if card.weights_sha256 != weights_sha256:
        raise CheckpointError(f"{folder} was replaced while it was in use; load it again")
    path = check_files(folder, card)
    size = SegformerSize(card.architecture.removeprefix("segformer-"))
    network = build_segformer(size, n_bands=len(card.bands), n_classes=len(card.classes))
    try:
        weights = load_file(path)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"{path} doesn't fit {card.architecture} with {len(card.bands)} bands and "
            f"{len(card.classes)} classes: {reason}"
        ) from error
    _check_finite(path, weights)
    return FoldedSegformer(network)


def _check_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    for name, values in weights.items():
        if not torch.isfinite(values).all():
            raise CheckpointError(f"{path}: {name} has values that are not finite; train it again")


def _golden_hash(module: nn.Module, n_bands: int) -> str:
    """Return the hash of the classes of a fixed chip."""
    random = np.random.default_rng(20_250_101)
    chip = random.standard_normal((1, n_bands, GOLDEN_SIZE, GOLDEN_SIZE)).astype(np.float32)
    with torch.inference_mode():
        classes = module(torch.from_numpy(chip)).argmax(dim=1).to(torch.uint8).numpy()
    return hashlib.sha256(classes.tobytes()).hexdigest()
