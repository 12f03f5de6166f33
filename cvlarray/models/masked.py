"""Convolutions over pixels of which some are missing: what is masked never contributes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["MaskedUnet", "halved"]


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


class MaskedUnet(nn.Module):
    """What U-Nets over pixels have in common: blocks that go down and up, and two classes.

    Parameters
    ----------
    n_bands
        Bands of the input of the first block.
    width
        Channels of the first level, a multiple of 8; each level doubles them.
    n_levels
        One more than there are halvings.

    Raises
    ------
    ValueError
        If the width isn't a multiple of 8: the CPU adds up other widths in an order that depends
        on the size of the chip.
    """

    def __init__(self, n_bands: int, width: int, n_levels: int) -> None:
        super().__init__()
        if width % 8 or width < 8:
            raise ValueError(f"width must be a multiple of 8, got {width}")
        widths = [width * 2**level for level in range(n_levels)]
        self.down = nn.ModuleList(
            MaskedBlock(before, after)
            for before, after in zip([n_bands, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            MaskedBlock(deep + level, level)
            for deep, level in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.classifier = nn.Conv2d(width, 2, kernel_size=1)

    def decoded(self, levels: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Return logits (chip, 2, y, x).

        Parameters
        ----------
        levels
            From the finest to the deepest: features, and where something was seen.
        """
        *finer, (features, _) = levels
        for block, (level, seen) in zip(self.up, reversed(finer), strict=True):
            larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([larger, level], dim=1), seen)
        logits: Tensor = self.classifier(features)
        return logits
