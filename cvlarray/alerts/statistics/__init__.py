"""How a system of alerts does: what it sent, what came back, and how accurate its maps are."""

from cvlarray.alerts.statistics.accuracy import (
    Accuracy,
    allocate,
    area_of_classes,
    sample_size,
    stratified_accuracy,
)
from cvlarray.alerts.statistics.interval import wilson_interval
from cvlarray.alerts.statistics.operations import Feedback, Operations, operations
from cvlarray.alerts.statistics.sample_accuracy import (
    ACCURACY_DTYPES,
    STABLE,
    UNSURE,
    sample_accuracy,
)
from cvlarray.alerts.statistics.sampling import (
    count_strata,
    draw_block,
    draw_sample,
    keep_least,
)

__all__ = [
    "ACCURACY_DTYPES",
    "STABLE",
    "UNSURE",
    "Accuracy",
    "Feedback",
    "Operations",
    "allocate",
    "area_of_classes",
    "count_strata",
    "draw_block",
    "draw_sample",
    "keep_least",
    "operations",
    "sample_accuracy",
    "sample_size",
    "stratified_accuracy",
    "wilson_interval",
]
