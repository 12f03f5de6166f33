"""A training's checkpoint in the place of the one at work, if it is no less precise."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvlarray.alerts.feedback import Promotion, judge_candidate
from cvlarray.errors import CheckpointError, StoreError
from cvlarray.models.checkpoint import read_card
from cvlarray.models.torch_model import CheckpointModel, load_model
from cvlarray.store import replacing
from cvlarray.training.chips import NO_LABEL, ChipSet
from cvlarray.training.fit import CHECKPOINT, Aim, held_out
from cvlarray.training.scores import confusion_of

__all__ = ["promote"]


def promote(aim: Aim, folder: Path, at_work: Path) -> Promotion:
    """Replace a checkpoint by the one that a training made, unless held-out precision falls.

    Parameters
    ----------
    aim
        Of the training. Both checkpoints are held against its test chips: the new one has seen
        none of them; where the one at work was trained on some, it is the one that gains by it.
    folder
        Of the training, which is finished.
    at_work
        Checkpoint that runs read. It is kept beside, under its name and the start of its hash.

    Returns
    -------
    The decision and its grounds. Precision is the share of the pixels given any class but the
    first (forest, or unchanged) that are of the class they were given.

    Raises
    ------
    CheckpointError
        If either is no checkpoint, or they don't say the same classes of the same bands.
    StoreError
        If the place can't be written; what is at work stays at work.
    ValueError
        If either found nothing in the test chips.
    """
    candidate = folder / CHECKPOINT
    cards = [read_card(each) for each in (at_work, candidate)]
    first, second = ((card.bands, card.classes) for card in cards)
    if first != second:
        raise CheckpointError(
            f"{candidate} must say the classes of {at_work} of the same bands, "
            f"got {second} instead of {first}"
        )
    chips, _, members = held_out(aim, folder)
    counts = [_positives(load_model(each), chips, members) for each in (at_work, candidate)]
    decision = judge_candidate(*counts)
    if decision.may_promote:
        _replace(at_work, candidate, cards[0].weights_sha256[:12])
    return decision


def _positives(
    model: CheckpointModel, chips: ChipSet, members: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return true and false positives (scene, 2) of a model; each annotator's word counts."""
    n_classes = len(chips.kind.classes)
    scenes, scene_of = np.unique(chips.table["scene"].to_numpy(str)[members], return_inverse=True)
    counts = np.zeros((scenes.size, 2), np.int64)
    for chip, scene in zip(members.tolist(), scene_of.tolist(), strict=True):
        images, is_valid = chips.images([chip])
        classes = model.predict(images, is_valid).argmax(axis=1)
        labels = np.where(is_valid[:, None], chips.labels([chip]), NO_LABEL).astype(np.uint8)
        for annotator in range(labels.shape[1]):
            confusion = confusion_of(labels[:, annotator], classes, n_classes)
            n_right = int(np.diag(confusion)[1:].sum())
            counts[scene] += n_right, int(confusion[:, 1:].sum()) - n_right
    return counts


def _replace(at_work: Path, candidate: Path, sha256: str) -> None:
    """Put a copy of a checkpoint in the place of another one, which is kept beside."""
    staged, kept = (at_work.with_name(f"{at_work.name}-{end}") for end in ("next", sha256))
    try:
        for leftover in (staged, kept):
            if leftover.exists():
                shutil.rmtree(leftover)
        with replacing(staged) as temporary:
            shutil.copytree(candidate, temporary)
        at_work.rename(kept)
        staged.rename(at_work)
    except OSError as error:
        raise StoreError(
            f"cannot put {candidate} in the place of {at_work}: {error}; "
            f"what was there is there or at {kept}"
        ) from error
