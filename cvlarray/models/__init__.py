"""Models over chips of a cube: what they need, what they say, and how they are kept.

Nothing here imports torch until a model of torch is built or loaded (extra ``models``).
"""

from cvlarray.models.change_rule import ChangeRule
from cvlarray.models.land_cover import LAND_COVER, LandCoverClass
from cvlarray.models.model import Band, Model, ModelSpec
from cvlarray.models.sar_rule import RadarRule
from cvlarray.models.spectral import SpectralRule

__all__ = [
    "LAND_COVER",
    "Band",
    "ChangeRule",
    "LandCoverClass",
    "Model",
    "ModelSpec",
    "RadarRule",
    "SpectralRule",
]
