"""The rule that needs no training: the model that always works, and that learned ones must beat."""

from __future__ import annotations

import numpy as np

from cvlarray.models.land_cover import LAND_COVER, LandCoverClass
from cvlarray.models.model import Band, BoolArray, FloatArray, ModelSpec

__all__ = ["SpectralRule"]

_BANDS = ("green", "red", "nir", "swir16", "swir22")

_CENTRES = {
    # NDVI, NBR, MNDWI of the middle of each class: green canopy, young and brighter canopy,
    # slash and soil, wet bare sediment, turbid water.
    LandCoverClass.INTACT_FOREST: (0.86, 0.74, -0.50),
    LandCoverClass.SECONDARY_GROWTH: (0.80, 0.58, -0.58),
    LandCoverClass.RECENT_CLEARING: (0.35, 0.05, -0.55),
    LandCoverClass.MINE_PIT: (0.12, 0.02, -0.25),
    LandCoverClass.TAILINGS_POND: (-0.05, 0.25, 0.45),
}
"""Assumed from the indices' published ranges: NDVI (Tucker 1979, doi:10.1016/0034-4257(79)90013-0),
NBR (Key and Benson 2006, USDA RMRS-GTR-164), MNDWI (Xu 2006, doi:10.1080/01431160600589179)."""

_WIDTH = 0.12
"""Distance in these indices over which the rule is in two minds."""


class SpectralRule:
    """Land cover by the nearest of five typical points in NDVI, NBR and MNDWI.

    Its probabilities fall with the square of the distance; they are ordered, not calibrated.
    """

    @property
    def spec(self) -> ModelSpec:
        """Surface reflectance of five bands in, the paper's five classes out."""
        return ModelSpec("spectral_rule", tuple(map(Band, _BANDS)), LAND_COVER)

    def predict(self, chips: FloatArray, is_valid: BoolArray) -> FloatArray:  # noqa: ARG002 (pixel by pixel)
        """Return class probabilities; see `cvlarray.models.Model`."""
        green, red, nir, swir16, swir22 = np.moveaxis(chips, 1, 0)
        point = np.stack(
            [_difference(nir, red), _difference(nir, swir22), _difference(green, swir16)], axis=1
        )
        centres = np.array(list(_CENTRES.values()), np.float32)
        squared = ((point[:, None] - centres[:, :, None, None]) ** 2).sum(axis=2)
        nearness = np.exp((squared.min(axis=1, keepdims=True) - squared) / (2 * _WIDTH**2))
        shares: FloatArray = nearness / nearness.sum(axis=1, keepdims=True)
        return shares.astype(np.float32)


def _difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (a - b) / (a + b), 0 where both are 0."""
    total = a + b
    share = np.zeros_like(total)
    np.divide(a - b, total, out=share, where=total != 0)
    return share
