"""Was the ground seen: quality flags from each sensor's own mask or from the bands themselves.

A provider is any callable from a cube to `cvlarray.names.QUALITY`; to add one, write a frozen
dataclass like `scl.SclQuality` that says which ``bands`` it needs. `picture.coverage_figure` draws
the tables; it isn't imported here, so that matplotlib is loaded only to draw.
"""

from cvlarray.masking.coverage import (
    MAX_MASKED_SHARE,
    coverage_by_month,
    coverage_by_ten_days,
    tile_coverage,
)
from cvlarray.masking.flags import OBSCURING, QualityProvider, is_clear_of
from cvlarray.masking.fmask import FmaskQuality
from cvlarray.masking.landsat import LandsatQuality
from cvlarray.masking.native import EitherQuality, FirstQuality, native_quality
from cvlarray.masking.planet import UDM2_BANDS, Udm2Quality
from cvlarray.masking.scl import CLEAR_SCL_CLASSES, SclQuality, is_clear
from cvlarray.masking.shape import drop_specks, grow_flags
from cvlarray.masking.ukis import UkisQuality

__all__ = [
    "CLEAR_SCL_CLASSES",
    "MAX_MASKED_SHARE",
    "OBSCURING",
    "UDM2_BANDS",
    "EitherQuality",
    "FirstQuality",
    "FmaskQuality",
    "LandsatQuality",
    "QualityProvider",
    "SclQuality",
    "Udm2Quality",
    "UkisQuality",
    "coverage_by_month",
    "coverage_by_ten_days",
    "drop_specks",
    "grow_flags",
    "is_clear",
    "is_clear_of",
    "native_quality",
    "tile_coverage",
]
