"""Change in radar: a small U-Net over how far one date departs from the pixel's history.

Of the same shape as Ronneberger, Fischer and Brox (2015), U-Net, MICCAI,
doi:10.1007/978-3-319-24574-4_28, with two halvings. A single date shows speckle as much as change;
the neighbourhood averages the first, and `cvlarray.radar.radar_changes` adds up dates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cvlarray.models.masked import MaskedBlock, check_width, halved
from cvlarray.radar.departure import CHANNELS

__all__ = ["HALO", "STRIDE", "SarUnet"]

STRIDE = 4
"""Two halvings."""

HALO = 24
"""Farthest neighbour that reaches a pixel, a multiple of the stride [pixels]."""


class SarUnet(nn.Module):
    """One date of departures in, logits of no change and change out.

    Train it on as many changed as unchanged pixels, or with weights that make them so: then its
    probability is what the date alone says, which is what may be added up over dates.

    Parameters
    ----------
    n_bands
        Bands of its input: `cvlarray.radar.departure.CHANNELS` in dB, normalised.
    width
        Channels of the first level, a multiple of 8; each level doubles them.

    Raises
    ------
    ValueError
        If the width isn't a multiple of 8.
    """

    def __init__(self, n_bands: int = len(CHANNELS), width: int = 16) -> None:
        super().__init__()
        check_width(width)
        widths = [width, 2 * width, 4 * width]
        self.down = nn.ModuleList(
            MaskedBlock(before, after)
            for before, after in zip([n_bands, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            MaskedBlock(deep + level, level)
            for deep, level in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.classifier = nn.Conv2d(width, 2, kernel_size=1)

    def forward(self, chips: Tensor, is_valid: Tensor) -> Tensor:
        """Return logits (chip, 2, y, x).

        Parameters
        ----------
        chips
            (chip, band, y, x), sizes multiples of `STRIDE`.
        is_valid
            (chip, 1, y, x) float: 1 where every band was seen, 0 elsewhere.
        """
        levels = []
        features, seen = chips, is_valid
        for depth, block in enumerate(self.down):
            if depth:
                features, seen = halved(features, seen)
            features = block(features, seen)
            levels.append((features, seen))
        features, _ = levels.pop()
        for block in self.up:
            level, seen = levels.pop()
            larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([larger, level], dim=1), seen)
        logits: Tensor = self.classifier(features)
        return logits
