"""The config of one training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import geopandas as gpd
import xarray as xr
from pydantic import Field, model_validator

from cvlarray.config.load import load_as
from cvlarray.config.problem import problem
from cvlarray.config.section import Section
from cvlarray.errors import ConfigError
from cvlarray.models.card import Architecture
from cvlarray.store.fingerprint import input_hash
from cvlarray.training.chips import LabelSource
from cvlarray.training.feedback import FeedbackChips, JoinedChips
from cvlarray.training.fit import Aim, SplitSettings
from cvlarray.training.recipe import Recipe
from cvlarray.training.simulated_change import SimulatedChange
from cvlarray.training.simulated_land_cover import SimulatedLandCover
from cvlarray.training.simulated_radar import SimulatedRadar

__all__ = ["FeedbackConfig", "TrainConfig", "load_training"]

Chips = Annotated[
    SimulatedLandCover | SimulatedChange | SimulatedRadar, Field(discriminator="kind")
]


class FeedbackConfig(Section):
    """What reviewers settled, joined to the other chips."""

    labels: Path = Field(
        description="GeoParquet that `cvlarray labels` wrote: 90 days of verdicts."
    )
    images: Path = Field(description="Zarr cube (time, y, x) with the chips' bands, 10 m.")


class TrainConfig(Section):
    """All that decides what a training gives."""

    name: str = Field(
        pattern=r"^[a-zA-Z][a-zA-Z0-9_.-]+[a-zA-Z0-9]$", description="Name of the model."
    )
    description: str = Field(default="", description="What it is for, on its card.")
    workspace: Path = Field(description="Folder of the training: chips, state, log, checkpoint.")
    architecture: Architecture = Field(description="Network to train.")
    output: str = Field(default="land_cover", description="Variable that says the class.")
    licence: str = Field(default="Apache-2.0", description="Of the weights; an SPDX name.")
    chips: Chips = Field(description="Where labels come from.")
    feedback: FeedbackConfig | None = Field(default=None, description="Verdicts to join.")
    split: SplitSettings = Field(default=SplitSettings(), description="What is kept apart.")
    recipe: Recipe = Field(description="Steps, their size and their order.")

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        is_pair = self.architecture.startswith("siamese-")
        is_radar = self.architecture.startswith("sar-")
        fitting = (
            "simulated-change" if is_pair
            else "simulated-radar" if is_radar
            else "simulated-land-cover"
        )  # fmt: skip
        if self.chips.kind != fitting:
            raise problem("chips.kind", f"{fitting} for {self.architecture}", self.chips.kind)
        return self

    def aim(self, command: str) -> Aim:
        """Return what is to come out.

        Raises
        ------
        ConfigError
            If the feedback's files can't be read.
        """
        return Aim(
            name=self.name,
            description=self.description,
            architecture=self.architecture,
            output=self.output,
            source=self._source(),
            chips_key=self._chips_key(),
            split=self.split,
            recipe=self.recipe,
            licence=self.licence,
            command=command,
        )

    def _source(self) -> LabelSource:
        if self.feedback is None:
            return self.chips
        try:
            labels = gpd.read_parquet(self.feedback.labels)
            images = xr.open_zarr(self.feedback.images, mask_and_scale=False, consolidated=False)
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(
                f"feedback: expected labels of `cvlarray labels` and a Zarr cube, got: {error}"
            ) from error
        return JoinedChips(self.chips, FeedbackChips(labels, images, self.chips.chip_kind))

    def _chips_key(self) -> str:
        feedback = None
        if self.feedback is not None:
            labels = self.feedback.labels
            feedback = labels.read_bytes() if labels.is_file() else b"", str(self.feedback.images)
        return input_hash(self.chips.model_dump(mode="json"), feedback)


def load_training(path: str | Path, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read the YAML of a training; see `cvlarray.config.load_config`."""
    return load_as(TrainConfig, path, overrides)
