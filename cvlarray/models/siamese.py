"""Change between two dates: a U-Net that sees both with the same eyes (FC-Siam-diff).

Daudt, Le Saux and Boulch (2018), Fully convolutional siamese networks for change detection, ICIP,
doi:10.1109/ICIP.2018.8451652. Here masked pixels never contribute: they are zero on the way in, and
features are averaged over valid neighbours only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cvlarray.models.masked import MaskedBlock, check_width, halved

__all__ = ["HALO", "STRIDE", "SiameseUnet"]

STRIDE = 8
"""Three halvings."""

HALO = 48
"""Farthest neighbour that reaches a pixel, a multiple of the stride [pixels]."""


class SiameseUnet(nn.Module):
    """Two dates through one encoder; the decoder sees how their features differ.

    Parameters
    ----------
    n_bands
        Bands of one date: reflectance, and whatever was subtracted from the season before.
    width
        Channels of the first level, a multiple of 8; each level doubles them. The CPU adds up other
        widths in an order that depends on the size of the chip.

    Raises
    ------
    ValueError
        If the width isn't a multiple of 8.
    """

    def __init__(self, n_bands: int, width: int = 16) -> None:
        super().__init__()
        check_width(width)
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.down = nn.ModuleList(
            MaskedBlock(before, after)
            for before, after in zip([n_bands, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            MaskedBlock(deep + level, level)
            for deep, level in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.classifier = nn.Conv2d(width, 2, kernel_size=1)

    def forward(self, before: Tensor, after: Tensor, is_valid: Tensor) -> Tensor:
        """Return logits of no change and change (chip, 2, y, x).

        Parameters
        ----------
        before, after
            (chip, band, y, x), sizes multiples of `STRIDE`.
        is_valid
            (chip, 1, y, x) float: 1 where both dates were clear, 0 elsewhere.
        """
        levels = []
        first, second, seen = before, after, is_valid
        for depth, block in enumerate(self.down):
            if depth:
                first, _ = halved(first, seen)
                second, seen = halved(second, seen)
            first, second = block(first, seen), block(second, seen)
            levels.append(((second - first).abs() * seen, seen))
        features, _ = levels.pop()
        for block in self.up:
            difference, seen = levels.pop()
            larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([larger, difference], dim=1), seen)
        logits: Tensor = self.classifier(features)
        return logits
