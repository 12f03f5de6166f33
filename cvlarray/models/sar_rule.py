"""The radar rule that needs no training: what a learned one must beat.

After RADD (Reiche et al. 2021, Forest disturbance alerts for the Congo Basin using Sentinel-1,
Environmental Research Letters 16, doi:10.1088/1748-9326/abd0a8): a normal distribution each for
forest and for what has lost it, and the share of the second in their sum. It sees one date;
`cvlarray.radar.radar_changes` adds dates up.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cvlarray.models.model import Band, BoolArray, FloatArray, ModelSpec
from cvlarray.radar.departure import OF_ONE_DATE

__all__ = ["SAR_CLASSES", "RadarRule"]

SAR_CLASSES = ("unchanged", "changed")

_WINDOW_PX = 5
_FOREST_SPREAD_DB = 0.6
"""Of the mean of a window over forest: speckle of 4.4 looks, and what rain leaves."""
_LOSS_DB = (-2.0, -2.3)
"""What clearing does to VV and VH (Silva et al. 2022, European Journal of Remote Sensing 55)."""
_LOSS_SPREAD_DB = 1.3
"""From one clearing to the next (assumed)."""
_FOREST_VH_DB = -15.0
"""Usual VH of forest is above it."""


class RadarRule:
    """Change by how far VV and VH have fallen, over forest."""

    @property
    def spec(self) -> ModelSpec:
        """Departures from the usual backscatter in, changed or not out."""
        bands = tuple(Band(name, "dB") for name in OF_ONE_DATE)
        return ModelSpec(
            "radar_rule", bands, SAR_CLASSES, halo=_WINDOW_PX // 2, output="radar_change"
        )

    def predict(self, chips: FloatArray, is_valid: BoolArray) -> FloatArray:
        """Return class probabilities; see `cvlarray.models.Model`."""
        vv, vh, _, _, usual_vh = (_window_mean(band, is_valid) for band in np.moveaxis(chips, 1, 0))
        # A rise isn't a loss, however unlikely it is of forest.
        vv, vh = np.minimum(vv, 0), np.minimum(vh, 0)
        log_odds = sum(
            _log_density(value, loss, _LOSS_SPREAD_DB) - _log_density(value, 0, _FOREST_SPREAD_DB)
            for value, loss in zip((vv, vh), _LOSS_DB, strict=True)
        )
        changed = 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))
        changed = np.where(usual_vh > _FOREST_VH_DB, changed, 0).astype(np.float32)
        return np.stack([1 - changed, changed], axis=1)


def _window_mean(images: FloatArray, is_valid: BoolArray) -> FloatArray:
    """Return the mean of the valid pixels around each one, over chips (chip, y, x)."""
    size = (1, _WINDOW_PX, _WINDOW_PX)
    share = ndimage.uniform_filter(is_valid.astype(np.float64), size, mode="constant")
    total = ndimage.uniform_filter(
        np.where(is_valid, images, 0).astype(np.float64), size, mode="constant"
    )
    mean: FloatArray = (total / np.maximum(share, 1e-9)).astype(np.float32)
    return mean


def _log_density(value: FloatArray, mean: float, spread: float) -> FloatArray:
    """Return the logarithm of a normal density, without what is common to all."""
    density: FloatArray = -0.5 * ((value - mean) / spread) ** 2 - np.float32(np.log(spread))
    return density
