"""What a whole scene or date is off by: corrections of its bands, offsets of its residuals."""

from cvlarray.normalize.dates import MIN_PIXELS, MIN_SHARE, date_statistics, least_count
from cvlarray.normalize.harmonize import harmonize
from cvlarray.normalize.reference import Reference, invariant_forest, median_reference
from cvlarray.normalize.scenes import (
    LEAST_DEVIATION,
    apply_corrections,
    correction_table,
    fit_corrections,
)

__all__ = [
    "LEAST_DEVIATION",
    "MIN_PIXELS",
    "MIN_SHARE",
    "Reference",
    "apply_corrections",
    "correction_table",
    "date_statistics",
    "fit_corrections",
    "harmonize",
    "invariant_forest",
    "least_count",
    "median_reference",
]
