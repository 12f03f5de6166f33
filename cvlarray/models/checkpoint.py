"""Checkpoints: weights as safetensors, and a card that says what they are.

A checkpoint is a folder with ``model.safetensors`` and ``card.json``. Pickles are never read.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from cvlarray.errors import CheckpointError
from cvlarray.models.card import Architecture, Card, Normalisation

__all__ = ["CARD", "WEIGHTS", "Architecture", "Card", "Normalisation", "check_files", "read_card"]

CARD = "card.json"
WEIGHTS = "model.safetensors"


def read_card(folder: Path) -> Card:
    """Return the card of a checkpoint.

    Raises
    ------
    CheckpointError
        If there is none, or it lacks something or says something else than a card does.
    """
    path = folder / CARD
    try:
        return Card.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"{folder} is no checkpoint: {path.name} can't be read ({error.strerror}); "
            f"one is a folder with {WEIGHTS} and {CARD}"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise CheckpointError(f"{path}: {place}: {first['msg']}") from error


def check_files(folder: Path, card: Card) -> Path:
    """Return the weights' file if it is the one the card speaks of.

    Raises
    ------
    CheckpointError
        If it is missing, or has other bytes: truncated, changed, or of another checkpoint.
    """
    path = folder / WEIGHTS
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        others = sorted(one.name for one in folder.glob("*") if one.name != CARD)
        raise CheckpointError(
            f"{path} can't be read ({error.strerror}); weights are read as safetensors only, "
            f"the folder has {others or 'nothing else'}"
        ) from error
    if found != card.weights_sha256:
        raise CheckpointError(
            f"{path} has SHA-256 {found[:12]}…, its card says {card.weights_sha256[:12]}…: it is "
            "truncated, was changed, or belongs to another card; copy the folder again"
        )
    return path
