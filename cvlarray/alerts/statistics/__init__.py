"""How a system of alerts does: what it sent, what came back, and how accurate its maps are."""

from cvlarray.alerts.statistics.accuracy import (
    Accuracy,
    allocate,
    draw_sample,
    sample_size,
    stratified_accuracy,
)
from cvlarray.alerts.statistics.interval import wilson_interval
from cvlarray.alerts.statistics.operations import Feedback, Operations, operations

__all__ = [
    "Accuracy",
    "Feedback",
    "Operations",
    "allocate",
    "draw_sample",
    "operations",
    "sample_size",
    "stratified_accuracy",
    "wilson_interval",
]
