"""Change between two dates: a U-Net that sees both with the same eyes (FC-Siam-diff).

Daudt, Le Saux and Boulch (2018), Fully convolutional siamese networks for change detection, ICIP,
doi:10.1109/ICIP.2018.8451652. Here masked pixels never contribute: they are zero on the way in, and
features are averaged over valid neighbours only.
"""

from __future__ import annotations

from torch import Tensor

from cvlarray.models.masked import MaskedUnet, halved

__all__ = ["HALO", "STRIDE", "SiameseUnet"]

STRIDE = 8
"""Three halvings."""

HALO = 48
"""Farthest neighbour that reaches a pixel, a multiple of the stride [pixels]."""


class SiameseUnet(MaskedUnet):
    """Two dates through one encoder; the decoder sees how their features differ.

    Parameters
    ----------
    n_bands
        Bands of one date: reflectance, and whatever was subtracted from the season before.
    width
        Channels of the first level, a multiple of 8; each level doubles them.

    Raises
    ------
    ValueError
        If the width isn't a multiple of 8.
    """

    def __init__(self, n_bands: int, width: int = 16) -> None:
        super().__init__(n_bands, width, n_levels=4)

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
        return self.decoded(levels)
