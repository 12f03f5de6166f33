"""Compare observations with their season, and date the changes that last.

`monitor` watches a period in one go. `start`, `update` and `detections` do the same in steps: the
state between them is all that goes on from one date to the next, so that any way to cut a period
into runs gives the same bits.
"""

from cvlarray.kernels.detectors import Bayesian, Consecutive, Cusum, Detector, Ewma, Mosum
from cvlarray.monitor.dates import measure_dates, reference_pixels
from cvlarray.monitor.detect import detections, monitor
from cvlarray.monitor.follow import follow
from cvlarray.monitor.residual import residual, standardised_residual
from cvlarray.monitor.sightings import Sightings
from cvlarray.monitor.state import refit, start, update

__all__ = [
    "Bayesian",
    "Consecutive",
    "Cusum",
    "Detector",
    "Ewma",
    "Mosum",
    "Sightings",
    "detections",
    "follow",
    "measure_dates",
    "monitor",
    "reference_pixels",
    "refit",
    "residual",
    "standardised_residual",
    "start",
    "update",
]
