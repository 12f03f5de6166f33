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
from torch.nn import functional

from cvlarray.errors import CheckpointError
from cvlarray.models.card import card_of
from cvlarray.models.checkpoint import CARD, WEIGHTS, Card, Normalisation, check_files, read_card
from cvlarray.models.model import BoolArray, FloatArray, ModelSpec
from cvlarray.models.networks import build_network, reach_of, ready_to_run
from cvlarray.models.runtime import Forward, Runtime
from cvlarray.models.torch_runtime import TorchRuntime
from cvlarray.store.atomic import make_folder, write_atomic

__all__ = [
    "CheckpointModel",
    "golden_hash",
    "load_model",
    "normalised",
    "save_checkpoint",
    "softmax",
]

GOLDEN_SIZE, GOLDEN_SQUARE = 64, 8
"""Edge of the chip by which a machine shows that it computes what the trainer's did, and of the
squares of it that are compared [pixels]."""

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
    found = golden_hash(_network(model.folder, card.weights_sha256), len(card.bands))
    if found != card.golden_output_sha256:
        raise CheckpointError(
            f"{folder}: the golden chip gives something else than where it was trained; "
            "the versions of torch or transformers compute something else"
        )
    return model


def normalised(chips: FloatArray, is_valid: BoolArray, by: Normalisation) -> FloatArray:
    """Return chips (chip, band, y, x) around 0 with spread 1, and 0 where nothing was seen."""
    mean, std = (np.array(one, np.float32)[:, None, None] for one in (by.mean, by.std))
    ready: FloatArray = np.where(is_valid[:, None], (chips - mean) / std, np.float32(0))
    return ready


def save_checkpoint(network: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Card:
    """Write a trained network as a checkpoint, in half precision; the card is written last.

    Parameters
    ----------
    network
        What `cvlarray.models.networks.build_network` returned, trained. Its weights become what
        they are in half precision, so that it gives what the checkpoint will give.
    folder
        Where; made if absent.
    facts
        The card's entries; see `cvlarray.models.card.card_of`.

    Returns
    -------
    The card.

    Raises
    ------
    StoreError
        If it can't be written.
    ValueError
        If the facts don't fit each other.
    """
    half = {name: _halved(value) for name, value in network.state_dict().items()}
    weights = save(half)
    network.load_state_dict(half)
    reach = reach_of(facts["architecture"])
    card = card_of(
        facts,
        {
            "stride": reach.stride,
            "halo": reach.halo,
            "weights_name": WEIGHTS,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "weights_bytes": len(weights),
            "golden_output_sha256": golden_hash(ready_to_run(network), len(facts["bands"])),
            "total_parameters": sum(one.numel() for one in network.parameters()),
            "framework_version": torch.__version__,
        },
    )
    make_folder(folder)
    write_atomic(folder / WEIGHTS, weights)
    write_atomic(folder / CARD, card.model_dump_json(indent=2, by_alias=True))
    return card


def _halved(values: Tensor) -> Tensor:
    """Return floating numbers in half precision, and counts as they are."""
    return (values.half() if values.is_floating_point() else values).contiguous()


_LOADING = threading.Lock()
"""Threads that ask for the same weights at the same time load them once."""


@lru_cache(MODELS_KEPT)
def _at_work(folder: Path, weights_sha256: str, runtime: Runtime) -> Forward:
    """Return the weights at work; once a process, and anew when the checkpoint is another."""
    return runtime.start(_network(folder, weights_sha256))


def _network(folder: Path, weights_sha256: str) -> nn.Module:
    """Return the network of a checkpoint with its weights, ready to run."""
    card = read_card(folder)
    if card.weights_sha256 != weights_sha256:
        raise CheckpointError(f"{folder} was replaced while it was in use; load it again")
    path = check_files(folder, card)
    try:
        network = build_network(
            card.architecture, n_bands=len(card.bands), n_classes=len(card.classes)
        )
        weights = load_file(path)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"{path} doesn't fit {card.architecture} with {len(card.bands)} bands and "
            f"{len(card.classes)} classes: {reason}"
        ) from error
    _check_finite(path, weights)
    return ready_to_run(network)


def _check_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    for name, values in weights.items():
        if not torch.isfinite(values).all():
            raise CheckpointError(f"{path}: {name} has values that are not finite; train it again")


def golden_hash(network: nn.Module, n_bands: int) -> str:
    """Return the hash of what a network says of a fixed chip: where each class is more likely.

    Noise is the same class all over to most networks, so it isn't the class that counts: each
    class's mean logits over squares of 8 pixels are cut in two at the widest gap of their middle
    half. Machines that round in another order find the same gap.
    """
    random = np.random.default_rng(20_250_101)
    chip = random.standard_normal((1, n_bands, GOLDEN_SIZE, GOLDEN_SIZE)).astype(np.float32)
    with torch.inference_mode():
        logits = network(torch.from_numpy(chip), torch.ones((1, *chip.shape[2:]), dtype=torch.bool))
        squares = functional.avg_pool2d(logits.float(), GOLDEN_SQUARE)[0].flatten(1).numpy()
    n = squares.shape[1]
    ordered = np.sort(squares, axis=1)
    gaps = np.diff(ordered, axis=1)[:, n // 4 : n - n // 4 - 1]
    below = np.take_along_axis(ordered, gaps.argmax(axis=1)[:, None] + n // 4, axis=1)
    return hashlib.sha256(np.packbits(squares > below).tobytes()).hexdigest()
