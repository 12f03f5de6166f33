"""How a network is trained: everything that decides what comes out, apart from the chips."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cvlarray.training.settings import Settings

__all__ = ["Augmentation", "Recipe"]


class Augmentation(Settings):
    """How chips are made to differ each time they are seen."""

    dihedral: bool = Field(default=True, description="Turn and mirror.")
    gain: float = Field(
        default=0.03, ge=0, le=0.5, description="Spread of a date's gain, for reflectance."
    )
    offset: float = Field(
        default=0.004, ge=0, description="Spread of a date's offset [reflectance]."
    )
    offset_db: float = Field(default=0.4, ge=0, description="Spread of a date's offset, for dB.")
    cutouts: int = Field(default=2, ge=0, description="Round clouds cut out of a chip, at most.")
    cutout_px: int = Field(default=24, ge=1, description="Their largest radius [pixels].")
    focus: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Share of crops that lie around a pixel of a class drawn at random.",
    )


class Recipe(Settings):
    """Steps, their size and their order."""

    seed: int = Field(ge=0, description="One seed makes one result.")
    steps: int = Field(ge=1, description="Steps of the whole schedule.")
    stop_after: int | None = Field(
        default=None, ge=1, description="Steps after which it ends, before the schedule does."
    )
    batch_size: int = Field(default=8, ge=1, description="Chips a step.")
    crop_px: int = Field(default=128, ge=32, le=256, multiple_of=32, description="Side of a crop.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Highest, after the warm-up.")
    weight_decay: float = Field(default=0.01, ge=0, description="Of AdamW.")
    warmup_steps: int = Field(default=50, ge=0, description="Steps until the highest rate.")
    class_weight_power: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Classes are weighted by their share to minus this power; 0 weights none.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="bfloat16 multiplies in it and keeps weights in float32."
    )
    validate_every: int = Field(default=200, ge=1, description="Steps between validations.")
    validation_chips: int = Field(default=64, ge=1, description="Chips looked at each time.")
    patience: int = Field(
        default=10, ge=1, description="Validations without a better one before it stops."
    )
    save_every: int = Field(default=100, ge=1, description="Steps between saved states.")
    threads: int = Field(
        default=1, ge=1, description="Threads of torch: another number may add in another order."
    )
    augmentation: Augmentation = Augmentation()

    @property
    def n_steps(self) -> int:
        """Steps that are done unless it stops for want of progress."""
        return self.steps if self.stop_after is None else min(self.stop_after, self.steps)
