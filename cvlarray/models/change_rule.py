"""The rule for a pair of dates that needs no training: forest before, disturbed after."""

from __future__ import annotations

import numpy as np

from cvlarray.models.land_cover import LandCoverClass
from cvlarray.models.model import Band, BoolArray, FloatArray, ModelSpec
from cvlarray.models.spectral import SpectralRule

__all__ = ["ChangeRule"]

_ROLES = ("before", "after")
_FOREST = (LandCoverClass.INTACT_FOREST, LandCoverClass.SECONDARY_GROWTH)


class ChangeRule:
    """Change by what `SpectralRule` says of both dates, as if they were independent."""

    @property
    def spec(self) -> ModelSpec:
        """Reflectance of two dates in, changed or not out."""
        names = [band.name for band in SpectralRule().spec.bands]
        bands = tuple(Band(f"{name}_{role}") for role in _ROLES for name in names)
        return ModelSpec("change_rule", bands, ("unchanged", "changed"), output="change")

    def predict(self, chips: FloatArray, is_valid: BoolArray) -> FloatArray:
        """Return class probabilities; see `cvlarray.models.Model`."""
        before, after = np.split(chips, len(_ROLES), axis=1)
        rule = SpectralRule()
        was_forest = rule.predict(before, is_valid)[:, list(_FOREST)].sum(axis=1)
        is_forest = rule.predict(after, is_valid)[:, list(_FOREST)].sum(axis=1)
        changed = was_forest * (1 - is_forest)
        return np.stack([1 - changed, changed], axis=1).astype(np.float32)
