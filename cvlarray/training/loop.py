"""The loop: the same for every network, and the same bits however often it is stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cvlarray.models.checkpoint import Architecture, Normalisation
from cvlarray.models.networks import build_network
from cvlarray.models.torch_model import normalised
from cvlarray.store.fingerprint import input_hash
from cvlarray.training.batches import Batch, batch_of, class_weights, normalisation_of
from cvlarray.training.chips import NO_LABEL, ChipSet
from cvlarray.training.log import TrainingLog
from cvlarray.training.recipe import Recipe
from cvlarray.training.scores import CountArray, confusion_of, mean_iou
from cvlarray.training.splits import Split
from cvlarray.training.state import Position, load_state, save_state

__all__ = ["Listener", "Trained", "confusion_on", "train"]

STATE, LOG = "state.safetensors", "log.csv"
_CHIPS_AT_ONCE = 4


class Listener(Protocol):
    """Watches a training; every method returns at once."""

    def step_done(self, step: int, n_steps: int, loss: float) -> None:
        """Take that a step is done."""

    def validated(self, step: int, score: float, *, is_best: bool) -> None:
        """Take the mean IoU of a validation."""


@dataclass(frozen=True)
class Trained:
    """What came out."""

    network: nn.Module
    """With the weights that did best in validation, in evaluation mode."""
    normalisation: Normalisation
    position: Position
    is_finished: bool
    """Whether it wasn't told to stop before."""


def train(
    chips: ChipSet,
    splits: NDArray[np.str_],
    architecture: Architecture,
    recipe: Recipe,
    folder: Path,
    *,
    listener: Listener | None = None,
    stop_after: int | None = None,
) -> Trained:
    """Train a network, going on from where an earlier call in the same folder was stopped.

    Parameters
    ----------
    chips
        Images and labels.
    splits
        `cvlarray.training.splits.Split` of each chip.
    architecture
        What to train.
    recipe
        How.
    folder
        Takes the state, saved every so many steps, and a log in CSV.
    listener
        Is told of every step.
    stop_after
        Save the state and stop after so many steps; the next call goes on.

    Returns
    -------
    The network, with the same bits on one machine and number of threads wherever it was stopped.

    Raises
    ------
    ValueError
        If there is nothing to train on or to validate by.
    CheckpointError
        If the folder's state can't be read, or is of another training.
    """
    with _reproducibly(recipe):
        work = _Work.begin(chips, splits, architecture, recipe, folder)
        whole = recipe.n_steps
        is_over = work.run(whole if stop_after is None else min(stop_after, whole), listener)
        work.save()
        work.network.load_state_dict(work.best or work.network.state_dict())
        return Trained(
            work.network.eval(),
            work.normalisation,
            work.position,
            is_over or work.position.step >= whole,
        )


def confusion_on(
    chips: ChipSet,
    members: NDArray[np.int64],
    network: nn.Module,
    normalisation: Normalisation,
    *,
    precision: str = "float32",
) -> CountArray:
    """Return the confusion of a network over whole chips; each annotator's word counts."""
    network.eval()
    n_classes = len(chips.kind.classes)
    total = np.zeros((n_classes, n_classes), np.int64)
    for start in range(0, len(members), _CHIPS_AT_ONCE):
        some = members[start : start + _CHIPS_AT_ONCE]
        images, is_valid = chips.images(some)
        labels = np.where(is_valid[:, None], chips.labels(some), NO_LABEL).astype(np.uint8)
        ready = torch.from_numpy(normalised(images, is_valid, normalisation))
        with torch.inference_mode(), _autocast(precision):
            classes = network(ready, torch.from_numpy(is_valid)).argmax(dim=1).numpy()
        for annotator in range(labels.shape[1]):
            total += confusion_of(labels[:, annotator], classes, n_classes)
    return total


@dataclass
class _Work:
    """A training under way."""

    chips: ChipSet
    members: NDArray[np.int64]
    validation: NDArray[np.int64]
    recipe: Recipe
    folder: Path
    network: nn.Module
    optimizer: torch.optim.Optimizer
    normalisation: Normalisation
    weights: Tensor
    position: Position
    best: dict[str, Tensor]
    log: TrainingLog

    @classmethod
    def begin(
        cls,
        chips: ChipSet,
        splits: NDArray[np.str_],
        architecture: Architecture,
        recipe: Recipe,
        folder: Path,
    ) -> _Work:
        """Return it as new, or as an earlier call has left it."""
        members, validation = (
            np.flatnonzero(splits == one) for one in (Split.TRAIN, Split.VALIDATION)
        )
        if not members.size or not validation.size:
            raise ValueError(
                f"a training needs chips to train on and to validate by, got {members.size} and "
                f"{validation.size}; make more chips, or another split"
            )
        torch.manual_seed(recipe.seed)
        network = build_network(
            architecture, n_bands=len(chips.kind.bands), n_classes=len(chips.kind.classes)
        )
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        # Where it ends changes no step before: a training may go on further than it was meant to.
        how = recipe.model_dump(mode="json", exclude={"stop_after"})
        training = input_hash(architecture, how, chips.sha256, list(splits))
        position = Position(training)
        best: dict[str, Tensor] = {}
        if (folder / STATE).exists():
            position, best = load_state(folder / STATE, training, network, optimizer)
        chosen = np.random.default_rng([recipe.seed, 3]).permutation(validation)
        return cls(
            chips,
            members,
            np.sort(chosen[: recipe.validation_chips]),
            recipe,
            folder,
            network,
            optimizer,
            normalisation_of(chips, members),
            torch.from_numpy(class_weights(chips, members, recipe.class_weight_power)),
            position,
            best,
            TrainingLog.after(folder / LOG, position.step),
        )

    def run(self, end: int, listener: Listener | None) -> bool:
        """Do the steps up to one; return whether it stopped early for want of progress."""
        recipe = self.recipe
        while self.position.step < end and self.position.n_worse < recipe.patience:
            loss = self.step()
            done = self.position.step
            if listener is not None:
                listener.step_done(done, recipe.n_steps, loss)
            score: float | None = None
            if done % recipe.validate_every == 0 or done == recipe.n_steps:
                score = self.validate()
                if listener is not None:
                    listener.validated(done, score, is_best=self.position.best_step == done)
            self.log.add(done, loss, _rate(done - 1, recipe), score)
            if done % recipe.save_every == 0:
                self.save()
        return self.position.n_worse >= recipe.patience

    def step(self) -> float:
        """Do one step; it depends on the weights and its own number only."""
        step = self.position.step
        torch.manual_seed(int(np.random.default_rng([self.recipe.seed, 4, step]).integers(2**62)))
        for group in self.optimizer.param_groups:
            group["lr"] = _rate(step, self.recipe)
        batch = batch_of(step, self.chips, self.members, self.recipe)
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with _autocast(self.recipe.precision):
            ready = torch.from_numpy(
                normalised(batch.images, batch.is_valid, self.normalisation)
            ).contiguous(memory_format=torch.channels_last)  # two thirds of the time of a U-Net
            logits = self.network(ready, torch.from_numpy(batch.is_valid))
        loss = _loss(logits.float(), batch, self.weights)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.position.step += 1
        return float(loss.detach())

    def validate(self) -> float:
        """Return the mean IoU on the validation chips, and keep the weights if it is the best."""
        confusion = confusion_on(
            self.chips,
            self.validation,
            self.network,
            self.normalisation,
            precision=self.recipe.precision,
        )
        score = mean_iou(confusion)
        position = self.position
        position.n_worse += 1
        if score > position.best_score:
            position.best_score, position.best_step, position.n_worse = score, position.step, 0
            self.best = {name: one.clone() for name, one in self.network.state_dict().items()}
        return score

    def save(self) -> None:
        """Write state and log."""
        self.log.flush()
        save_state(self.folder / STATE, self.position, self.network, self.optimizer, self.best)


def _loss(logits: Tensor, batch: Batch, weights: Tensor) -> Tensor:
    """Return the mean cross entropy of all annotators: where two differ, both are half right."""
    labels = torch.from_numpy(batch.labels.astype(np.int64))
    parts = []
    for annotator in range(labels.shape[1]):
        target = labels[:, annotator]
        # Without any label the mean would be 0 / 0.
        if (target != NO_LABEL).any():
            parts.append(
                functional.cross_entropy(logits, target, weight=weights, ignore_index=NO_LABEL)
            )
    return torch.stack(parts).mean() if parts else logits.sum() * 0


def _rate(step: int, recipe: Recipe) -> float:
    """Return the learning rate of a step: up in a line, down along half a cosine."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    share = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _autocast(precision: str) -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def _reproducibly(recipe: Recipe) -> Iterator[None]:
    """Let torch add in one order and draw from one source, and leave it as it was."""
    threads, was_strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(recipe.threads)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(was_strict)
