"""From a source of labels to a checkpoint: chips, split, loop, test, card."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cvlarray.models.card import Architecture, Card
from cvlarray.models.torch_model import save_checkpoint
from cvlarray.training.chips import ChipSet, LabelSource, read_chips, write_chips
from cvlarray.training.loop import Listener, Trained, confusion_on, train
from cvlarray.training.recipe import Recipe
from cvlarray.training.scores import CountArray, class_scores, mean_iou
from cvlarray.training.settings import Settings
from cvlarray.training.splits import Split, split_by_place

__all__ = ["CHECKPOINT", "Aim", "SplitSettings", "fit", "held_out"]

CHECKPOINT = "checkpoint"


class SplitSettings(Settings):
    """How chips are kept apart."""

    seed: int = Field(default=0, ge=0, description="Another seed is another draw of squares.")
    block_m: float = Field(default=7680, gt=0, description="Side of the squares [m].")
    guard_m: float = Field(default=1000, ge=0, description="Least distance between splits [m].")
    validation_share: float = Field(default=0.15, gt=0, lt=1, description="Of the squares.")
    test_share: float = Field(default=0.15, gt=0, lt=1, description="Of the squares.")


@dataclass(frozen=True)
class Aim:
    """What is to come out, and of what."""

    name: str
    """Of the model: letters, digits, ``_``, ``.`` and ``-``."""
    description: str
    architecture: Architecture
    output: str
    """Variable that says the class."""
    source: LabelSource
    chips_key: str
    """Hash of what decides the source's chips; others get another folder."""
    split: SplitSettings
    recipe: Recipe
    licence: str
    command: str
    """That made it, for the card."""


def fit(aim: Aim, folder: Path, *, listener: Listener | None = None) -> tuple[Card, CountArray]:
    """Make chips, train, test, and write the checkpoint; what an earlier call has done stays done.

    Parameters
    ----------
    aim
        What is to come out.
    folder
        Takes ``chips-...``, ``state.safetensors``, ``log.csv`` and ``checkpoint``.
    listener
        Is told of every step.

    Returns
    -------
    The card, and the confusion (label, predicted) on the test chips, with the weights as they are
    in the checkpoint.

    Raises
    ------
    ValueError
        If the chips don't do to train, validate and test with.
    CheckpointError
        If the folder's state can't be read, or is of another training.
    StoreError
        If something can't be written or read.
    """
    chips, splits, test = held_out(aim, folder)
    trained = train(chips, splits, aim.architecture, aim.recipe, folder, listener=listener)
    trained.network.half().float()  # as the checkpoint has them
    confusion = confusion_on(chips, test, trained.network, trained.normalisation)
    facts = _facts(aim, chips, splits, trained) | {"metrics": _metrics(chips, trained, confusion)}
    return save_checkpoint(trained.network, folder / CHECKPOINT, facts), confusion


def held_out(aim: Aim, folder: Path) -> tuple[ChipSet, NDArray[np.str_], NDArray[np.int64]]:
    """Return the chips of a training, the split of each, and which of them are to test with.

    Raises
    ------
    ValueError
        If none is.
    StoreError
        If the chips can't be written or read.
    """
    place = folder / f"chips-{aim.chips_key[:12]}"
    chips = read_chips(place) if place.exists() else write_chips(place, aim.source)
    splits = split_by_place(chips.table, **aim.split.model_dump())
    test = np.flatnonzero(splits == Split.TEST)
    if not test.size:
        raise ValueError("the split leaves no chip to test with; make more chips, or another split")
    return chips, splits, test


def _facts(
    aim: Aim, chips: ChipSet, splits: NDArray[np.str_], trained: Trained
) -> dict[str, object]:
    kind = chips.kind
    counts = ", ".join(f"{(splits == one).sum()} {one}" for one in Split)
    return {
        "name": aim.name,
        "description": aim.description,
        "architecture": aim.architecture,
        "output": aim.output,
        "bands": [band.name for band in kind.bands],
        "units": [band.units for band in kind.bands],
        "classes": kind.classes,
        "normalisation": trained.normalisation.model_dump(),
        "training_data": f"{_sources(chips)}: {len(chips)} chips ({counts}), sha256 {chips.sha256}",
        "hyperparameters": {
            **aim.recipe.model_dump(mode="json"),
            "steps_done": trained.position.step,
            "best_step": trained.position.best_step,
            "split": aim.split.model_dump(mode="json"),
        },
        "licence": aim.licence,
        "command": aim.command,
        "moment": dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _metrics(chips: ChipSet, trained: Trained, confusion: CountArray) -> dict[str, float]:
    """Return what was reached; each name begins with whose word it was measured against."""
    source = _sources(chips).replace(" and ", "_and_")
    metrics = {
        f"{source}_validation_mean_iou": trained.position.best_score,
        f"{source}_test_mean_iou": mean_iou(confusion),
    }
    for score, values in class_scores(confusion).items():
        for name, value in zip(chips.kind.classes, values, strict=True):
            if np.isfinite(value):
                metrics[f"{source}_test_{score}_{name}"] = float(value)
    return {name: round(value, 4) for name, value in metrics.items()}


def _sources(chips: ChipSet) -> str:
    return " and ".join(sorted(set(chips.table["label_source"])))
