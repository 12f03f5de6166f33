"""What every model is to the rest: bands in, class probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Band", "BoolArray", "FloatArray", "Model", "ModelSpec"]

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Band:
    """One input: a variable of the cube, and the unit a model takes it in."""

    name: str
    """Common name, such as ``swir16``."""
    units: str = "1"
    """``1`` for reflectance or power, ``dB`` for backscatter."""


@dataclass(frozen=True)
class ModelSpec:
    """What a model needs and gives.

    Raises
    ------
    ValueError
        If there is no band or fewer than two classes, a name comes twice, or a number is senseless.
    """

    name: str
    bands: tuple[Band, ...]
    """In the order of the chips' band axis."""
    classes: tuple[str, ...]
    """In the order of the scores' class axis."""
    stride: int = 1
    """Windows begin at multiples of it [pixels]: a model that halves its input four times sees
    pixels in blocks of 16, and the same ones wherever a block of the cube begins."""
    halo: int = 0
    """Farthest neighbour that can change a pixel's result [pixels]."""
    output: str = "land_cover"
    """Name of the variable that says the class."""
    version: str = ""
    """Hash of the weights; empty for a model without."""

    def __post_init__(self) -> None:
        names = [band.name for band in self.bands]
        for what, values, least in (("bands", names, 1), ("classes", list(self.classes), 2)):
            if len(values) < least or len(set(values)) < len(values):
                raise ValueError(
                    f"{self.name} needs {least} or more different {what}, got {values}"
                )
        if len(self.classes) > 254:
            raise ValueError(f"{self.name} has {len(self.classes)} classes; a map holds 254")
        if self.stride < 1 or self.halo < 0:
            raise ValueError(
                f"{self.name} needs stride >= 1 and halo >= 0, got {self.stride} and {self.halo}"
            )


class Model(Protocol):
    """Something that classifies chips. It is called from several threads and must be picklable."""

    @property
    def spec(self) -> ModelSpec:
        """What it needs and gives."""

    def predict(self, chips: FloatArray, is_valid: BoolArray) -> FloatArray:
        """Return class probabilities.

        Parameters
        ----------
        chips
            float32 (chip, band, y, x) in the units of the spec; 0 where not valid. Chips are of one
            size, a multiple of the stride.
        is_valid
            (chip, y, x): where every band was seen.

        Returns
        -------
        float32 (chip, class, y, x), 0 to 1, summing to 1 over the classes. What it says where
        ``is_valid`` is False counts for nothing.
        """
