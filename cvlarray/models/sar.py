"""Change in radar: a small U-Net over how far a date departs from the pixel's history.

Of the same shape as Ronneberger, Fischer and Brox (2015), U-Net, MICCAI,
doi:10.1007/978-3-319-24574-4_28, with two halvings. A single date shows speckle as much as change;
the neighbourhood and the dates just before average the first, and `cvlarray.radar.radar_changes`
adds up dates.
"""

from __future__ import annotations

from torch import Tensor

from cvlarray.models.masked import MaskedUnet, halved

__all__ = ["HALO", "STRIDE", "SarUnet"]

STRIDE = 4
"""Two halvings."""

HALO = 24
"""Farthest neighbour that reaches a pixel, a multiple of the stride [pixels]."""


class SarUnet(MaskedUnet):
    """One date's departures in, logits of no change and change out.

    Trained with weights by which changed pixels count as much as unchanged ones, its probability
    would be what may be added up over dates, and changes would grow over their edges. The one that
    ships was trained with half of that, in logarithms.

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

    def __init__(self, n_bands: int, width: int = 16) -> None:
        super().__init__(n_bands, width, n_levels=3)

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
        return self.decoded(levels)
