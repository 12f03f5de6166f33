"""Sentinel-1 ground-range products (GRD) to terrain-corrected gamma0, and what is done to series.

The chain, and by what each step is done:

1. read annotation, calibration and pixels: xarray-sentinel
2. orbit file applied, instead of the state vectors in the annotation: `orbit`
3. thermal noise removed, by range and azimuth: `noise`
4. border noise removed: `calibrate`
5. calibrated to beta0: `calibrate`, with xarray-sentinel's tables
6. terrain correction, geometric and radiometric (gamma0, Small 2011): sarsen, see `terrain`
7. speckle filtered over dates, in power, if wanted: `speckle`
8. decibels, at the very end: `to_decibels`

9. departures from each pixel's usual backscatter: `departure`; what a model says of them, date by
   date, made into dated changes: `changes`

Products that are terrain-corrected already (RTC) begin at step 7.
"""

from cvlarray.radar.changes import Confirmation, radar_belief, radar_changes
from cvlarray.radar.decibels import to_decibels
from cvlarray.radar.departure import radar_departure
from cvlarray.radar.orbit import read_orbit_file
from cvlarray.radar.ratio import with_ratio
from cvlarray.radar.speckle import filter_speckle
from cvlarray.radar.terrain import gamma0_of_grd

__all__ = [
    "Confirmation",
    "filter_speckle",
    "gamma0_of_grd",
    "radar_belief",
    "radar_changes",
    "radar_departure",
    "read_orbit_file",
    "to_decibels",
    "with_ratio",
]
