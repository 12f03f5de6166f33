"""Sensors: one profile a collection and provider, and the scenes read with them.

To add a sensor: write a module with a ``PROFILES`` tuple as in `landsat`, add it to the table in
`read`, and put a real Item of it among the tests.
"""

from cvlarray.sensors.footprint import central_longitude, read_footprint
from cvlarray.sensors.harmonize import harmonized, line_to_sentinel2
from cvlarray.sensors.profile import (
    Band,
    Calibration,
    Identity,
    Profile,
    Quantity,
    Signer,
    timestamp,
)
from cvlarray.sensors.read import PROFILES, read_item
from cvlarray.sensors.scene import Asset, Scene, newest_baseline, solar_day
from cvlarray.sensors.sentinel2 import OffsetVerdict, check_boa_offset
from cvlarray.sensors.values import to_dn

__all__ = [
    "PROFILES",
    "Asset",
    "Band",
    "Calibration",
    "Identity",
    "OffsetVerdict",
    "Profile",
    "Quantity",
    "Scene",
    "Signer",
    "central_longitude",
    "check_boa_offset",
    "harmonized",
    "line_to_sentinel2",
    "newest_baseline",
    "read_footprint",
    "read_item",
    "solar_day",
    "timestamp",
    "to_dn",
]
