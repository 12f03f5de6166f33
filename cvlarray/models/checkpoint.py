"""Checkpoints: weights as safetensors, and a card that says what they are.

A checkpoint is a folder with ``model.safetensors`` and ``card.json``. Pickles are never read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cvlarray.errors import CheckpointError
from cvlarray.models.model import Band, ModelSpec

__all__ = ["CARD", "WEIGHTS", "Architecture", "Card", "Normalisation", "check_files", "read_card"]

CARD = "card.json"
WEIGHTS = "model.safetensors"

Architecture = Literal[
    "segformer-small", "siamese-unet-8", "siamese-unet-16", "segformer-b0", "segformer-b1", "segformer-b2", "segformer-b3", "segformer-b4", "segformer-b5"
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Normalisation(_Part):
    """What is taken off each band and what it is divided by, in the band's units."""

    mean: tuple[float, ...] = Field(min_length=1)
    std: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Normalisation:
        if len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError("mean and std need a value for each band, std above 0")
        return self


class Card(_Part):
    """Everything one must know to run a checkpoint, and where it comes from."""

    name: str = Field(min_length=1)
    architecture: Architecture
    bands: tuple[str, ...] = Field(min_length=1)
    units: tuple[str, ...] = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=2)
    output: str = "land_cover"
    normalisation: Normalisation
    stride: int = Field(ge=1)
    halo: int = Field(ge=0)
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    golden_output_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the classes that the weights give for the fixed chip of `cvlarray.models.torch_model`."""
    training_data: str
    """What it was trained on, with its hash; ``simulated`` where it was."""
    metrics: Mapping[str, float] = Field(default_factory=dict)
    licence: str
    command: str
    """The command that made it."""

    @model_validator(mode="after")
    def _fits(self) -> Card:
        if not len(self.bands) == len(self.units) == len(self.normalisation.mean):
            raise ValueError("bands, units and normalisation need the same number of entries")
        return self

    @property
    def spec(self) -> ModelSpec:
        """What the model needs and gives."""
        bands = tuple(map(Band, self.bands, self.units))
        return ModelSpec(
            self.name,
            bands,
            self.classes,
            self.stride,
            self.halo,
            self.output,
            self.weights_sha256,
        )


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
