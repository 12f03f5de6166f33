"""Convolutions over pixels of which some are missing: what is masked never contributes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["MaskedBlock", "check_width", "halved"]


class MaskedBlock(nn.Module):
    """Two 3×3 convolutions over what is valid."""

    def __init__(self, n_before: int, n_after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_before, n_after, kernel_size=3, padding=1)
        self.second = nn.Conv2d(n_after, n_after, kernel_size=3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(n_after), nn.BatchNorm2d(n_after)])

    def forward(self, features: Tensor, seen: Tensor) -> Tensor:
        """Return features (chip, channel, y, x), 0 where ``seen`` (chip, 1, y, x) is."""
        for convolution, norm in zip((self.first, self.second), self.norms, strict=True):
            features = torch.relu(norm(convolution(features * seen)))
        return features * seen


def halved(features: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of the valid pixels of each 2×2, and where there is one."""
    share = functional.avg_pool2d(seen, 2)
    mean = functional.avg_pool2d(features * seen, 2) / share.clamp(min=0.25)
    return mean, (share > 0).to(features.dtype)


def check_width(width: int) -> None:
    """Refuse channels that the CPU adds up in an order that depends on the size of the chip.

    Raises
    ------
    ValueError
        If the width isn't a multiple of 8.
    """
    if width % 8 or width < 8:
        raise ValueError(f"width must be a multiple of 8, got {width}")
