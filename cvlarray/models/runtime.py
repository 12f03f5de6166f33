"""What a network is run by: torch, on the CPU or a GPU, or OpenVINO on the CPU."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from cvlarray.models.model import BoolArray, FloatArray

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Forward", "Precision", "Runtime"]


class Precision(StrEnum):
    """Of the numbers that a network multiplies."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    """Eight bits of mantissa: about twice as fast where the processor has it."""


class Forward(Protocol):
    """A network at work; it may be called from several threads."""

    def __call__(self, chips: FloatArray, is_valid: BoolArray) -> FloatArray:
        """Return float32 logits (chip, class, y, x) of normalised chips (chip, band, y, x)."""


class Runtime(Protocol):
    """Puts networks to work. Small, hashable and picklable: it travels with each task."""

    def __hash__(self) -> int:
        """Runtimes are compared by value."""

    @property
    def precision(self) -> Precision:
        """What it multiplies in."""

    def start(self, network: nn.Module) -> Forward:
        """Return a network, which takes chips and where they are valid, at work."""
